-- Handlers that do not wait: computing, or blocked in a C library. Nobody else's request may.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

-- Blocked for so long that whatever is answered meanwhile was taken over, on any machine.
local LONG = 3

local app = [[
  local barq = require "barq"
  local ffi = require "ffi"
  ffi.cdef "int usleep(unsigned int);"
  local held = barq.shared("held")
  local seconds = tonumber(os.getenv("HOLD_SECONDS"))

  barq.get("/block", function(req)
    held:incr("begun")
    -- In pieces that usleep takes.
    for _ = 1, seconds * 10 do ffi.C.usleep(100000) end
    return { worker = barq.worker }
  end)
  barq.get("/spin", function()
    held:incr("begun")
    local till = barq.now() + seconds
    repeat until barq.now() > till
    return { worker = barq.worker }
  end)
  barq.get("/begun", function() return held:get("begun") or 0 end)
  barq.get("/who", function() return { worker = barq.worker } end)
  barq.post("/echo", function(req) return req.body end)
  barq.get("/sleep", function() barq.sleep(0.2) return { worker = barq.worker } end)
]]

describe("a handler that does not wait #threads", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local function serve(options)
    options.app = (options.before or "") .. (options.app or app)
    options.env = options.env or {}
    options.env.HOLD_SECONDS = tostring(options.hold or LONG)
    return server.start(options)
  end

  local function get(target)
    return "GET " .. target .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
  end

  -- A connection that is being served by some worker already.
  local function connect(s)
    local connection = raw.connect(s.port)
    connection:send(get("/who"))
    local answer = http.read(connection)
    assert.equal(200, answer.status)
    return connection
  end

  -- Sends the target on new connections, and waits until all the handlers have begun.
  local function hold(s, target, n)
    local connections = {}
    for i = 1, n do
      connections[i] = raw.connect(s.port)
      connections[i]:send(get(target))
    end
    local deadline = clock.now() + 20
    local watcher = raw.connect(s.port)
    repeat
      watcher:send(get("/begun"))
      local begun = tonumber(http.read(watcher).body)
      clock.sleep(0.01)
    until begun == n or clock.now() > deadline
    return connections
  end

  local function still_held(connection)
    local bytes = connection:receive(0.01)
    return bytes == nil
  end

  local function keeps_nobody_waiting(s, target, blockers)
    local others = {}
    for i = 1, 16 do others[i] = connect(s) end
    local held = hold(s, target, blockers)
    for _, connection in ipairs(others) do
      connection:send(get("/who"))
      assert.equal(200, http.read(connection).status)
    end
    assert.equal(200, http.get(s.port, "/who").status) -- a new connection
    for _, connection in ipairs(held) do assert.is_true(still_held(connection)) end
    for _, connection in ipairs(held) do
      assert.equal(200, http.read(connection, { timeout = 20 }).status)
    end
  end

  it("keeps nobody waiting while it computes", function()
    local s = serve { args = { "--workers", "2" } }
    keeps_nobody_waiting(s, "/spin", 1)
    s:wait_for_log("GET /spin %(app.lua:%d+%) held worker %d for %d+ ms without yielding")
    s:stop()
  end)

  it("keeps nobody waiting while it is blocked in C", function()
    local s = serve { args = { "--workers", "2" } }
    keeps_nobody_waiting(s, "/block", 1)
    s:wait_for_log("GET /block %(app.lua:%d+%) held worker %d for %d+ ms without yielding")
    s:stop()
  end)

  it("keeps nobody waiting when there are more of them than workers", function()
    local s = serve { args = { "--workers", "2", "--access-log" } }
    keeps_nobody_waiting(s, "/block", 8)
    s:wait_for_log("worker 2 starts, a standby one")
    s:stop()
    local _, blocked = s:output():gsub("GET /block", "")
    assert.equal(8, blocked)
  end)

  it("keeps nobody waiting behind a single worker", function()
    local s = serve { args = { "--workers", "1" } }
    keeps_nobody_waiting(s, "/block", 1)
    s:stop()
  end)

  it("keeps nobody waiting on UNIX sockets", function()
    local s = serve { args = { "--workers", "2", "--listen", "unix:socket", "--listen",
      "127.0.0.1:0" } }
    local others = {}
    local where = { path = s.directory .. "/socket" }
    for i = 1, 8 do
      others[i] = raw.connect(where)
      others[i]:send(get("/who"))
      http.read(others[i])
    end
    local blocker = raw.connect(where)
    blocker:send(get("/block"))
    others[#others + 1] = raw.connect(where)
    clock.sleep(0.1)
    for _, connection in ipairs(others) do
      connection:send(get("/who"))
      assert.equal(200, http.read(connection).status)
    end
    assert.is_true(still_held(blocker))
    s:stop()
  end)

  it("keeps nobody waiting on UNIX sockets when all workers are held", function()
    local s = serve { args = { "--workers", "1", "--listen", "unix:socket" } }
    local where = { path = s.directory .. "/socket" }
    local blocker = raw.connect(where)
    blocker:send(get("/block"))
    clock.sleep(0.1)
    for _ = 1, 3 do assert.equal(200, http.get(where, "/who").status) end
    assert.is_true(still_held(blocker))
    s:stop()
  end)

  -- Ten megabytes each way, which other workers go on with again and again.
  it("does not touch what is under way for long", function()
    local s = serve { hold = 0.1, args = { "--workers", "2", "--body-max", "16MB" }, app = app .. [[
      barq.get("/big", function() return ("0123456789"):rep(1000000) end)
      barq.post("/sum", function(req) return #req.body .. " " .. req.body:sub(-5) end)
    ]] }
    local upload, download = connect(s), connect(s)
    download:send(get("/big") .. get("/big"))
    upload:send("POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 10000005\r\n\r\n")
    local piece = ("x"):rep(500000)
    for i = 1, 20 do
      local blockers = { raw.connect(s.port), raw.connect(s.port) }
      for _, blocker in ipairs(blockers) do blocker:send(get("/block")) end
      clock.sleep(0.02)
      upload:send(piece)
      if i == 10 then
        assert.equal(("0123456789"):rep(1000000), http.read(download, { timeout = 20 }).body)
      end
      for _, blocker in ipairs(blockers) do assert.equal(200, http.read(blocker).status) end
    end
    upload:send("abcde" .. get("/who"))
    assert.equal("10000005 abcde", http.read(upload).body)
    assert.equal(200, http.read(upload).status)
    assert.equal(("0123456789"):rep(1000000), http.read(download, { timeout = 20 }).body)
    s:stop()
  end)

  it("does, where adoption is off", function()
    local s = serve { hold = 0.7, args = { "--workers", "1", "--no-adoption" } }
    local other = connect(s)
    local blocker = raw.connect(s.port)
    blocker:send(get("/block"))
    clock.sleep(0.2)
    other:send(get("/who"))
    assert.equal(200, http.read(blocker).status)
    assert.equal(200, http.read(other).status)
    assert.not_matches("held worker", s:log())
    s:stop()
  end)

  it("does, where no standby worker may start", function()
    local s = serve { hold = 0.7, args = { "--workers", "1", "--standby-workers", "0" } }
    local blocker = raw.connect(s.port)
    blocker:send(get("/block"))
    clock.sleep(0.2)
    assert.equal(200, http.get(s.port, "/who").status)
    assert.is_false(still_held(blocker))
    s:stop()
  end)

  it("takes nothing from a request that is suspended in its worker", function()
    local s = serve { args = { "--workers", "1" }, hold = 1 }
    local sleeper = connect(s)
    sleeper:send(get("/sleep") .. get("/who"))
    clock.sleep(0.05)
    local blocker = raw.connect(s.port)
    blocker:send(get("/block"))
    local slept = http.read(sleeper)
    assert.equal('{"worker":0}', slept.body)
    assert.equal(200, http.read(sleeper).status)
    assert.equal(200, http.read(blocker).status)
    s:stop()
  end)

  it("does not touch what has been sent in part", function()
    local s = serve { args = { "--workers", "1" } }
    local head, body, chunked = connect(s), connect(s), connect(s)
    head:send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Le")
    body:send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
    chunked:send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    clock.sleep(0.1)
    local blocker = hold(s, "/block", 1)[1]
    head:send("ngth: 4\r\n\r\nhead" .. get("/who"))
    body:send("56789" .. get("/who"))
    chunked:send("cde\r\n0\r\n\r\n" .. get("/who"))
    assert.equal("head", http.read(head).body)
    assert.equal("0123456789", http.read(body).body)
    assert.equal("abcde", http.read(chunked).body)
    for _, connection in ipairs { head, body, chunked } do
      assert.not_equal('{"worker":0}', http.read(connection).body)
    end
    assert.is_true(still_held(blocker))
    s:stop()
  end)

  it("keeps a pipeline in order", function()
    local s = serve { args = { "--workers", "1" } }
    local piped = connect(s)
    local blocker = hold(s, "/block", 1)[1]
    local requests = {}
    for i = 1, 300 do
      requests[i] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " .. #tostring(i) ..
        "\r\n\r\n" .. i
    end
    piped:send(table.concat(requests))
    for i = 1, 300 do assert.equal(tostring(i), http.read(piped).body) end
    assert.is_true(still_held(blocker))
    s:stop()
  end)

  it("leaves the worker as it was when it is over", function()
    local s = serve { args = { "--workers", "1" }, hold = 0.3 }
    for _ = 1, 3 do
      local blocker = raw.connect(s.port)
      blocker:send(get("/block"))
      clock.sleep(0.1)
      assert.equal(200, http.get(s.port, "/who").status)
      assert.equal(200, http.read(blocker).status)
    end
    assert.equal('{"worker":0}', http.get(s.port, "/who").body)
    s:stop()
  end)
end)
