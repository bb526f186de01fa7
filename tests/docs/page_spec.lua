-- The docs page in a real browser: it shows the routes, and its "try it out" works. Run by
-- ./dev docs-test, which leaves pictures in build/test.
local cjson = require "cjson"
local http = require "support.http"
local server = require "support.server"
local webdriver = require "webdriver"

local app = [[
local barq = require "barq"
local t = barq.t

local Item = barq.schema("Item", {
  name = t.string{ min = 1, max = 100 },
  price = t.number{ min = 0, example = 9.5 },
  quantity = t.integer{ min = 0, default = 1 },
})

barq.info{ title = "Shop", version = "1.2.3" }
barq.get("/items/{id}", { params = { id = t.integer{ example = 7 } } }, function(req)
  return { id = req.params.id }
end)
barq.post("/items", { body = Item, returns = Item, status = 201 }, function(req)
  return req.body
end)
]]

-- In the page: finds(…) gives the block of a method and path.
local find_block = [[
  const find = (method, path) => [...document.querySelectorAll(".opblock-" + method)].find(
    (block) => block.querySelector("[data-path]").dataset.path === path);
]]

describe("the docs page in a browser", function()
  local s, browser

  before_each(function()
    s = server.start { app = app }
    browser = webdriver.open()
  end)
  after_each(function()
    if browser then browser:close() end
    browser = nil
    server.cleanup()
  end)

  local function open(width, height)
    browser:resize(width, height)
    browser:go(("http://127.0.0.1:%d/docs"):format(s.port))
    browser:wait_for("return document.querySelectorAll('.opblock').length > 0")
  end

  -- "Try it out", "Execute", and the status that the page shows then.
  local function execute(method, path)
    browser:run(find_block .. [[find(...arguments).querySelector("button").click()]], method, path)
    browser:wait_for(find_block .. [[
      const button = find(...arguments).querySelector(".try-out__btn");
      if (button) button.click();
      return button !== null]], method, path)
    browser:wait_for(find_block .. [[
      const button = find(...arguments).querySelector(".execute");
      if (button) button.click();
      return button !== null]], method, path)
    return browser:wait_for(find_block .. [[
      const answer = find(...arguments).querySelector(".live-responses-table tbody");
      return answer && answer.querySelector(".response-col_status").textContent.trim()
    ]], method, path)
  end

  local function response_of(method, path)
    return cjson.decode(browser:wait_for(find_block .. [[
      const body = find(...arguments).querySelector(".live-responses-table .highlight-code code");
      return body && body.textContent]], method, path))
  end

  local function check_quiet()
    assert.same({}, browser:complaints())
    local own = ("http://127.0.0.1:%d/"):format(s.port)
    local asked = browser:requests()
    assert.is_true(#asked >= 5)
    for _, url in ipairs(asked) do
      assert(url:sub(1, #own) == own or url:find("^data:"), "asked for " .. url)
    end
  end

  it("shows the routes, and sends what is tried out", function()
    open(1280, 1000)
    assert.equal("Shop", browser:run("return document.title"))
    assert.same({ "/items", "/items/{id}" }, browser:run([[
      const shown = [...document.querySelectorAll(".opblock [data-path]")];
      return shown.map((element) => element.dataset.path).sort()
    ]]))
    assert.equal("201", execute("post", "/items"):match("^%d+"))
    local item = response_of("post", "/items")
    assert.equal(9.5, item.price)
    assert.equal(1, item.quantity)
    assert.equal("200", execute("get", "/items/{id}"):match("^%d+"))
    assert.same({ id = 7 }, response_of("get", "/items/{id}"))
    browser:screenshot("build/test/docs-wide.png")
    check_quiet()
  end)

  it("fits a phone", function()
    open(390, 844)
    assert.is_true(browser:run(
      "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
    browser:screenshot("build/test/docs-narrow.png")
    check_quiet()
  end)

  it("is dark where that is preferred", function()
    local background = [[
      return getComputedStyle(document.documentElement).backgroundColor
        + getComputedStyle(document.body).backgroundColor]]
    open(1280, 1000)
    browser:prefer("light")
    local light = browser:run(background)
    browser:prefer("dark")
    assert.is_true(browser:wait_for(
      "return document.documentElement.classList.contains('dark-mode')"))
    assert.not_equal(light, browser:run(background))
    browser:screenshot("build/test/docs-dark.png")
    browser:prefer("light")
    browser:wait_for("return !document.documentElement.classList.contains('dark-mode')")
    check_quiet()
  end)

  it("refuses scripts that are not the server's", function()
    open(1280, 1000)
    assert.is_nil(browser:run([[
      const script = document.createElement("script");
      script.textContent = "window.intruded = true";
      document.body.append(script);
      return window.intruded]]))
    assert.truthy(table.concat(browser:complaints()):find("Content Security Policy", 1, true))
    assert.equal(200, http.get(s.port, "/docs").status)
  end)
end)
