-- SIGHUP: new code without a lost request.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local binary = os.getenv("BARQ_SERVER") or "build/release/barq-server"
local soak_client = os.getenv("BARQ_SOAK_CLIENT") or "build/dev/soak-client"
local sanitized = binary:find("/dev/", 1, true) or binary:find("/tsan/", 1, true)

local app = [[
  local barq = require "barq"
  local version = require "version"
  local store = barq.shared("store")
  local thing = barq.depends {
    scope = "worker",
    open = function() barq.log.info("opens %s in %d", version, barq.worker) return version end,
    close = function(v) barq.log.info("closes %s in %d", v, barq.worker) end,
  }
  barq.on("start", function() barq.log.info("start hook of %s", version) end)
  barq.on("worker", function() barq.log.info("worker hook of %s in %d", version, barq.worker) end)
  barq.on("drain", function() barq.log.info("drain hook of %s in %d", version, barq.worker) end)
  barq.every(0.02, function() store:incr("ticks of " .. version) end)
  barq.get("/version", { depends = { thing = thing } }, function(_, deps)
    return { version = version, thing = deps.thing }
  end)
  barq.get("/slow", { depends = { thing = thing } }, function(_, deps)
    store:incr("slow")
    barq.sleep(0.5)
    return { version = version, thing = deps.thing }
  end)
  barq.get("/begun", function() return store:get("slow") or 0 end)
  barq.get("/ticks/{version}", function(req)
    return store:get("ticks of " .. req.params.version) or 0
  end)
  barq.post("/body", function(req) return version .. " " .. req.body end)
  barq.get("/offload", function() return barq.offload("version_there", "get") end)
]]

