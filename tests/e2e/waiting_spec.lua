-- Code that waits, over the wire: tasks, timers, timeouts, deadlines, clients that go away, and
-- coroutines of the application's own.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

describe("waiting", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local function serve(source, ...)
    return server.start { app = 'local barq = require "barq"\n' .. source, args = { ... } }
  end

  local function begin(s, target)
    local connection = raw.connect(s.port)
    connection:send("GET " .. target .. " HTTP/1.1\r\nHost: localhost\r\n\r\n")
    clock.sleep(0.1)
    return connection
  end

  -- Asks until the answer is what is wanted: events that no answer tells of.
  local function wait_for_body(s, target, wanted)
    local deadline, body = clock.now() + 10
    repeat
      body = http.get(s.port, target).body
      if body == wanted then return end
      clock.sleep(0.01)
    until clock.now() > deadline
    assert.equal(wanted, body)
  end

  describe("for tasks", function()
    it("gives what they returned, or raises what they raised", function()
      local s = serve [[
        barq.get("/values", function()
          local task = barq.spawn(function(a, b) barq.sleep(0.01) return a, nil, b end, 1, 2)
          local before = task:done()
          local n = select("#", task:wait())
          return { n = n, first = (task:wait()), third = select(3, task:wait()),
            before = before, after = task:done() }
        end)
        barq.get("/raises", function()
          local task = barq.spawn(function() barq.abort(409, "taken") end)
          task:wait()
        end)
        barq.get("/two", function()
          local task = barq.spawn(function() barq.sleep(0.02) return "x" end)
          local other = barq.spawn(function() return task:wait() .. "y" end)
          return task:wait() .. other:wait()
        end)
        barq.get("/cancel", function()
          local ran = false
          local never = barq.spawn(function() ran = true end)
          never:cancel()
          local task = barq.spawn(function()
            local ok, err = pcall(barq.sleep, 60)
            first = { ok, getmetatable(err) == barq.Cancelled }
            barq.sleep(60)
            swallowed = true
          end)
          barq.sleep(0.01)
          task:cancel()
          task:cancel()
          local ok, err = pcall(task.wait, task)
          return { ok = ok, class = getmetatable(err) == barq.Cancelled, first = first,
            swallowed = swallowed == true, ran = ran, never = never:done() }
        end)
      ]]
      assert.same({ n = 3, first = 1, third = 2, before = false, after = true },
        http.get(s.port, "/values"):json())
      assert.equal(409, http.get(s.port, "/raises").status)
      assert.equal("xxy", http.get(s.port, "/two").body)
      assert.same({ ok = false, class = true, first = { false, true }, swallowed = false,
        ran = false, never = true }, http.get(s.port, "/cancel"):json())
    end)

    it("may be given up: the task's error is logged then", function()
      local s = serve [[
        barq.get("/", function()
          local task = barq.spawn(function() barq.sleep(0.05) error "nobody waits" end)
          for _ = 1, 3 do assert(not pcall(barq.with_timeout, 0.001, task.wait, task)) end
        end)
      ]]
      assert.equal(204, http.get(s.port, "/").status)
      s:wait_for_log("barq.spawn %(.-%) failed: .-nobody waits")
    end)

    it("is refused to the task itself, which would never end", function()
      local s = serve [[
        barq.get("/", function()
          local task
          task = barq.spawn(function() task:wait() end)
          local ok, err = pcall(barq.with_timeout, 5, task.wait, task)
          return tostring(err)
        end)
      ]]
      assert.equal("app.lua:4: task:wait: a task cannot wait for itself",
        (http.get(s.port, "/").body:gsub("^.*/", "")))
    end)

    it("is not needed: they outlive their request, and the drain waits for them", function()
      local s = serve [[
        barq.get("/", function()
          barq.spawn(function() barq.sleep(0.4) barq.log.info("task done") end)
          barq.spawn(function() error("nobody hears") end)
          return "begun"
        end)
        local function fails() barq.spawn(print) end
        local ok, err = pcall(fails)
        barq.get("/loading", function() return { ok, err } end)
      ]]
      assert.equal("begun", http.get(s.port, "/").body)
      s:wait_for_log("barq.spawn %(app.lua:%d+%) failed: app.lua:%d+: nobody hears\n%s+stack")
      assert.truthy(http.get(s.port, "/loading"):json()[2]:find("tasks run once the server serves"))
      s:stop()
      assert.truthy(s:log():find("task done", 1, true))
    end)

    it("that run beside each other takes as long as the longest", function()
      local s = serve [[
        barq.get("/all", function()
          local a, b, c, d = barq.all(
            function() barq.sleep(0.2) return "a", "not this" end,
            function() return nil end,
            function() barq.sleep(0.2) return "c" end)
          return { a, tostring(b), c, tostring(d) }
        end)
        barq.get("/none", function() return select("#", barq.all()) end)
        barq.get("/fails", function()
          local ended = {}
          local function rest(name)
            return function()
              local ok, err = pcall(barq.sleep, 60)
              ended[#ended + 1] = name .. tostring(getmetatable(err) == barq.Cancelled)
              error(err)
            end
          end
          local ok, err = pcall(barq.all, rest "a",
            function() barq.sleep(0.01) error("first", 0) end, rest "b")
          return { ok = ok, err = err, ended = ended }
        end)
      ]]
      local before = clock.now()
      local answer = http.get(s.port, "/all")
      assert.is_true(clock.now() - before < 0.38)
      assert.equal('["a","nil","c","nil"]', answer.body)
      assert.equal("0", http.get(s.port, "/none").body)
      assert.same({ ok = false, err = "first", ended = { "atrue", "btrue" } },
        http.get(s.port, "/fails"):json())
    end)
  end)

  describe("for time", function()
    it("runs timers once, again and again, and in one worker", function()
      local s = serve([[
        local count = barq.shared("count")
        barq.after(0.05, function() count:incr("after") end)
        barq.after(0.05, function() count:incr("once") end, { once = true })
        local ticks = 0
        local every
        every = barq.every(0.02, function()
          ticks = ticks + 1
          if ticks == 2 then error("tick two") end
          if ticks == 4 then every:cancel() count:incr("four") end
        end)
        local never = barq.after(0.01, function() count:incr("never") end)
        never:cancel()
        local busy, overlap = 0, false
        barq.every(0.01, function()
          busy = busy + 1
          overlap = overlap or busy > 1
          barq.sleep(0.03)
          busy = busy - 1
        end)
        barq.get("/", function()
          return ("%s %s %s %s %s"):format(count:get("after"), count:get("once"), count:get("four"),
            tostring(count:get("never")), tostring(overlap))
        end)
        barq.get("/ticks", function() return ticks end)
      ]], "--workers=2")
      wait_for_body(s, "/", "2 1 2 nil false")
      s:wait_for_log("barq.every %(app.lua:%d+%) failed: app.lua:%d+: tick two")
      clock.sleep(0.1)
      assert.equal("4", http.get(s.port, "/ticks").body)
      local stopped = clock.now()
      s:stop() -- the timer that never ends by itself is no hindrance
      assert.is_true(clock.now() - stopped < 5)
    end)

    it("keeps no one waiting for timers: they do not count as work to be done", function()
      local s = serve([[
        barq.every(0.05, function() end)
        barq.after(30, print)
        barq.on("worker", function() barq.every(40, print) end)
      ]], "--drain-timeout=15")
      clock.sleep(0.1)
      local before = clock.now()
      s:stop()
      assert.is_true(clock.now() - before < 3)
    end)

    it("ends what takes too long, the outermost timeout first", function()
      local s = serve [[
        local function class(err)
          return getmetatable(err) == barq.Timeout and err.seconds or err
        end
        barq.get("/in-time", function()
          return { barq.with_timeout(5, function(a) barq.sleep(0.01) return a, 2 end, 1) }
        end)
        barq.get("/late", function() barq.with_timeout(0.03, barq.sleep, 60) end)
        barq.get("/error", function()
          local ok, err = pcall(barq.with_timeout, 5, function() error("own", 0) end)
          barq.sleep(0.01)
          return err
        end)
        barq.get("/inner", function()
          return { barq.with_timeout(5, function()
            local ok, err = pcall(barq.with_timeout, 0.02, barq.sleep, 60)
            barq.sleep(0.01) -- the inner one is over
            return class(err)
          end) }
        end)
        barq.get("/outer", function()
          local seen = {}
          local ok, err = pcall(barq.with_timeout, 0.02, function()
            local _, first = pcall(barq.with_timeout, 5, barq.sleep, 60)
            local _, second = pcall(barq.sleep, 60)
            seen = { class(first), class(second) }
            barq.sleep(60)
          end)
          return { ok, class(err), seen }
        end)
        barq.get("/computes", function()
          local ok, err = pcall(barq.with_timeout, 0.01, function()
            local stop = barq.now() + 0.05
            while barq.now() < stop do end
            barq.sleep(60)
          end)
          return class(err)
        end)
        barq.on_error(barq.Timeout, function(req, err)
          return { late = err.seconds, path = req.path }, err.status
        end)
      ]]
      assert.same({ 1, 2 }, http.get(s.port, "/in-time"):json())
      local late = http.get(s.port, "/late")
      assert.equal(504, late.status)
      assert.same({ late = 0.03, path = "/late" }, late:json())
      assert.equal("own", http.get(s.port, "/error").body)
      assert.same({ 0.02 }, http.get(s.port, "/inner"):json())
      assert.same({ false, 0.02, { 0.02, 0.02 } }, http.get(s.port, "/outer"):json())
      assert.equal("0.01", http.get(s.port, "/computes").body)
    end)

    it("ends a request at its deadline, and closes what it had opened once", function()
      local s = serve [[
        local closed = {}
        local resource = barq.depends {
          open = function() return {} end,
          close = function(_, err)
            barq.sleep(0.01) -- undisturbed
            closed[#closed + 1] = err and tostring(err) or "fine"
          end,
        }
        local stuck = barq.depends { open = function() barq.sleep(60) end }
        local worker = barq.depends { scope = "worker", open = function()
          opened = (opened or 0) + 1
          if opened == 1 then barq.sleep(0.3) end
          return "value"
        end }
        barq.all_routes { timeout = 0.1 }
        local api = barq.group("/api", { timeout = 5, depends = { resource = resource } })
        api:get("/slow", { timeout = 0.05 }, function()
          pcall(barq.sleep, 60)
          barq.sleep(60)
        end)
        api:get("/quick", function() barq.sleep(0.15) return "quick" end)
        api:get("/open", { timeout = 0.05, depends = { stuck = stuck } }, print)
        barq.get("/default", function() barq.sleep(60) end)
        barq.get("/without", { timeout = false }, function() barq.sleep(0.2) return "without" end)
        barq.get("/worker", { timeout = 5, depends = { w = worker } },
          function(_, deps) return deps.w end)
        barq.get("/worker-late", { timeout = 0.05, depends = { w = worker } },
          function(_, deps) return deps.w end)
        local pass = function(req, next) return next(req):header("x-seen", "yes") end
        barq.get("/below", { timeout = 0.05, middleware = pass, depends = { r = resource } },
          function() barq.sleep(60) end)
        barq.get("/around", { timeout = 5, depends = { r = resource },
          middleware = function(req, next) return barq.with_timeout(0.05, next, req) end },
          function() barq.sleep(60) end)
        barq.get("/closed", function() local c = closed closed = {} return c end)
      ]]
      local slow = http.get(s.port, "/api/slow")
      assert.equal(503, slow.status)
      assert.same({ detail = "Service Unavailable" }, slow:json())
      assert.same({ "timeout: not done after 0.05 s" }, http.get(s.port, "/closed"):json())
      s:wait_for_log("GET /api/slow %(app.lua:%d+%): timeout: not done after 0.05 s\n%s+stack")
      assert.equal("quick", http.get(s.port, "/api/quick").body)
      assert.same({ "fine" }, http.get(s.port, "/closed"):json())
      assert.equal(503, http.get(s.port, "/api/open").status)
      assert.same({ "timeout: not done after 0.05 s" }, http.get(s.port, "/closed"):json())
      assert.equal(503, http.get(s.port, "/default").status)
      assert.equal("without", http.get(s.port, "/without").body)

      local first = begin(s, "/worker")
      assert.equal(503, http.get(s.port, "/worker-late").status)
      assert.equal("value", http.read(first).body)

      local below = http.get(s.port, "/below")
      assert.equal(503, below.status)
      assert.equal("yes", below.headers["x-seen"])
      assert.same({ "timeout: not done after 0.05 s" }, http.get(s.port, "/closed"):json())
      assert.equal(504, http.get(s.port, "/around").status)
      assert.same({ "timeout: not done after 0.05 s" }, http.get(s.port, "/closed"):json())
    end)

    it("lets the application answer a deadline", function()
      local s = serve [[
        barq.get("/", { timeout = 0.03 }, function() barq.sleep(60) end)
        barq.on_error(503, function() barq.sleep(0.01) return barq.text("later", 503) end)
      ]]
      local answer = http.get(s.port, "/")
      assert.equal(503, answer.status)
      assert.equal("later", answer.body)
    end)

    it("refuses what is no time", function()
      for source, words in pairs {
        ["barq.get('/', { timeout = 0 }, print)"] = "timeout is a number of seconds above 0",
        ["barq.group('/x', { timeout = '5' })"] = "timeout is a number of seconds above 0",
        ["barq.get('/', { disconnect = 'never' }, print)"] = 'disconnect is "end" or "ignore"',
        ["barq.every(0, print)"] = "barq.every: a number of seconds from 0.001 to a year expected",
        ["barq.after(-1, print)"] = "barq.after: a number of seconds from 0 to a year expected",
        ["barq.after(1, 'x')"] = "barq.after: a function expected",
        ["barq.after(1, print, { onec = true })"] = 'unknown option "onec"',
        ["barq.with_timeout(1, print)"] = "tasks run once the server serves",
        ["barq.all(print)"] = "tasks run once the server serves",
      } do
        local s = server.start { app = 'local barq = require "barq"\n' .. source,
          expect_failure = true }
        assert.truthy(s:log():find("app.lua:2: [^\n]*" .. words:gsub("%p", "%%%0")),
          source .. "\n" .. s:log())
      end
    end)
  end)

  describe("of a handler whose client goes away", function()
    local source = [[
      local seen = {}
      local resource = barq.depends {
        open = function() return {} end,
        close = function(_, err)
          seen[#seen + 1] = "close " .. tostring(getmetatable(err) == barq.Closed)
        end,
      }
      barq.get("/waits", { depends = { r = resource } }, function()
        local ok, err = pcall(barq.sleep, 60)
        seen[#seen + 1] = "caught " .. tostring(not ok and err == barq.closed)
        barq.sleep(60)
        seen[#seen + 1] = "swallowed"
      end)
      barq.get("/below", { depends = { r = resource },
        middleware = function(req, next)
          local res = next(req)
          seen[#seen + 1] = "next " .. res.status
          return res
        end }, function() barq.sleep(60) end)
      barq.get("/goes-on", { disconnect = "ignore" }, function()
        barq.sleep(0.3)
        seen[#seen + 1] = "went on"
        return "whole"
      end)
      barq.get("/seen", function()
        return table.concat(seen, ", ")
      end)
    ]]

    it("is ended by barq.Closed, and its dependencies are closed", function()
      local s = serve(source)
      begin(s, "/waits"):close()
      wait_for_body(s, "/seen", "caught true, close true")
      begin(s, "/waits"):reset()
      wait_for_body(s, "/seen", "caught true, close true, caught true, close true")
      assert.is_nil(s:log():find("error", 1, true))
    end)

    it("is ended below middleware", function()
      local s = serve(source)
      begin(s, "/below"):close()
      wait_for_body(s, "/seen", "close true, next 499")
    end)

    it("is ended, too, by the end of input alone, and answered", function()
      local s = serve(source)
      local connection = begin(s, "/waits")
      connection:half_close()
      assert.equal(499, http.read(connection).status)
      connection:expect_closed()
    end)

    it("goes on where the route says so", function()
      local s = serve(source)
      begin(s, "/goes-on"):close()
      wait_for_body(s, "/seen", "went on")
      local connection = begin(s, "/goes-on")
      connection:half_close()
      assert.equal("whole", http.read(connection).body)
    end)
  end)

  describe("in coroutines of the application's own", function()
    it("passes through them", function()
      local s = serve [[
        barq.get("/wrap", function()
          local items = coroutine.wrap(function()
            for i = 1, 3 do barq.sleep(0.005) coroutine.yield(i) end
          end)
          local got = {}
          for item in items do got[#got + 1] = item end
          return got
        end)
        barq.get("/resume", function()
          local co = coroutine.create(function(a)
            barq.sleep(0.005)
            local b = coroutine.yield(a + 1)
            local inner = coroutine.wrap(function() barq.sleep(0.005) return b * 10 end)
            return inner(), nil
          end)
          local _, first = coroutine.resume(co, 1)
          local results = { coroutine.resume(co, 5) }
          return { first, results[2], coroutine.status(co), (coroutine.resume(co)),
            select("#", coroutine.resume(coroutine.create(function() end))) }
        end)
        barq.get("/error", function()
          local co = coroutine.create(function() barq.sleep(0.001) error({ code = 7 }) end)
          local ok, err = coroutine.resume(co)
          local ok2, err2 = pcall(coroutine.wrap(function() barq.sleep(0.001) error("text") end))
          return { ok, err.code, ok2, (err2:gsub("^.*:%d+: ", "")) }
        end)
        barq.get("/cancelled", function()
          local ok, err = pcall(barq.with_timeout, 0.02, coroutine.wrap(function()
            local inner_ok, inner = pcall(barq.sleep, 60)
            caught = tostring(inner)
            barq.sleep(60)
          end))
          return { caught, tostring(err) }
        end)
        local shared
        barq.get("/shared", function()
          shared = shared or coroutine.wrap(function()
            while true do barq.sleep(0.2) coroutine.yield("mine") end
          end)
          return shared()
        end)
        barq.get("/sort", function()
          table.sort({ 3, 1, 2 }, coroutine.wrap(function() barq.sleep(0) end))
        end)
      ]]
      assert.same({ 1, 2, 3 }, http.get(s.port, "/wrap"):json())
      assert.same({ 2, 50, "dead", false, 1 }, http.get(s.port, "/resume"):json())
      assert.same({ false, 7, false, "text" }, http.get(s.port, "/error"):json())
      local cancelled = http.get(s.port, "/cancelled"):json()
      assert.equal("timeout: not done after 0.02 s", cancelled[1])
      assert.truthy(cancelled[2]:find("timeout: not done after 0.02 s", 1, true))
      local first = begin(s, "/shared")
      assert.equal(500, http.get(s.port, "/shared").status)
      assert.equal("mine", http.read(first).body)
      assert.equal(500, http.get(s.port, "/sort").status)
      s:wait_for_log("/sort [^\n]*cannot wait inside a coroutine that runs inside a function")
    end)
  end)

  it("in whatever way does not keep the server from ending", function()
    local s = serve([[
      barq.every(3600, print)
      barq.after(3600, print)
      barq.get("/", function()
        barq.spawn(function() barq.sleep(60) end)
        barq.all(function() barq.sleep(60) end, function()
          barq.with_timeout(60, coroutine.wrap(function() barq.sleep(60) end))
        end)
      end)
      barq.get("/parked", { timeout = 60, middleware = function(req, next) return next(req) end },
        function() barq.spawn(function() barq.sleep(60) end):wait() end)
    ]], "--drain-timeout=0.2")
    begin(s, "/")
    begin(s, "/parked")
    s:stop()
    assert.truthy(s:log():find("2 requests were cut", 1, true))
  end)
end)
