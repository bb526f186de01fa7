-- --dev: the application is reloaded when its files change, and errors are shown to who asked.
local cjson = require "cjson"
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"
local stat = require "posix.sys.stat"
local stdlib = require "posix.stdlib"
local unistd = require "posix.unistd"

local binary = os.getenv("BARQ_SERVER") or "build/release/barq-server"

local app = [[
local barq = require "barq"
local helper = require "helper"

local function total(item, factor)
  local price = item.price * factor
  return (price + nil) * 1
end

barq.get("/boom/{id}", function(req)
  local item = { price = 3, name = "<lamp>" }
  local secret = "a\0b\255"
  local sum = total(item, 2)
  return sum, secret
end)
barq.get("/version", function() return helper.version end)
barq.get("/words", function(req)
  local kept = req
  local greeting, broken = "Grüße, 東京 🎉", "\240\159\142 \237\160\128 " .. ("é"):rep(100)
  error("二つ:\n" .. greeting .. "\255" .. #broken .. kept.method)
end)
barq.get("/far", function()
  local function go(n) return n == 0 and error("far") or 1 + go(n - 1) end
  return go(9)
end)
barq.get("/table", function() error({ code = 5 }) end)
barq.get("/abort", function() barq.abort(409, "taken") end)
barq.get("/around", { middleware = function(req, next) return next(req) end }, function()
  local inside = 42
  error("in the middle of " .. inside)
end)
barq.get("/slow", function() barq.sleep(0.01) local late = 7 error("late " .. late) end)
barq.get("/deep", function() local function f() return 1 + f() end return f() end)
barq.get("/timeout", { timeout = 0.02 }, function() barq.sleep(5) end)
local ffi = require "ffi"
ffi.cdef "typedef struct { int x; } evil_number;"
local evil_number = ffi.metatype("evil_number", { __tostring = function() error("evil") end })
local function evil(tostring) return setmetatable({}, { __tostring = tostring }) end
barq.get("/evil/local", function()
  local held, key = evil_number(1), { [evil(function() error("evil") end)] = 1 }
  error("the error itself")
  return held, key
end)
barq.get("/evil/abort", function()
  local held = evil_number(1)
  barq.abort(404, "gone")
  return held
end)
barq.get("/evil/error", function() error(evil(function() error("evil") end)) end)
barq.get("/evil/wait", function() error(evil(function() barq.sleep(1) end)) end)
barq.get("/huge/local", function()
  local held = ("\1"):rep(3e7)
  error("beside " .. #held)
end)
barq.get("/huge/error", function() error(("<b>"):rep(1e7)) end)
barq.get("/bytes", function() error("a\255 <b>") end)
barq.get("/fine", function(req) return { id = req.query.id } end)
]]

describe("--dev #threads", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local function write(s, name, text)
    local file = assert(io.open(s.directory .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  local function start(...)
    local s = server.start {
      app = app,
      files = { ["helper.lua"] = 'return { version = "one" }' },
      args = { "--workers", "2", "--dev", ... },
    }
    return s
  end

  local function page(s, target)
    return http.request(s.port, "GET", target, { headers = { Accept = "text/html,*/*",
      Authorization = "Bearer s3cr3t", ["User-Agent"] = "a <browser>" } })
  end

  it("shows the error whatever its locals are, and an abort stays one", function()
    local s = start()
    assert.matches("the error itself", http.get(s.port, "/evil/local"):json().error)
    assert.equal("cdata", http.get(s.port, "/evil/local"):json().calls[1].locals.held)
    local answer = http.get(s.port, "/evil/abort")
    assert.same({ 404, { detail = "gone" } }, { answer.status, answer:json() })
    for _, target in ipairs { "/evil/error", "/evil/wait" } do
      assert.matches("an error object that is a table", http.get(s.port, target):json().error)
      assert.matches("an error object that is a table", page(s, target).body)
    end
    assert.matches("a\\xff <b>", http.get(s.port, "/bytes"):json().error, 1, true)
    s:stop()
  end)

  it("shows the beginning of what is huge", function()
    local s = start()
    for _, target in ipairs { "/huge/local", "/huge/error" } do
      local before = clock.now()
      for _, answer in ipairs { page(s, target), http.get(s.port, target) } do
        assert.equal(500, answer.status)
        assert.is_true(#answer.body < 200000)
        local is_page = answer.headers["content-type"]:find("html")
        assert.not_matches("<b><b>", is_page and answer.body or "")
      end
      assert.is_true(clock.now() - before < 5)
    end
    s:stop()
  end)

  it("reloads when a file changes, also below folders", function()
    local s = start()
    local kept = raw.connect(s.port)
    local function version()
      kept:send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
      return http.read(kept).body
    end
    assert.equal("one", version())
    local deadline
    for _, wanted in ipairs { "two", "three" } do
      write(s, "helper.lua", ("return { version = %q }"):format(wanted))
      deadline = clock.now() + 10
      repeat clock.sleep(0.02) until version() == wanted or clock.now() > deadline
      assert.equal(wanted, version())
    end
    write(s, "helper.lua", "return {")
    s:wait_for_log("the old goes on")
    assert.equal("three", version())
    write(s, "data.db", "no source")
    write(s, ".hidden.lua", "no source")
    clock.sleep(0.3)
    assert.equal(3, select(2, s:log():gsub("SIGHUP: reloading", "")))
    assert(stat.mkdir(s.directory .. "/lib"))
    clock.sleep(0.1)
    write(s, "lib/more.lua", "return {}")
    write(s, "helper.lua", "return { version = 'four' }")
    s:wait_for_log("reloaded.-reloaded.-reloaded")
    local _, before = s:log():gsub("SIGHUP", "")
    write(s, "lib/more.lua", "return { more = true }")
    deadline = clock.now() + 10
    repeat clock.sleep(0.02)
    until select(2, s:log():gsub("SIGHUP", "")) > before or clock.now() > deadline
    assert.is_true(select(2, s:log():gsub("SIGHUP", "")) > before)
    s:stop()
  end)

  local function is_version(s, version)
    return clock.wait_until(5, function() return http.get(s.port, "/version").body == version end)
  end

  it("goes on watching when more folders have come and gone than may be watched at a time",
    function()
      local s = start()
      for _ = 1, 4200 do
        assert(stat.mkdir(s.directory .. "/below"))
        assert(os.remove(s.directory .. "/below"))
      end
      assert(stat.mkdir(s.directory .. "/below"))
      write(s, "below/new.lua", "return 'two'")
      write(s, "helper.lua", "return { version = require 'below.new' }")
      assert.is_true(is_version(s, "two"))
      write(s, "below/new.lua", "return 'three'")
      assert.is_true(is_version(s, "three"))
      s:stop()
    end)

  it("goes on watching where the folder of the application is removed and made again", function()
    local above = assert(stdlib.mkdtemp("/tmp/barq-e2e-XXXXXX"))
    local project = { directory = above .. "/project" }
    local function make(version)
      assert(stat.mkdir(project.directory))
      write(project, "app.lua", ([[
        require("barq").get("/version", function() return %q end)
      ]]):format(version))
    end
    make("one")
    local s = server.start { file = ("../"):rep(20) .. project.directory:sub(2) .. "/app.lua",
      args = { "--dev" } }
    assert.is_true(is_version(s, "one"))
    os.execute("rm -r " .. project.directory)
    make("two")
    assert.is_true(is_version(s, "two"))
    assert(os.rename(project.directory, above .. "/old"))
    make("three")
    assert.is_true(is_version(s, "three"))
    s:stop()
    os.execute("rm -r " .. above)
  end)

  it("shows an error with its source, locals and request to browsers", function()
    local s = start()
    local answer = page(s, "/boom/7?q=<x>")
    assert.equal(500, answer.status)
    assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
    assert.matches("default-src 'none'", answer.headers["content-security-policy"], 1, true)
    for _, text in ipairs {
      "attempt to perform arithmetic on a nil value", "return (price + nil) * 1",
      "<td>price</td><td>6</td>",
      "&lt;lamp&gt;", "\\x00b\\xff", "query.q", "&quot;&lt;x&gt;&quot;", "a &lt;browser&gt;",
    } do
      assert.is_truthy(answer.body:find(text, 1, true), text)
    end
    for _, text in ipairs { "<x>", "<lamp>", "<browser>", "s3cr3t" } do
      assert.is_nil(answer.body:find(text, 1, true), text)
    end
    s:stop()
  end)

  it("shows it as JSON to others", function()
    local s = start()
    local answer = http.get(s.port, "/boom/7"):json()
    assert.equal("Internal Server Error", answer.detail)
    assert.matches("app.lua:%d+: attempt to perform arithmetic on a nil value", answer.error)
    assert.equal("6", answer.calls[1].locals.price)
    assert.equal("2", answer.calls[1].locals.factor)
    assert.matches("app.lua:%d+$", answer.calls[2].place)
    assert.matches("lamp", answer.calls[2].locals.item)
    assert.equal("42", http.get(s.port, "/around"):json().calls[1].locals.inside)
    assert.equal("7", http.get(s.port, "/slow"):json().calls[1].locals.late)
    assert.equal("an error object that is a table", http.get(s.port, "/table"):json().error)
    assert.equal(500, http.get(s.port, "/deep").status)
    assert.equal(500, page(s, "/deep").status)
    s:stop()
    assert.matches("GET /boom/{id} .-app.lua:%d+: in function 'total'", s:log())
  end)

  it("shows text in any script as it is, and what is no text by its bytes", function()
    local s = start()
    local answer = http.get(s.port, "/words"):json()
    assert.matches("二つ:\nGrüße, 東京 🎉\\xff", answer.error, 1, true)
    local locals = answer.calls[1].locals
    assert.equal('"Grüße, 東京 🎉"', locals.greeting)
    assert.matches('^"\\xf0\\x9f\\x8e \\xed\\xa0\\x80 e+…"$', (locals.broken:gsub("é", "e")))
    assert.matches("^request { .*method = GET", (locals.kept:gsub('"', "")))
    assert.is_nil(locals.kept:find("%d%d%d"))
    local body = page(s, "/words").body
    assert.truthy(body:find("<h1>[^\n]*二つ:\nGrüße, 東京 🎉"))
    s:stop()
  end)

  it("opens the calls next to the error", function()
    local s = start()
    local body = page(s, "/far").body
    assert.equal(5, select(2, body:gsub("<details open>", "")))
    assert.truthy(select(2, body:gsub("<details>", "")) >= 5)
    s:stop()
  end)

  it("changes nothing about answers that are meant", function()
    local s = start()
    assert.equal('{"detail":"taken"}', page(s, "/abort").body)
    assert.equal(404, page(s, "/nowhere").status)
    assert.equal(503, page(s, "/timeout").status)
    assert.same({ id = "5" }, cjson.decode(page(s, "/fine?id=5").body))
    s:stop()
  end)

  it("says where the page of the API is", function()
    local s = start()
    s:wait_for_log("the API's page is at /docs")
    s:stop()
    s = start("--no-docs")
    assert.not_matches("/docs", s:log())
    s:stop()
  end)

  it("is needed for all of that", function()
    local s = server.start { app = app,
      files = { ["helper.lua"] = 'return { version = "one" }' } }
    assert.equal('{"detail":"Internal Server Error"}', page(s, "/boom/7").body)
    write(s, "helper.lua", "return { version = 'two' }")
    clock.sleep(0.3)
    assert.equal("one", http.get(s.port, "/version").body)
    s:stop()
  end)
end)

describe("a middleware that returns nothing", function()
  after_each(server.cleanup)

  local forgetful = [[
local barq = require "barq"
barq.use(function(req, next)
  local res = next(req)
  if req.path == "/empty" then return nil, 204 end
  if req.path ~= "/forgotten" then return res end
end)
barq.get("/{any}", function() return "fine" end)
]]
  local problem = "app.lua:2: the middleware returned nothing: `return next(req)` passes the " ..
    "answer on, `return nil, 204` is an answer without content"

  local function times_told(s)
    return select(2, s:log():gsub("the middleware returned nothing", ""))
  end

  it("is an error in development, which names it", function()
    local s = server.start { app = forgetful, args = { "--dev" } }
    local answer = http.get(s.port, "/forgotten")
    assert.equal(500, answer.status)
    assert.is_truthy(answer:json().error:find(problem, 1, true))
    assert.equal(204, http.get(s.port, "/empty").status)
    assert.equal("fine", http.get(s.port, "/x").body)
    assert.equal(1, times_told(s))
  end)

  it("is told once otherwise, and is a 204", function()
    local s = server.start { app = forgetful }
    for _ = 1, 3 do assert.equal(204, http.get(s.port, "/forgotten").status) end
    assert.equal(204, http.get(s.port, "/empty").status)
    assert.equal("fine", http.get(s.port, "/x").body)
    assert.is_truthy(s:log():find("warn  " .. problem, 1, true))
    assert.equal(1, times_told(s))
  end)
end)

describe("--dev and files elsewhere #threads", function()
  local elsewhere

  local function write(name, text)
    local file = assert(io.open(elsewhere .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  -- As most editors do it: another file in place of the old one.
  local function exchange(name, text)
    write("new", text)
    assert(os.rename(elsewhere .. "/new", elsewhere .. "/" .. name))
  end

  before_each(function()
    elsewhere = assert(stdlib.mkdtemp("/tmp/barq-e2e-XXXXXX"))
    for _, folder in ipairs { "/one", "/two", "/templates" } do
      assert(stat.mkdir(elsewhere .. folder))
    end
    assert(unistd.link("one", elsewhere .. "/current", true))
    write("outside.lua", "return 1")
    write("lazy.lua", "return 2")
    write("one/linked.lua", "return 3")
    write("two/linked.lua", "return 4")
    write("data.conf", "return 5")
    write("templates/page.html", "6")
    write("table.csv", "no source")
  end)

  after_each(function()
    server.cleanup()
    os.execute("rm -rf " .. elsewhere)
  end)

  local function start(fault, in_file)
    return server.start {
      app = (in_file and 'require "barq".config{ dev = true }\n' or "") .. [[
        local barq = require "barq"
        local elsewhere = os.getenv "ELSEWHERE"
        package.path = elsewhere .. "/?.lua;" .. elsewhere .. "/current/?.lua;" .. package.path
        local outside, data = require "outside", dofile(elsewhere .. "/data.conf")
        local linked = require "linked"
        local function read(name)
          local file = assert(io.open(elsewhere .. "/" .. name))
          local text = file:read "*a"
          file:close()
          return text
        end
        barq.get("/", function()
          read "table.csv"
          return table.concat({ outside, require "lazy", linked, data,
            read "templates/page.html" }, " ")
        end)
      ]],
      env = { ELSEWHERE = elsewhere, BARQ_FAULT = fault },
      args = { "--workers", in_file and "1" or "2", not in_file and "--dev" or nil },
    }
  end

  local function becomes(s, wanted)
    local body = clock.wait_until(10, function()
      local now = http.get(s.port, "/").body
      return now == wanted and now
    end)
    assert.equal(wanted, body or http.get(s.port, "/").body)
  end

  local function reloads(s)
    return select(2, s:log():gsub("SIGHUP: reloading", ""))
  end

  it("reloads when one that was loaded changes, however it does", function()
    local s = start()
    becomes(s, "1 2 3 5 6")
    exchange("outside.lua", "return 10")
    becomes(s, "10 2 3 5 6")
    write("lazy.lua", "return 20")
    becomes(s, "10 20 3 5 6")
    assert(unistd.link("two", elsewhere .. "/new", true))
    assert(os.rename(elsewhere .. "/new", elsewhere .. "/current"))
    becomes(s, "10 20 4 5 6")
    write("two/linked.lua", "return 40")
    becomes(s, "10 20 40 5 6")
    exchange("data.conf", "return 50")
    becomes(s, "10 20 40 50 6")
    local before = reloads(s)
    write("templates/page.html", "60")
    clock.wait_until(10, function() return reloads(s) > before end)
    assert.equal(before + 1, reloads(s))
  end)

  it("does so from the start where the application itself says dev", function()
    local s = start(nil, true)
    assert.equal("1 2 3 5 6", http.get(s.port, "/").body)
    write("outside.lua", "return 10")
    becomes(s, "10 2 3 5 6")
    write("data.conf", "return 50")
    becomes(s, "10 2 3 50 6")
  end)

  it("takes no notice of others", function()
    local s = start()
    becomes(s, "1 2 3 5 6")
    write("table.csv", "changed")
    write("other.lua", "return 1")
    clock.sleep(0.3)
    assert.equal(0, reloads(s))
  end)

  it("goes on where a folder has been replaced, or a file does not load", function()
    local s = start()
    becomes(s, "1 2 3 5 6")
    assert(os.rename(elsewhere .. "/one", elsewhere .. "/old"))
    clock.sleep(0.4)
    assert(stat.mkdir(elsewhere .. "/one"))
    write("one/linked.lua", "return 30")
    becomes(s, "1 2 30 5 6")
    write("outside.lua", "return {")
    s:wait_for_log("the old goes on")
    write("outside.lua", "return 10")
    becomes(s, "10 2 30 5 6")
  end)

  if binary:find("release", 1, true) then return end

  it("says so when no more can be watched", function()
    local s = start "watch:1+"
    s:wait_for_log('changes in "[^"]+" are not noticed, and perhaps in others: No space left on ' ..
      "device: .-raise fs.inotify.max_user_watches")
    becomes(s, "1 2 3 5 6")
    assert.equal(1, select(2, s:log():gsub("are not noticed", "")))
  end)
end)
