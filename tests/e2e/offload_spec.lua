-- barq.offload: functions on threads of their own.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local work = [[
  local barq = require "barq"
  local work = {}
  function work.echo(...) return ... end
  function work.fail(kind)
    if kind == "table" then error({ code = 7, nested = { 1, 2 } }) end
    if kind == "function" then error(print) end
    error("broken")
  end
  function work.bad() return 1, { callback = print } end
  function work.count() return barq.shared("calls"):incr("n") end
  function work.marks() return barq.null, barq.array {}, barq.object {} end
  function work.rows()
    local db = barq.sqlite.open(":memory:")
    local rows = db:query("select 1 as n union all select 2")
    db:close()
    return rows
  end
  function work.route() barq.get("/", print) end
  function work.eat() local t = {} while true do t[#t + 1] = ("x"):rep(9999) .. #t end end
  function work.spin(seconds)
    local till = os.clock() + seconds
    repeat until os.clock() > till
    return seconds
  end
  function work.forever() while true do end end
  function work.endless() while true do pcall(function() seen = { seen and 1 } end) end end
  function work.once(key) return barq.shared("s"):get_or(key, function() return "new" end) end
  local Point = barq.schema("Point", { x = barq.t.integer, y = barq.t.integer { default = 2 } })
  function work.check(value)
    local point, problems = Point:check(value)
    return point, problems, point and Point:encode(point)
  end
  function work.log(text) barq.log.warn("%s", text) return barq.now() > 1e9 end
  return work
]]

local app = [[
  local barq = require "barq"
  barq.config { lua_memory_max = "64MiB" }
  local offload = barq.offload

  barq.get("/echo", function()
    local a, b, c, d = offload("work", "echo", nil, 1.5, nil, { x = { true, "\0\255" } })
    return { a = a == nil, b = b, c = c == nil, yes = d.x[1], bytes = d.x[2] == "\0\255",
      none = select("#", offload("work", "echo")),
      nils = select("#", offload("work", "echo", nil, nil)) }
  end)
  barq.get("/caught/{name}", function(req)
    local ok, err = pcall(offload, req.query.module or "work", req.params.name, req.query.argument)
    return { ok = ok, err = type(err) == "table" and err or tostring(err) }
  end)
  barq.get("/raised", function() offload("work", "fail") end)
  barq.get("/argument", function() offload("work", "echo", 1, { callback = print }) end)
  barq.get("/name", function() offload("work", 5) end)
  barq.get("/marks", function()
    local null, array, object = offload("work", "marks")
    return { null = null, array = array, object = object }
  end)
  barq.get("/rows", function() return (offload("work", "rows")) end)
  barq.get("/count", function()
    return { there = offload("work", "count"), here = barq.shared("calls"):get("n") }
  end)
  barq.get("/both", function()
    local a, b = barq.all(
      function() return offload("work", "spin", 0.1) end,
      function() return offload("work", "spin", 0.2) end)
    return { a, b }
  end)
  barq.get("/spin", function() return { offload("work", "spin", 1) } end)
  barq.get("/timeout", function()
    local ok, err = pcall(barq.with_timeout, 0.05, function() offload("work", "spin", 0.3) end)
    return { ok = ok, timeout = getmetatable(err) == barq.Timeout,
      after = offload("work", "echo", 1) }
  end)
  barq.get("/deadline", { timeout = 0.05 }, function() offload("work", "spin", 0.3) end)
  barq.get("/forever", function() offload("work", "forever") end)
  barq.get("/ended", function()
    for _ = 1, 4 do pcall(barq.with_timeout, 0.05, offload, "work", "endless") end
    return { offload("work", "echo", 1) }
  end)
  barq.get("/gone", function() offload("work", "endless") end)
  barq.get("/once", function()
    return { (offload("work", "once", "k")), (offload("work", "once", "k")) }
  end)
  barq.get("/check", function()
    local point, _, text = offload("work", "check", { x = 1 })
    local none, problems = offload("work", "check", { x = "1" })
    return { point = point, text = text, none = none == nil, problem = problems[1].loc,
      logged = offload("work", "log", "from there") }
  end)
  barq.get("/quick", function() return "quick" end)
]]

describe("barq.offload #threads", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local function start(...)
    return server.start { app = app, files = { ["work.lua"] = work },
      args = { "--offload-threads", "2", ... } }
  end

  it("copies arguments and results", function()
    local s = start()
    assert.same({ a = true, b = 1.5, c = true, yes = true, bytes = true, none = 0, nils = 2 },
      http.get(s.port, "/echo"):json())
    assert.equal('{"null":null,"array":[],"object":{}}',
      (http.get(s.port, "/marks").body:gsub('^{(.-)}$', function(fields)
        local sorted = {}
        for name, value in fields:gmatch('("%a+"):([^,]+)') do sorted[name] = value end
        return ('{"null":%s,"array":%s,"object":%s}'):format(sorted['"null"'], sorted['"array"'],
          sorted['"object"'])
      end)))
    s:stop()
  end)

  it("raises here what was raised there", function()
    local s = start()
    local function caught(target) return http.get(s.port, "/caught/" .. target):json() end
    assert.matches("work.lua:%d+: broken$", caught("fail").err)
    assert.same({ code = 7, nested = { 1, 2 } }, caught("fail?argument=table").err)
    assert.matches("^function: ", caught("fail?argument=function").err)
    assert.equal("not enough memory", caught("eat").err)
    assert.equal("work.bad returns what cannot be passed on: " ..
      "[2].callback: a function cannot be stored; pass booleans, numbers, strings, barq.null " ..
      "and tables of these", caught("bad").err)
    assert.equal('the module "work" has no function "nope"', caught("nope").err)
    assert.matches("^module 'nope' not found", caught("x?module=nope").err)
    assert.matches("barq.get is not there in a function that barq.offload", caught("route").err)
    assert.equal(500, http.get(s.port, "/raised").status)
    assert.matches("GET /raised .-work.lua:%d+: broken", s:log())
    assert.matches("barq.offload: work.fail raised: %S*work.lua:%d+: broken\n  stack " ..
      "traceback:.-work.lua:%d+: in function", s:log())
    s:stop()
  end)

  it("says which argument cannot be copied, and where it was called", function()
    local s = start()
    http.get(s.port, "/argument")
    http.get(s.port, "/name")
    assert.matches("app.lua:%d+: barq.offload: arguments%[2%].callback: a function cannot be " ..
      "stored; pass booleans", s:log())
    assert.matches("app.lua:%d+: barq.offload: the function is a name, got number", s:log())
    s:stop()
  end)

  it("has barq.shared, barq.sqlite, schemas and the log there", function()
    local s = start()
    assert.equal('["new","new"]', http.get(s.port, "/once").body)
    assert.same({ point = { x = 1, y = 2 }, text = '{"x":1,"y":2}', none = true,
      problem = { "x" }, logged = true }, http.get(s.port, "/check"):json())
    assert.matches("warn  from there", s:log())
    assert.same({ here = 1, there = 1 }, http.get(s.port, "/count"):json())
    assert.equal('[{"n":1},{"n":2}]', http.get(s.port, "/rows").body)
    s:stop()
  end)

  it("lets others run meanwhile", function()
    local s = start()
    local spinning = raw.connect(s.port)
    spinning:send("GET /spin HTTP/1.1\r\nHost: a\r\n\r\n")
    clock.sleep(0.1)
    for _ = 1, 20 do assert.equal("quick", http.get(s.port, "/quick").body) end
    assert.is_nil((spinning:receive(0.01)))
    assert.equal("[1]", http.read(spinning).body)
    assert.equal("[0.1,0.2]", http.get(s.port, "/both").body)
    assert.not_matches("held worker %d+ for %d%d%d+ ms", s:log()) -- it spins for a second
    s:stop()
  end)

  it("frees who waits when it is ended, and runs others then", function()
    local s = start()
    for _ = 1, 6 do
      assert.same({ ok = false, timeout = true, after = 1 }, http.get(s.port, "/timeout"):json())
    end
    assert.equal(503, http.get(s.port, "/deadline").status)
    for _ = 1, 6 do
      local gone = raw.connect(s.port)
      gone:send("GET /spin HTTP/1.1\r\nHost: a\r\n\r\n")
      clock.sleep(0.02)
      gone:close()
    end
    assert.equal("[0.1,0.2]", http.get(s.port, "/both").body)
    s:stop()
  end)

  it("ends functions that nobody waits for any more, whatever they catch", function()
    local s = start()
    assert.equal("[1]", http.get(s.port, "/ended").body)
    for _ = 1, 4 do
      local gone = raw.connect(s.port)
      gone:send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
      clock.sleep(0.05)
      gone:close()
    end
    assert.equal("[0.1,0.2]", http.get(s.port, "/both").body)
    s:stop()
    assert.not_matches("did not come to its end", s:log())
  end)

  it("ends them with the server", function()
    local s = start("--drain-timeout", "300ms")
    local waiting = raw.connect(s.port)
    waiting:send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
    clock.sleep(0.2)
    s:signal("TERM")
    assert.equal(0, s:wait())
    assert.not_matches("did not come to its end", s:log())
  end)

  it("does not hold up a start that fails", function()
    local s = server.start { app = [[
      local barq = require "barq"
      barq.on("worker", function()
        assert(barq.offload("work", "echo", 1) == 1)
        error("no start")
      end)
    ]], files = { ["work.lua"] = work }, expect_failure = true }
    assert.equal(1, s:wait(5))
    assert.matches("no start", s:log())
  end)

  it("takes the number of threads from the environment", function()
    local s = server.start { app = app, files = { ["work.lua"] = work },
      env = { BARQ_OFFLOAD_THREADS = "1" } }
    local both = clock.now()
    assert.equal("[0.1,0.2]", http.get(s.port, "/both").body)
    assert.is_true(clock.now() - both >= 0.3)
    s:stop()
    s = server.start { app = app, env = { BARQ_OFFLOAD_THREADS = "257" }, expect_failure = true }
    assert.matches("BARQ_OFFLOAD_THREADS.-256", s:log())
  end)

  it("works in the specs of an application", function()
    local s = server.start { command = "test", expect_failure = true,
      files = { ["service.lua"] = app, ["work.lua"] = work },
      app = [=[
        local testing = require "barq.testing"
        describe("the service", function()
          local client = testing.client("service.lua", { timeout = 5 })
          it("runs functions beside each other", function()
            assert.same({ 0.1, 0.2 }, client:get("/both").json)
          end)
          it("raises", function()
            assert.matches("work.lua:%d+: broken", client:get("/raised").error)
          end)
          it("ends them", function() assert.same({ 1 }, client:get("/ended").json) end)
        end)
      ]=] }
    assert.equal(0, s:wait())
    assert.matches("3 successes", s:output())
    s:expect_no_report()
  end)

  it("does not keep the server from ending", function()
    local s = start("--drain-timeout", "500ms")
    local waiting = raw.connect(s.port)
    waiting:send("GET /forever HTTP/1.1\r\nHost: a\r\n\r\n")
    clock.sleep(0.2)
    s:signal("TERM")
    assert.equal(0, s:wait())
    assert.matches("a function of barq.offload did not come to its end", s:log())
  end)
end)
