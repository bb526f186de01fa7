-- Limits and deadlines: each holds, from wherever it is set, and what is beyond it gets a
-- clear answer and harms nobody else. Values are small, so that a test takes no time; what is
-- asserted about time is that something happened before a generous bound.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local PATIENCE = 10

local app = [[
  local barq = require "barq"
  local calls = 0
  barq.get("/hi", function() return "hi" end)
  barq.get("/calls", function() return { calls = calls } end)
  barq.post("/echo", function(req)
    calls = calls + 1
    return barq.text(req.body)
  end)
  barq.post("/length", function(req) return { length = #req.body } end)
  barq.post("/small", { body_max = 4 }, function(req) return barq.text(req.body) end)
  barq.post("/large", { body_max = "64k" }, function(req) return { length = #req.body } end)
  local big = ("0123456789abcdef"):rep(16 * 65536)
  barq.get("/big", function() return big end)
  barq.get("/compute", function()
    local stop = barq.now() + 0.7
    while barq.now() < stop do end
    return "done"
  end)
]]

local function head(request_line, ...)
  return table.concat({ request_line .. " HTTP/1.1", "Host: localhost", ... }, "\r\n") ..
    "\r\n\r\n"
end

local hi = head "GET /hi"

local function fields(n)
  local list = {}
  for i = 1, n do list[i] = ("X-%d: y"):format(i) end
  return unpack(list)
end

local function sent(s, bytes)
  local connection = raw.connect(s.port)
  connection:send(bytes)
  return connection
end

-- The answer is a refusal, and the last.
local function expect_refusal(connection, status)
  local answer = http.read(connection, { timeout = PATIENCE })
  assert.equal(status, answer.status, answer.body)
  assert.equal("close", answer.headers.connection)
  assert.is_string(answer:json().detail)
  connection:expect_closed()
end

local function expect_served(s, bytes)
  local connection = sent(s, bytes)
  assert.equal(200, http.read(connection).status)
  connection:close()
end

-- Each option with a value, and what shows that it holds.
local probes = {
  { "request_line_max", "64", function(s)
    expect_served(s, head("GET /hi?" .. ("q"):rep(64 - #"GET /hi? HTTP/1.1")))
    expect_refusal(sent(s, head("GET /hi?" .. ("q"):rep(65 - #"GET /hi? HTTP/1.1"))), 414)
  end },
  { "head_max", "256", function(s)
    local filler = 256 - #head("GET /hi", "X: ")
    expect_served(s, head("GET /hi", "X: " .. ("y"):rep(filler)))
    expect_refusal(sent(s, head("GET /hi", "X: " .. ("y"):rep(filler + 1))), 431)
  end },
  { "fields_max", "3", function(s)
    expect_served(s, head("GET /hi", fields(2)))
    expect_refusal(sent(s, head("GET /hi", fields(3))), 431)
  end },
  { "body_max", "4", function(s)
    expect_served(s, head("POST /echo", "Content-Length: 4") .. "body")
    expect_refusal(sent(s, head("POST /echo", "Content-Length: 5")), 413)
  end },
  { "head_timeout", "100ms", function(s)
    expect_refusal(sent(s, "GET /hi HTTP/1.1\r\nHo"), 408)
  end },
  { "body_timeout", "100ms", function(s)
    expect_refusal(sent(s, head("POST /echo", "Content-Length: 4") .. "bod"), 408)
  end },
  { "keep_alive_timeout", "0.1", function(s)
    local connection = sent(s, hi)
    assert.equal("hi", http.read(connection).body)
    connection:expect_closed(PATIENCE)
    raw.connect(s.port):expect_closed(PATIENCE)
  end },
  { "write_timeout", "100ms", function(s)
    local connection = raw.connect(s.port, { receive_buffer = 4096 })
    connection:send(head "GET /big")
    clock.sleep(0.7)
    local bytes, why = connection:receive_all(PATIENCE)
    assert.not_equal("timeout", why)
    assert.is_true(#bytes < 16 * 1048576)
    assert.equal("hi", http.get(s.port, "/hi").body)
  end },
  { "requests_max", "2", function(s)
    local connection = sent(s, hi:rep(5))
    assert.is_nil(http.read(connection).headers.connection)
    assert.equal("close", http.read(connection).headers.connection)
    connection:expect_closed()
  end },
  { "connections_max", "2", function(s)
    local one, two, three = sent(s, hi), sent(s, hi), sent(s, hi)
    assert.equal("hi", http.read(one).body)
    assert.equal("hi", http.read(two).body)
    three:expect_silence(0.1)
    one:close()
    assert.equal("hi", http.read(three).body)
  end },
}

-- The options of server.start for a setting from each origin; the weaker ones say otherwise.
local origins = {
  ["barq.config"] = function(name, value)
    return { app = ("require('barq').config { %s = %q }\n"):format(name, value) .. app }
  end,
  ["the environment"] = function(name, value, other)
    return {
      app = ("require('barq').config { %s = %q }\n"):format(name, other) .. app,
      env = { ["BARQ_" .. name:upper()] = value },
    }
  end,
  ["the command line"] = function(name, value, other)
    return {
      app = ("require('barq').config { %s = %q }\n"):format(name, other) .. app,
      env = { ["BARQ_" .. name:upper()] = other },
      args = { ("--%s=%s"):format(name:gsub("_", "-"), value) },
    }
  end,
}

describe("a limit", function()
  after_each(server.cleanup)

  for _, probe in ipairs(probes) do
    local name, value, check = unpack(probe)
    for origin, options in pairs(origins) do
      it(("of %s holds when set by %s"):format(name, origin), function()
        -- Far from the value, and within the bounds of every option.
        check(server.start(options(name, value, "5000")))
      end)
    end
  end

  it("that is none stops the start, and says what would be one", function()
    local s = server.start { app = app, args = { "--body-max=lots" }, expect_failure = true }
    assert.equal(2, s.code)
    assert.truthy(s:log():find('"body_max" cannot be "lots"', 1, true), s:log())
    s = server.start { app = app, env = { BARQ_HEAD_TIMEOUT = "-1" }, expect_failure = true }
    assert.not_equal(0, s.code)
    assert.truthy(s:log():find("BARQ_HEAD_TIMEOUT", 1, true), s:log())
    s = server.start { app = "require('barq').config { fields_max = 0 }", expect_failure = true }
    assert.equal(1, s.code)
    assert.truthy(s:log():find("app.lua:1", 1, true), s:log())
  end)
end)

describe("a request that is too large", function()
  local s

  setup(function() s = server.start { app = app } end)
  teardown(server.cleanup)
  after_each(raw.close_all)

  -- Sends pieces until the server has answered; fails if it never does.
  local function expect_refusal_midway(connection, piece, pieces, status)
    for _ = 1, pieces do
      if not connection:send(piece) then break end
      local bytes, why = connection:receive(0.001)
      connection.buffered = bytes or ""
      if bytes or why ~= "timeout" then break end
    end
    expect_refusal(connection, status)
  end

  it("is refused by default", function()
    expect_refusal(sent(s, head("GET /" .. ("q"):rep(8192))), 414)
    expect_refusal(sent(s, head("GET /hi", "X: " .. ("y"):rep(16384))), 431)
    expect_refusal(sent(s, head("GET /hi", fields(100))), 431)
    expect_refusal(sent(s, head("POST /echo", "Content-Length: 1048577")), 413)
    expect_served(s, head("POST /length", "Content-Length: 1048576") .. ("x"):rep(1048576))
  end)

  it("is refused while its request line streams", function()
    expect_refusal_midway(sent(s, "GET /"), ("q"):rep(1000), 1000, 414)
  end)

  it("is refused while its fields stream", function()
    expect_refusal_midway(sent(s, "GET /hi HTTP/1.1\r\nX: "), ("y"):rep(1000), 1000, 431)
    expect_refusal_midway(sent(s, "GET /hi HTTP/1.1\r\n"), "X: y\r\n", 2000, 431)
  end)

  it("is refused while its trailers stream", function()
    local start = head("POST /echo", "Transfer-Encoding: chunked") .. "0\r\n"
    expect_refusal_midway(sent(s, start), ("X: %s\r\n"):format(("y"):rep(2000)), 1000, 431)
    expect_refusal_midway(sent(s, start), "X: y\r\n", 2000, 431)
  end)

  it("is refused while its chunks stream", function()
    local chunk = ("8000\r\n%s\r\n"):format(("x"):rep(32768))
    expect_refusal_midway(sent(s, head("POST /echo", "Transfer-Encoding: chunked")), chunk, 1000,
      413)
  end)

  it("is refused from its content-length, though the client sends on", function()
    local connection = sent(s, head("POST /echo", "Content-Length: 1000000000"))
    connection:send(("x"):rep(500000))
    expect_refusal(connection, 413)
  end)

  it("does not reach the handler", function()
    local before = http.get(s.port, "/calls"):json().calls
    expect_refusal(sent(s, head("POST /echo", "Content-Length: 1048577")), 413)
    expect_refusal_midway(sent(s, head("POST /echo", "Transfer-Encoding: chunked")),
      ("8000\r\n%s\r\n"):format(("x"):rep(32768)), 1000, 413)
    assert.equal(before, http.get(s.port, "/calls"):json().calls)
  end)

  it("is judged by its route", function()
    expect_served(s, head("POST /small", "Content-Length: 4") .. "body")
    expect_refusal(sent(s, head("POST /small", "Content-Length: 5")), 413)
    expect_refusal(sent(s, head("POST /small", "Transfer-Encoding: chunked") .. "5\r\nbodys"), 413)
    expect_refusal(sent(s, head("POST /large", "Content-Length: 65537")), 413)
    -- A route may allow more than the server.
    s = server.start { app = app, args = { "--body-max=10" } }
    expect_refusal(sent(s, head("POST /length", "Content-Length: 11")), 413)
    assert.same({ length = 65536 },
      http.request(s.port, "POST", "/large", { body = ("x"):rep(65536) }):json())
  end)
end)

describe("a deadline", function()
  after_each(server.cleanup)

  it("of the head is not put off by a client that drips", function()
    local s = server.start { app = app, args = { "--head-timeout=300ms" } }
    local connection, began = raw.connect(s.port), clock.now()
    local bytes
    for byte in head("POST /echo", "X: " .. ("y"):rep(1000)):gmatch(".") do
      connection:send(byte)
      bytes = connection:receive(0.02)
      if bytes then break end
    end
    assert.is_true(clock.now() - began < PATIENCE)
    connection.buffered = bytes
    expect_refusal(connection, 408)
    assert.same({ calls = 0 }, http.get(s.port, "/calls"):json())
  end)

  it("of the head holds for each request of a connection", function()
    local s = server.start { app = app, args = { "--head-timeout=200ms" } }
    local connection = sent(s, hi .. "GET /h")
    assert.equal("hi", http.read(connection).body)
    expect_refusal(connection, 408)
  end)

  it("of the body is put off by each piece", function()
    local s = server.start { app = app, args = { "--body-timeout=1s" } }
    local connection = sent(s, head("POST /echo", "Content-Length: 4"))
    for byte in ("abcd"):gmatch(".") do
      clock.sleep(0.4)
      connection:send(byte)
    end
    assert.equal("abcd", http.read(connection).body)
    connection:send(head("POST /echo", "Transfer-Encoding: chunked") .. "3\r\nab")
    expect_refusal(connection, 408)
    assert.same({ calls = 1 }, http.get(s.port, "/calls"):json())
  end)

  it("of a kept connection is not put off by empty lines", function()
    local s = server.start { app = app, args = { "--keep-alive-timeout=200ms" } }
    local connection = sent(s, hi .. "\r\n")
    assert.equal("hi", http.read(connection).body)
    connection:expect_closed(PATIENCE)
  end)

  it("of a kept connection begins again with each request", function()
    local s = server.start { app = app, args = { "--keep-alive-timeout=1s" } }
    local connection = raw.connect(s.port)
    for _ = 1, 4 do
      connection:send(hi)
      assert.equal("hi", http.read(connection).body)
      clock.sleep(0.4)
    end
    connection:expect_closed(PATIENCE)
  end)

  it("of a kept connection begins when the handler has computed, however long", function()
    local s = server.start { app = app, args = { "--keep-alive-timeout=500ms" } }
    local connection = raw.connect(s.port)
    connection:send(head "GET /compute")
    assert.equal("done", http.read(connection).body)
    clock.sleep(0.1)
    connection:send(hi)
    assert.equal("hi", http.read(connection).body)
    s:stop()
  end)

  it("does not hold for the handler, nor for those who wait behind it", function()
    local s = server.start {
      app = app .. [[
        barq.get("/sleeps", function() barq.sleep(0.5) return "slept" end)
        barq.get("/works", function()
          local began = barq.now()
          repeat until barq.now() - began > 0.5
          return "worked"
        end)
      ]],
      args = { "--head-timeout=50ms", "--body-timeout=50ms", "--keep-alive-timeout=50ms",
        "--write-timeout=50ms" },
    }
    local connection = sent(s, head("GET /sleeps"):rep(2) .. head("GET /works") .. hi)
    for _, body in ipairs { "slept", "slept", "worked", "hi" } do
      assert.equal(body, http.read(connection).body)
    end
    connection = sent(s, head "GET /works")
    clock.sleep(0.1)
    local other = sent(s, hi)
    assert.equal("hi", http.read(other).body)
    assert.equal("worked", http.read(connection).body)
  end)

  it("of writing is put off by a client that takes some", function()
    local s = server.start { app = app, args = { "--write-timeout=1s" } }
    local connection = raw.connect(s.port, { receive_buffer = 65536 })
    connection:send(head("GET /big"))
    local pieces, began = {}, clock.now()
    while clock.now() - began < 1.5 do
      -- More than the buffers of one pause hold back.
      for _ = 1, 4 do pieces[#pieces + 1] = assert(connection:receive()) end
      clock.sleep(0.05)
    end
    connection.buffered = table.concat(pieces)
    assert.equal(16 * 1048576, #http.read(connection).body)
  end)
end)

describe("accepting", function()
  after_each(server.cleanup)

  -- Connections, each with a request; the first ones get in.
  local function crowd(s, n)
    local waiting = {}
    for i = 1, n do waiting[i] = sent(s, hi) end
    s:wait_for_log("accepting pauses")
    return waiting
  end

  -- The first ones, which must be answered, get patience, the others a moment.
  local function take_answers(connections, sure)
    local answered, rest = {}, {}
    for i, connection in ipairs(connections) do
      local bytes = connection:receive(i <= sure and PATIENCE or 0.02)
      connection.buffered = bytes or ""
      if bytes then assert.equal("hi", http.read(connection).body) end
      table.insert(bytes and answered or rest, connection)
    end
    return answered, rest
  end

  local function expect_rest(s)
    local before = s:cpu_seconds()
    clock.sleep(0.5)
    assert.is_true(s:cpu_seconds() - before < 0.25)
  end

  it("pauses at connections_max, and goes on as connections end", function()
    local s = server.start { app = app, args = { "--connections-max=10" } }
    local answered, rest = take_answers(crowd(s, 25), 10)
    assert.same({ 10, 15 }, { #answered, #rest })
    s:wait_for_log("accepting pauses with 10 connections open: connections_max is reached")
    expect_rest(s)
    -- Those that are in are served meanwhile.
    answered[1]:send(hi)
    assert.equal("hi", http.read(answered[1]).body)
    while #rest > 0 do
      for _, connection in ipairs(answered) do connection:close() end
      answered, rest = take_answers(rest, 1)
      assert.is_true(#answered > 0 and #answered <= 10)
    end
  end)

  it("pauses when descriptors run out, and recovers", function()
    local s = server.start { app = app, descriptors = 40 }
    local answered, rest = take_answers(crowd(s, 60), 10)
    assert.is_true(#answered >= 10 and #answered < 40)
    s:wait_for_log("accepting pauses with %d+ connections open: out of descriptors")
    expect_rest(s)
    answered[1]:send(hi)
    assert.equal("hi", http.read(answered[1]).body)
    while #rest > 0 do
      for _, connection in ipairs(answered) do connection:close() end
      answered, rest = take_answers(rest, 1)
      assert.is_true(#answered > 0)
    end
    for _, connection in ipairs(answered) do connection:close() end
    assert.equal("hi", http.get(s.port, "/hi").body)
  end)

  it("pauses for each worker alone #threads", function()
    local s = server.start { app = app, args = { "--connections-max=4", "--workers=2" } }
    -- Which worker gets a connection is the kernel's choice; 8 at most are in, and with 64 of
    -- them more than one worker's.
    local waiting = crowd(s, 64)
    clock.sleep(0.2)
    local answered, rest = take_answers(waiting, 0)
    assert.is_true(#answered > 4 and #answered <= 8)
    assert.equal(64, #answered + #rest)
    raw.close_all()
    assert.equal("hi", http.get(s.port, "/hi").body)
  end)
end)
