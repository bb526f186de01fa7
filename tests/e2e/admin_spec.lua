-- The admin port: metrics, health and the live page of a server that is at work.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  local db = barq.sqlite.open(":memory:")
  local t = barq.t
  local item = barq.schema("Item", { name = t.string })

  barq.get("/hello", function() return { hello = "world" } end)
  barq.get("/items/{id:int}", function(req) return { id = req.params.id } end)
  barq.post("/items", { body = item }, function(req) return req.body end)
  barq.get("/fail", function() error("broken") end)
  barq.get("/sleep", function()
    barq.sleep(60)
    return "awake"
  end)
  barq.get("/spin", function(req)
    local till = barq.now() + tonumber(req.query.seconds)
    repeat until barq.now() > till
    return "done"
  end)
  barq.get("/sql", function() return db:query("select 1 as one") end)
]]

describe("the admin port #threads", function()
  after_each(server.cleanup)

  local function start(options)
    options = options or {}
    options.app = options.app or app
    options.args = options.args or {}
    table.insert(options.args, "--admin=127.0.0.1:0")
    local s = server.start(options)
    s.admin = tonumber(s:wait_for_log("live page are on http://127.0.0.1:(%d+)"))
    return s
  end

  local function sample(s, name)
    local text = http.get(s.admin, "/metrics").body
    for line in text:gmatch("[^\n]+") do
      if line:sub(1, #name + 1) == name .. " " then return tonumber(line:sub(#name + 2)) end
    end
  end

  local function count(s, route, method, status)
    local name = 'barq_http_requests_total{route="%s",method="%s",status="%d"}'
    return sample(s, name:format(route, method, status))
  end

  local function live(s)
    return http.get(s.admin, "/live").body
  end

  local function wait_for_live(s, pattern)
    local page
    local found = clock.wait_until(10, function()
      page = live(s)
      return page:match(pattern)
    end)
    return found or error(("%q is not in\n%s"):format(pattern, page), 2)
  end

  it("counts answers by route, method and status", function()
    local s = start()
    for i = 1, 3 do http.get(s.port, "/items/" .. i) end
    http.get(s.port, "/items/x")
    http.request(s.port, "HEAD", "/hello")
    http.post_json(s.port, "/items", { name = "a" })
    http.post_json(s.port, "/items", { name = 7 })
    http.get(s.port, "/fail")
    http.get(s.port, "/nowhere")
    assert.equal(3, count(s, "/items/{id:int}", "GET", 200))
    assert.equal(1, count(s, "/hello", "HEAD", 200))
    assert.equal(1, count(s, "/items", "POST", 200))
    assert.equal(1, count(s, "/items", "POST", 422))
    assert.equal(1, count(s, "/fail", "GET", 500))
    assert.equal(2, count(s, "unmatched", "GET", 404))
    assert.equal(3, sample(s,
      'barq_http_request_duration_seconds_count{route="/items/{id:int}",method="GET"}'))
    s:stop()
  end)

  it("counts what the server itself refuses", function()
    local s = start()
    local connection = raw.connect(s.port)
    connection:send("no request at all\r\n\r\n")
    connection:receive_all()
    assert.equal(1, count(s, "unmatched", "other", 400))
    assert.equal(1, sample(s, 'barq_http_requests_refused_total{worker="0"}'))
    s:stop()
  end)

  it("adds up what several workers do", function()
    local s = start { args = { "--workers=2" } }
    for _ = 1, 40 do http.get(s.port, "/hello") end
    assert.equal(40, count(s, "/hello", "GET", 200))
    local accepted = sample(s, 'barq_connections_accepted_total{worker="0"}')
      + sample(s, 'barq_connections_accepted_total{worker="1"}')
    assert.equal(40, accepted)
    s:stop()
  end)

  it("knows the process, Lua, SQLite and the log", function()
    local s = start()
    for _ = 1, 5 do http.get(s.port, "/sql") end
    http.get(s.port, "/fail")
    assert.is_true(sample(s, "process_resident_memory_bytes") > 1e6)
    assert.is_true(sample(s, 'barq_lua_memory_bytes{worker="0"}') > 1e5)
    assert.is_true(sample(s, 'barq_lua_collector_pause_seconds_max{worker="0"}') < 60)
    assert.is_true(sample(s, "barq_sqlite_statements_total") >= 5)
    assert.equal(0, sample(s, "barq_sqlite_statements_failed_total"))
    assert.equal(1, sample(s, "barq_log_errors_total"))
    assert.equal(1, sample(s, "barq_ready"))
    assert.is_true(sample(s, 'barq_event_loop_lag_seconds_count{worker="0"}') >= 1)
    s:stop()
  end)

  it("shows a request that waits, with its age and line", function()
    local s = start()
    local connection = raw.connect(s.port)
    connection:send("GET /sleep?secret=<b> HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_for_live(s, "sleep at [^<]*app%.lua:11<")
    local page = live(s)
    assert.truthy(page:find("/sleep?secret=&lt;b&gt;", 1, true))
    assert.equal(1, sample(s, 'barq_coroutines_waiting{worker="0"}'))
    assert.equal(1, sample(s, 'barq_http_requests_in_flight{worker="0"}'))
    connection:close()
    wait_for_live(s, "No request waits for its answer")
    s:stop()
  end)

  it("names what holds a worker", function()
    local s = start()
    local connection = raw.connect(s.port)
    connection:send("GET /spin?seconds=3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_for_live(s, "inside <i>GET</i> /spin for")
    assert.is_true(sample(s, 'barq_worker_in_lua_seconds{worker="0"}') > 0)
    assert.equal("ok\n", http.get(s.admin, "/healthz").body)
    assert.equal(200, http.read(connection).status)
    s:stop()
  end)

  it("shows routes with their rates", function()
    local s = start()
    clock.wait_until(10, function()
      http.get(s.port, "/hello")
      return live(s):match("<i>GET</i> /hello</td><td>([%d.]+)</td><td>%d+")
    end)
    local rate = wait_for_live(s, "<i>GET</i> /hello</td><td>([%d.]+)</td><td>%d+")
    assert.is_true(tonumber(rate) > 0)
    s:stop()
  end)

  it("counts on across a reload", function()
    local s = start()
    http.get(s.port, "/hello")
    s:signal("HUP")
    s:wait_for_log("reloaded:")
    http.get(s.port, "/hello")
    assert.equal(2, count(s, "/hello", "GET", 200))
    assert.equal(1, sample(s, "barq_reloads_total"))
    s:stop()
  end)

  it("is ready while it serves, and not while it drains", function()
    local s = start { args = { "--drain-timeout=20" } }
    assert.equal("ready\n", http.get(s.admin, "/readyz").body)
    local connection = raw.connect(s.port)
    connection:send("GET /spin?seconds=2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_for_live(s, "inside <i>GET</i> /spin for")
    s:signal("TERM")
    s:wait_for_log("SIGTERM: stopping")
    local answer = http.get(s.admin, "/readyz")
    assert.equal(503, answer.status)
    assert.equal("draining\n", answer.body)
    assert.equal(200, http.read(connection).status)
    assert.equal(0, s:wait())
    s:expect_no_report()
  end)

  it("is not ready before the start has come to its end", function()
    local s = server.start {
      args = { "--admin=unix:admin.sock" },
      app = [[
        local socket = require "posix.sys.socket"
        local unistd = require "posix.unistd"
        require "barq".on("start", function()
          local fd = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0)
          socket.connect(fd, { family = socket.AF_UNIX, path = "admin.sock" })
          unistd.write(fd, "GET /readyz HTTP/1.0\r\n\r\n")
          io.stderr:write(unistd.read(fd, 4096))
          unistd.close(fd)
        end)
      ]],
    }
    assert.truthy(s:log():match("HTTP/1.1 503 .*\r\n\r\nstarting\n"))
    assert.equal(200, http.get({ path = s.directory .. "/admin.sock" }, "/readyz").status)
    s:stop()
  end)

  it("listens on a UNIX socket, too", function()
    local s = server.start { app = app, args = { "--admin=unix:admin.sock" } }
    s:wait_for_log("live page are on unix:admin.sock")
    local answer = http.get({ path = s.directory .. "/admin.sock" }, "/healthz")
    assert.equal("ok\n", answer.body)
    s:stop()
  end)

  for value, complaint in pairs {
    ["nonsense"] = "%-%-admin",
    ["127.0.0.1:99999"] = "%-%-admin",
  } do
    it("says what is wrong with --admin " .. value, function()
      local s = server.start { app = app, args = { "--admin=" .. value }, expect_failure = true }
      assert.equal(1, s.code)
      assert.truthy(s:log():match(complaint))
    end)
  end

  it("says so when its port is taken", function()
    local s = start()
    local second = server.start {
      app = app, args = { "--admin=127.0.0.1:" .. s.admin }, expect_failure = true,
    }
    assert.equal(1, second.code)
    assert.truthy(second:log():find("in use", 1, true))
    s:stop()
  end)
end)
