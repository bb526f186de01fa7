-- The live page of the admin port, and the error page of --dev, in a real browser. Run by
-- ./dev docs-test, which leaves pictures in build/test.
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"
local webdriver = require "webdriver"

local app = [[
local barq = require "barq"
barq.get("/items/{id}/with/a/path/that/goes/on/for/long", function(req) return req.params.id end)
barq.get("/sleep", function() barq.sleep(60) end)
barq.get("/spin", function()
  local till = barq.now() + 10
  repeat until barq.now() > till
end)
local function deeper(what) error("broken: " .. what) end
barq.get("/fail", function(req)
  local a_local_with_a_rather_long_name = ("long "):rep(60) .. "<b>"
  deeper(a_local_with_a_rather_long_name)
end)
]]

describe("a page for people", function()
  local s, browser

  before_each(function() browser = webdriver.open() end)
  after_each(function()
    if browser then browser:close() end
    browser = nil
    server.cleanup()
  end)

  local function fits()
    return browser:run(
      "return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
  end

  local function send(target)
    local connection = raw.connect(s.port)
    connection:send(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(target))
  end

  local function text(selector)
    return browser:run("return document.querySelector(arguments[0]).innerText", selector)
  end

  local function start_busy()
    s = server.start { app = app, args = { "--admin=127.0.0.1:0", "--workers=2" } }
    local admin = s:wait_for_log("live page are on (http://127.0.0.1:%d+)")
    for i = 1, 50 do
      http.get(s.port, ("/items/%d/with/a/path/that/goes/on/for/long?q=%%3Cscript%%3E"):format(i))
    end
    send("/sleep?of=a-client-with-a-long-target-" .. ("x"):rep(200))
    return admin
  end

  it("shows what happens now, and goes on doing so by itself", function()
    local admin = start_busy()
    browser:resize(1280, 1000)
    browser:go(admin .. "/")
    browser:wait_for([[return document.body.innerText.includes("sleep at app.lua:3")]])
    send("/spin")
    browser:wait_for([[return document.body.innerText.includes("inside GET /spin for")]])
    assert.truthy(text("main"):find("/items/{id}/with", 1, true))
    browser:screenshot("build/test/live-wide.png")
    browser:run("window.unchanged = true")
    send("/sleep?second")
    browser:wait_for([[return document.body.innerText.includes("/sleep?second")]])
    assert.is_true(browser:run("return window.unchanged"))
    assert.same({}, browser:complaints())
  end)

  it("fits a phone, and is dark where that is preferred", function()
    local admin = start_busy()
    browser:resize(390, 844)
    send("/spin")
    browser:go(admin .. "/")
    browser:wait_for([[return document.body.innerText.includes("inside GET /spin for")]])
    assert.is_true(fits())
    browser:screenshot("build/test/live-narrow.png")
    local background = "return getComputedStyle(document.body).backgroundColor"
    browser:prefer("light")
    local light = browser:run(background)
    browser:prefer("dark")
    assert.not_equal(light, browser:run(background))
    browser:prefer("light")
  end)

  it("says when the server does not answer any more", function()
    local admin = start_busy()
    browser:go(admin .. "/")
    s:signal("KILL")
    browser:wait_for([[return document.body.innerText.includes("The server does not answer.")]])
  end)

  it("tells an error with its locals, on a phone, too", function()
    s = server.start { app = app, args = { "--dev" } }
    for _, width in ipairs { 1280, 390 } do
      browser:resize(width, 844)
      browser:go(("http://127.0.0.1:%d/fail"):format(s.port))
      assert.truthy(text("body"):find("a_local_with_a_rather_long_name", 1, true))
      assert.is_true(fits())
      browser:screenshot(("build/test/error-%d.png"):format(width))
    end
  end)
end)
