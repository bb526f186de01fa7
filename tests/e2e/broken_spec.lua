-- Handlers that go wrong in ways that only a whole server shows: they harm no other request.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  local sleeper
  barq.get("/hi", function() return "hi" end)
  barq.get("/recursion", function()
    local function again(s) return (s:gsub(".", again)) end
    return again("x")
  end)
  local pass = function(req, next) return next(req) end
  barq.get("/nameless", { middleware = pass }, function()
    error(setmetatable({}, { __tostring = function() error("no name") end }))
  end)
  barq.get("/sleeps", function(req)
    sleeper = coroutine.running()
    barq.sleep(0.3)
    return req.path
  end)
  barq.get("/resumes", function() return tostring(coroutine.resume(sleeper)) end)
  barq.on("stop", function() barq.sleep(0.2) end)
]]

describe("a broken handler", function()
  local s

  local function start(...) s = server.start { app = app, args = { ... } } end

  after_each(server.cleanup)
  after_each(raw.close_all)

  local function begin(target)
    local connection = raw.connect(s.port)
    connection:send("GET " .. target .. " HTTP/1.1\r\nHost: localhost\r\n\r\n")
    clock.sleep(0.1)
    return connection
  end

  it("that recurses through string.gsub is a 500", function()
    start()
    assert.equal(500, http.get(s.port, "/recursion").status)
    assert.equal("hi", http.get(s.port, "/hi").body)
    assert.truthy(s:log():find("stack overflow", 1, true))
    s:stop()
  end)

  it("that raises below a middleware what cannot be shown is named in the log", function()
    start()
    assert.equal(500, http.get(s.port, "/nameless").status)
    assert.truthy(s:log():find("error GET /nameless %(app.lua:%d+%): .*__tostring fails"))
    s:stop()
  end)

  it("that resumes another's coroutine is told that it cannot", function()
    start()
    local connection = begin "/sleeps"
    assert.equal("false", http.get(s.port, "/resumes").body)
    assert.equal("/sleeps", http.read(connection).body)
    assert.equal("hi", http.get(s.port, "/hi").body)
    s:stop()
  end)

  it("that still sleeps after the drain timeout does not wake up in the stop hook", function()
    start("--drain-timeout=0.1")
    begin "/sleeps"
    s:stop()
    assert.truthy(s:log():find("1 request was cut", 1, true))
  end)
end)