describe("a reload #threads", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local function write(s, name, text)
    local file = assert(io.open(s.directory .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  local function set_version(s, version)
    write(s, "version.lua", ("return %q\n"):format(version))
  end

  local function start(...)
    return server.start {
      app = app,
      files = {
        ["version.lua"] = 'return "one"',
        ["version_there.lua"] = 'return { get = function() return require "version" end }',
      },
      args = { "--workers", "2", ... },
    }
  end

  local function reload(s)
    s:signal("HUP")
    s:wait_for_log("reloaded: %d+ workers? got the new code")
  end

  local function version_on(connection)
    connection:send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
    return http.read(connection):json()
  end

  it("brings the new code to connections that stay", function()
    local s = start()
    local kept = {}
    for i = 1, 20 do
      kept[i] = raw.connect(s.port)
      assert.same({ version = "one", thing = "one" }, version_on(kept[i]))
    end
    set_version(s, "two")
    reload(s)
    for _, connection in ipairs(kept) do
      assert.same({ version = "two", thing = "two" }, version_on(connection))
    end
    s:wait_for_log("closes one in 0")
    s:wait_for_log("closes one in 1")
    s:stop()
    assert.matches("start hook of one", s:log())
    assert.not_matches("start hook of two", s:log())
    assert.matches("worker hook of two in 0", s:log())
    assert.matches("drain hook of one in 1", s:log())
    assert.matches("closes two in 0", s:log())
  end)

  it("says which settings wait for a new start, and takes no wrong ones", function()
    local s = server.start {
      app = [[require("barq").config { body_max = "1MiB", drain_timeout = 5, port = 1 }]],
    }
    reload(s)
    assert.not_matches("next start", s:log())
    write(s, "app.lua", [[require("barq").config { body_max = "2MiB", fields_max = 50, port = 2 }]])
    s:signal("HUP")
    s:wait_for_log("barq.config has another drain_timeout, fields_max, body_max now: that holds " ..
      "from the next start on")
    s:wait_for_log("reloaded.-reloaded")
    write(s, "app.lua", [[require("barq").config { body_max = "a lot" }]])
    s:signal("HUP")
    s:wait_for_log('app.lua:1: option "body_max" cannot be "a lot": .-the old goes on')
    s:stop()
  end)

  it("lets requests in flight finish in the old code", function()
    local s = start()
    local slow = {}
    for i = 1, 6 do
      slow[i] = raw.connect(s.port)
      slow[i]:send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n")
    end
    local deadline = clock.now() + 10
    repeat clock.sleep(0.01)
    until http.get(s.port, "/begun").body == "6" or clock.now() > deadline
    set_version(s, "two")
    reload(s)
    assert.not_matches("closes one", s:log())
    for _, connection in ipairs(slow) do
      assert.same({ version = "one", thing = "one" }, http.read(connection):json())
      assert.same({ version = "two", thing = "two" }, http.read(connection):json())
    end
    s:wait_for_log("closes one")
    s:stop()
  end)

  it("gives half a request to the new code, once it is whole", function()
    local s = start()
    local head, body = raw.connect(s.port), raw.connect(s.port)
    head:send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Le")
    body:send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
    clock.sleep(0.1)
    set_version(s, "two")
    reload(s)
    head:send("ngth: 4\r\n\r\nhead")
    body:send("56789")
    assert.equal("two head", http.read(head).body)
    assert.equal("two 0123456789", http.read(body).body)
    s:stop()
  end)

  it("serves on while new code loops as it loads, and ends when it is told to", function()
    local s = start("--drain-timeout", "0.5s")
    write(s, "version.lua", "while true do end")
    s:signal("HUP")
    s:wait_for_log("SIGHUP: reloading")
    clock.sleep(0.2)
    assert.same({ version = "one", thing = "one" }, http.get(s.port, "/version"):json())
    s:signal("HUP")
    local before = clock.now()
    s:stop()
    assert.is_true(clock.now() - before < 5)
    assert.matches("reload: given up", s:log())
    assert.matches("code that did not come to its end while it was reloaded is cut off", s:log())
  end)

  it("ends when it is told to while new code is just being loaded", function()
    local s = start()
    write(s, "version.lua", "local ffi = require 'ffi' ffi.cdef 'int usleep(unsigned);' " ..
      "ffi.C.usleep(600000) return 'two'")
    s:signal("HUP")
    s:wait_for_log("SIGHUP: reloading")
    s:stop()
    assert.matches("reload: given up", s:log())
    assert.not_matches("cut off", s:log())
  end)

  it("ends when it is told to while a worker hook of new code waits", function()
    local s = start("--drain-timeout", "0.5s")
    write(s, "version.lua",
      "require('barq').on('worker', function() require('barq').sleep(20) end) return 'two'")
    s:signal("HUP")
    s:wait_for_log("SIGHUP: reloading")
    clock.sleep(0.2)
    local before = clock.now()
    s:stop()
    assert.is_true(clock.now() - before < 5)
    assert.matches("reload: given up", s:log())
  end)

  it("ends the old code's timers, and renews the threads of barq.offload", function()
    local s = start()
    assert.equal("one", http.get(s.port, "/offload").body)
    set_version(s, "two")
    reload(s)
    assert.equal("two", http.get(s.port, "/offload").body)
    clock.sleep(0.1)
    local before = http.get(s.port, "/ticks/one").body
    clock.sleep(0.2)
    assert.equal(before, http.get(s.port, "/ticks/one").body)
    assert.not_equal("0", http.get(s.port, "/ticks/two").body)
    s:stop()
  end)

  for what, broken in pairs {
    ["a syntax error"] = "return +",
    ["an error"] = "error('not today')",
    ["a mistake in a route"] = 'require("barq").get("no slash", print) return "x"',
    ["a worker hook that fails"] =
      'require("barq").on("worker", function() error("no hook") end) return "x"',
  } do
    it("keeps the old code where the new one has " .. what, function()
      local s = start()
      write(s, "version.lua", broken)
      s:signal("HUP")
      s:wait_for_log("reload: .-the old goes on")
      assert.same({ version = "one", thing = "one" }, http.get(s.port, "/version"):json())
      set_version(s, "three")
      clock.sleep(0.1)
      reload(s)
      assert.same({ version = "three", thing = "three" }, http.get(s.port, "/version"):json())
      s:stop()
    end)
  end

  it("reaches workers inside Lua when they come back, and standby workers", function()
    local s = server.start { app = app .. [[
      local ffi = require "ffi"
      ffi.cdef "int usleep(unsigned int);"
      barq.get("/block", function() ffi.C.usleep(700 * 1000) return version end)
    ]], files = { ["version.lua"] = 'return "one"' }, args = { "--workers", "1" } }
    local blocked = raw.connect(s.port)
    blocked:send("GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
    clock.sleep(0.1)
    local kept = raw.connect(s.port)
    assert.equal("one", version_on(kept).version) -- by a standby worker
    set_version(s, "two")
    reload(s)
    assert.equal("one", http.read(blocked).body)
    assert.equal("two", version_on(kept).version)
    assert.equal("two", version_on(blocked).version)
    s:stop()
  end)

  it("may be in the middle when the server ends", function()
    for _ = 1, 5 do
      local s = start()
      s:signal("HUP")
      clock.sleep(math.random() * 0.05)
      s:stop()
    end
  end)

  it("happens a hundred times under load, and no request fails #soak", function()
    local s = server.start { app = [[
      local barq = require "barq"
      barq.get("/echo/{id}", function(req) return req.params.id end)
      barq.post("/len/{id}", function(req) return req.params.id .. " " .. #req.body end)
      barq.get("/sleep/{id}", function(req) barq.sleep(0.002) return req.params.id end)
      barq.get("/big/{id}", function(req) return req.params.id .. ("x"):rep(50000) end)
      barq.get("/abort/{id}", function() barq.abort(409, "soak") end)
    ]], args = { "--workers", "2", "--standby-workers", "0" } }
    local function reloads()
      return select(2, s:log():gsub("reloaded: 2 workers", ""))
    end
    local function reload_once()
      local wanted, deadline = reloads() + 1, clock.now() + 20
      repeat -- the last one may not have come to its end
        s:signal("HUP")
        clock.sleep(0.02)
      until reloads() >= wanted or clock.now() > deadline
    end
    local function load_with_reloads(n)
      local requests = n * (sanitized and 1000 or 2500)
      local pipe = assert(io.popen(("%s %d 200 %d %d 2>&1; echo exit $?"):format(soak_client,
        s.port, requests, n)))
      for _ = 1, n do reload_once() end
      local text = pipe:read("*a")
      pipe:close()
      assert.matches(" 0 lost, 0 wrong\nexit 0\n", text, 1, true)
    end
    local all = sanitized and 20 or 100
    for _ = 1, 3 do load_with_reloads(all / 10) end -- the pools of spare parts fill up
    local before = s:resident_bytes()
    load_with_reloads(all * 7 / 10)
    local grown = s:resident_bytes() - before
    -- One application that stayed for each reload would be a hundred MiB; buffers are bounded.
    if not sanitized then
      assert.is_true(grown < 20 * 1024 * 1024, ("grew by %d bytes"):format(grown))
    end
    assert.is_true(reloads() >= all)
    s:stop()
  end)
end)
