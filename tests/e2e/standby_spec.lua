-- Standby workers: they start when all others are held, serve like any other, and end.
local clock = require "support.clock"
local dirent = require "posix.dirent"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  local ffi = require "ffi"
  ffi.cdef "int usleep(unsigned int);"

  barq.get("/block", function(req)
    for _ = 1, tonumber(os.getenv("HOLD_SECONDS")) * 20 do ffi.C.usleep(50000) end
    return { worker = barq.worker }
  end)
  barq.get("/who", function() return { worker = barq.worker } end)
]]

describe("a standby worker #threads", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local function start(source, ...)
    return server.start { app = source, args = { "--workers", "1", ... },
      env = { HOLD_SECONDS = "0.5" } }
  end

  local function get(target)
    return "GET " .. target .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
  end

  local function threads(s)
    local n = 0
    for name in dirent.files(("/proc/%d/task"):format(s.pid)) do
      if name:match("^%d+$") then n = n + 1 end
    end
    return n
  end

  local function block(s, seconds)
    local blocker = raw.connect(s.port)
    blocker:send(get("/block"))
    clock.sleep(seconds or 0.1)
    return blocker
  end

  it("ends when nobody needs it, and its connections live on", function()
    local s = start(app, "--standby-timeout", "500ms")
    local blocker = block(s)
    local before = threads(s)
    local kept = raw.connect(s.port)
    kept:send(get("/who"))
    assert.equal('{"worker":1}', http.read(kept).body)
    assert.equal(200, http.read(blocker).status)
    assert.is_true(threads(s) > before)
    local deadline = clock.now() + 20
    repeat clock.sleep(0.02) until threads(s) == before or clock.now() > deadline
    assert.equal(before, threads(s))
    kept:send(get("/who"))
    assert.equal('{"worker":0}', http.read(kept).body)

    blocker = block(s) -- and another one can start
    kept:send(get("/who"))
    assert.equal('{"worker":1}', http.read(kept).body)
    assert.equal(200, http.read(blocker).status)
    s:stop()
  end)

  it("opens and closes dependencies and runs hooks as any worker", function()
    local s = start(app .. [[
      barq.on("worker", function() barq.log.info("begins %d", barq.worker) end)
      barq.on("drain", function() barq.log.info("drains %d", barq.worker) end)
      local thing = barq.depends {
        scope = "worker",
        open = function() barq.log.info("opens in %d", barq.worker) return { n = barq.worker } end,
        close = function(v) barq.log.info("closes in %d", v.n) end,
      }
      barq.get("/thing", { depends = { thing = thing } }, function(_, deps) return deps.thing end)
      barq.every(0.05, function() barq.shared("ticks"):incr("of " .. barq.worker) end)
    ]], "--standby-timeout", "500ms")
    local blocker = block(s)
    assert.equal('{"n":1}', http.get(s.port, "/thing").body)
    assert.equal(200, http.read(blocker).status)
    s:wait_for_log("begins 1.-opens in 1.-drains 1.-closes in 1")
    s:stop()
  end)

  it("that still has a request ends when that has", function()
    local s = start(app .. [[
      barq.get("/slow", function() barq.sleep(2) return { worker = barq.worker } end)
    ]], "--standby-timeout", "200ms")
    local blocker = block(s)
    local slow = raw.connect(s.port)
    slow:send(get("/slow"))
    assert.equal(200, http.read(blocker).status)
    assert.equal('{"worker":1}', http.read(slow, { timeout = 20 }).body)
    s:stop()
  end)

  it("that cannot start harms nobody", function()
    local s = start(app .. [[
      barq.on("worker", function() if barq.worker > 0 then error("no standby here") end end)
    ]])
    local blocker = block(s)
    assert.equal(200, http.get(s.port, "/who").status)
    assert.equal(200, http.read(blocker).status)
    assert.matches("no standby here", s:log())
    assert.matches("worker 1, a standby one, did not start", s:log())
    s:stop()
  end)

  for _, at in ipairs { "it starts", "it serves", "it parks" } do
    it("does not keep the server from ending while " .. at, function()
      local s = start(app .. 'barq.on("worker", function() barq.sleep(0.05) end)',
        "--standby-timeout", "100ms")
      local blocker = raw.connect(s.port)
      blocker:send(get("/block"))
      local other = raw.connect(s.port)
      clock.sleep(at == "it starts" and 0.03 or 0.2)
      other:send(get("/who"))
      if at ~= "it starts" then assert.equal(200, http.read(other).status) end
      if at == "it parks" then
        assert.equal(200, http.read(blocker).status)
        clock.sleep(0.1)
      end
      s:stop()
    end)
  end

  it("that is being replaced by a broken file harms nobody", function()
    local s = start(app)
    local file = assert(io.open(s.directory .. "/app.lua", "w"))
    file:write("this is no Lua")
    file:close()
    local blocker = block(s)
    local other = http.get(s.port, "/who")
    assert.equal('{"worker":0}', other.body)
    assert.equal(200, http.read(blocker).status)
    assert.matches("app.lua:1: ", s:log(), 1, true)
    assert.matches("worker 1, a standby one, did not start", s:log(), 1, true)
    s:stop()
  end)

  -- Whatever its hook has begun is over when its memory goes.
  it("that cannot start leaves nothing behind", function()
    local s = server.start { args = { "--workers", "1" }, env = { HOLD_SECONDS = "0.5" },
      files = { ["aside.lua"] = [[
        local ffi = require "ffi"
        ffi.cdef "int usleep(unsigned int);"
        return { nap = function() ffi.C.usleep(300000) return "x" end }
      ]] }, app = app .. [[
      local thing = barq.depends { scope = "worker",
        open = function() return barq.sqlite.open("x.db") end,
        close = function(db) db:close() end }
      barq.on("worker", function()
        if barq.worker == 0 then return end
        barq.every(0.01, function() end)
        barq.after(0.2, function() end)
        for _ = 1, 3 do
          barq.spawn(function() barq.offload("aside", "nap") end)
          barq.spawn(function()
            barq.with({ db = thing }, function(deps)
              deps.db:query("with recursive n(i) as (select 1 union all select i + 1 from n " ..
                "where i < 1000000) select max(i) from n")
            end)
          end)
          barq.spawn(function() barq.shared("once"):get_or("x", function() barq.sleep(0.3) end) end)
        end
        barq.sleep(0.01)
        error("no standby here")
      end)
    ]] }
    local blocker = block(s)
    assert.equal(200, http.get(s.port, "/who").status) -- who waits makes one start
    assert.equal(200, http.read(blocker).status)
    s:wait_for_log("worker 1, a standby one, did not start")
    for _ = 1, 20 do
      assert.equal(200, http.get(s.port, "/who").status)
      clock.sleep(0.02)
    end
    s:stop()
  end)

  -- What is held, and what ends, does so until the test says otherwise, however long that takes.
  it("that takes long to end is not counted on", function()
    local s = start(app .. [[
      local function is_there(name)
        local file = io.open(name)
        if file then file:close() end
        return file ~= nil
      end
      local function write(name) io.open(name, "w"):close() end
      barq.get("/hold/{turn}", function(req)
        write("held-" .. req.params.turn)
        for _ = 1, 4000 do
          if is_there("free-" .. req.params.turn) then return "free" end
          ffi.C.usleep(5000)
        end
      end)
      barq.on("drain", function()
        barq.log.info("drains %d", barq.worker)
        for _ = 1, 1000 do
          if barq.worker == 0 or is_there "end" then return end
          barq.sleep(0.02)
        end
      end)
    ]], "--standby-timeout", "100ms")

    local function hold(turn)
      local holder = raw.connect(s.port)
      holder:send(get("/hold/" .. turn))
      local path = s.directory .. "/held-" .. turn
      assert(clock.wait_until(20, function() return io.open(path) end)):close()
      return function()
        assert(io.open(s.directory .. "/free-" .. turn, "w")):close()
        assert.equal(200, http.read(holder).status)
      end
    end

    local free = hold "one"
    assert.equal('{"worker":1}', http.get(s.port, "/who").body)
    free()
    s:wait_for_log("drains 1", 20)
    free = hold "two"
    -- Mostly 2; on a slow machine a third one may have been started meanwhile.
    local worker = http.get(s.port, "/who"):json().worker
    assert(worker >= 2, "worker " .. worker)
    free()
    assert(io.open(s.directory .. "/end", "w")):close()
    s:stop()
  end)

  it("waits, asks and is timed as any worker", function()
    local s = start(app .. [[
      local thing = barq.depends { scope = "worker",
        open = function() return barq.sqlite.open("x.db") end,
        close = function(db) db:close() end }
      barq.get("/all", { depends = { db = thing } }, function(_, deps)
        local a, b = barq.all(function() barq.sleep(0.01) return 1 end,
          function() return deps.db:one("select 2 as n").n end)
        local ok = pcall(barq.with_timeout, 0.02, function() barq.sleep(10) end)
        return { worker = barq.worker, sum = a + b, timed_out = not ok }
      end)
      barq.get("/gone", function() barq.sleep(10) end)
    ]], "--standby-timeout", "200ms")
    local blocker = block(s)
    local gone = raw.connect(s.port)
    gone:send(get("/gone"))
    assert.same({ worker = 1, sum = 3, timed_out = true }, http.get(s.port, "/all"):json())
    gone:close()
    local before = threads(s)
    assert.equal(200, http.read(blocker).status)
    assert.is_true(clock.wait_until(20, function() return threads(s) < before end))
    s:stop()
  end)

  it("comes and goes while new code comes, and nobody waits for it in vain", function()
    local s = server.start { app = app, args = { "--workers", "1", "--standby-timeout", "20ms" },
      env = { HOLD_SECONDS = "0.05" } }
    local kept = raw.connect(s.port)
    local reloads = 0
    for i = 1, 25 do
      local blockers = { block(s, 0.005), block(s, 0.005) }
      if i % 2 == 0 then s:signal("HUP") end
      kept:send(get("/who"))
      assert.equal(200, http.read(kept).status)
      for _, blocker in ipairs(blockers) do assert.equal(200, http.read(blocker).status) end
      clock.sleep(0.01 * (i % 7))
    end
    s:wait_for_log("reloaded: ")
    for _ in s:log():gmatch("reloaded: ") do reloads = reloads + 1 end
    assert.is_true(reloads > 1)
    assert.not_matches("take longer than", s:log(), 1, true)
    s:stop()
  end)

  it("leaves no descriptor and no thread behind", function()
    local s = server.start { app = app, args = { "--workers", "1", "--standby-timeout", "10ms" },
      env = { HOLD_SECONDS = "0.05" } }
    local function descriptors()
      local n = 0
      for _ in dirent.files(("/proc/%d/fd"):format(s.pid)) do n = n + 1 end
      return n
    end
    local function is_quiet(before)
      return clock.wait_until(20, function() return threads(s) <= before end)
    end
    local before, first = threads(s), nil
    for i = 1, 12 do
      local blockers = { block(s, 0.01), block(s, 0.01) }
      for _, blocker in ipairs(blockers) do
        assert.equal(200, http.read(blocker).status)
        blocker:close()
      end
      assert.is_true(is_quiet(before))
      clock.sleep(0.05) -- what the clients have closed is closed here, too
      if i == 2 then first = descriptors() end
    end
    assert.equal(first, descriptors())
    assert.matches("worker 1 starts, a standby one.-worker 1 starts, a standby one", s:log())
    s:stop()
  end)
end)
