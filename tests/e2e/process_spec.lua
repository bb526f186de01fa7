-- barq-server as a process: its command line, what it says when it starts or cannot, where
-- settings come from, signals, hooks, the access log, threads, UNIX sockets.
local cjson = require "cjson"
local clock = require "support.clock"
local dirent = require "posix.dirent"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"
local stat = require "posix.sys.stat"
local unistd = require "posix.unistd"

local hello = [[require("barq").get("/", function() return "hello" end)]]

local function has(text, part)
  if not text:find(part, 1, true) then error(("%q is not in:\n%s"):format(part, text), 2) end
end

-- A command line that ends by itself.
local function run(args, app, options)
  options = options or {}
  options.app, options.args, options.expect_failure = app or hello, args, true
  return server.start(options)
end

describe("the command line", function()
  after_each(server.cleanup)

  it("announces the URL with the port that was found free", function()
    local s = server.start { app = hello, args = { "--workers=2" } }
    local port = s:log():match(
      "info  barq [%d.]+ serving app.lua on http://127.0.0.1:(%d+) %(2 workers%)\n")
    assert.equal("hello", http.get(tonumber(port), "/").body)
  end)

  it("lists itself for --help, tells its version", function()
    local help = run { "--help" }
    assert.equal(0, help.code)
    for _, word in ipairs { "usage: barq-server", "--port N", "--workers N", "--access-log",
      "--drain-timeout", "routes", "check", "BARQ_" } do
      has(help:output(), word)
    end
    assert.equal("", help:log())
    local version = run { "--version" }
    assert.equal(0, version.code)
    assert.truthy(version:output():match("^barq %d+%.%d+%.%d+\n$"))
  end)

  it("refuses what it does not know with its usage and 2", function()
    for _, case in ipairs {
      { "--prot=1", 'unknown option "--prot": did you mean "--port"?' },
      { "--port=99999", "--port" }, { "--port=x", "--port" }, { "--workers=-1", "--workers" },
      { "--access-log=xml", "--access-log" }, { "-x", "-x" },
    } do
      local s = run { case[1] }
      assert.equal(2, s.code)
      has(s:log(), case[2])
      has(s:log(), "usage: barq-server")
      assert.equal("", s:output())
    end
  end)

  it("prints the routes with their places", function()
    local s = run({}, [[
      local barq = require "barq"
      barq.get("/items/{id:int}", { name = "get_item" }, function() end)
      barq.group("/g").any("/x", function() end)
      return barq.post("/last", function() end)
    ]], { command = "routes" })
    assert.equal(0, s.code)
    local lines = {}
    for line in s:output():gmatch("[^\n]+") do lines[#lines + 1] = line:gsub("%s+", " ") end
    assert.same({
      "METHOD PATH NAME DEPENDS PLACE",
      "GET /items/{id:int} get_item - app.lua:2", "ANY /g/x - - app.lua:3",
      "POST /last - - app.lua:4", -- a tail call, of which only the handler's place is left
      "GET /openapi.json - - barq", "GET /docs - - barq", "GET /docs/assets/{file} - - barq",
    }, lines)
  end)

  it("checks without serving", function()
    local good = run({}, hello, { command = "check" })
    assert.equal(0, good.code)
    assert.equal("ok\n", good:output())
    local bad = run({}, [[require("barq").get("items", function() end)]], { command = "check" })
    assert.equal(1, bad.code)
    has(bad:log(), "app.lua:1")
    has(bad:log(), "items")
    assert.equal("", bad:output())
    local wrong = run({}, hello, { command = "chekc" })
    assert.equal(2, wrong.code)
    has(wrong:log(), 'unknown command "chekc": did you mean "check"?')
  end)
end)

describe("a start that fails", function()
  after_each(server.cleanup)

  local function fails(app, ...)
    local s = run({}, app)
    assert.equal(1, s.code)
    for _, part in ipairs { ... } do has(s:log(), part) end
    assert.falsy(s:log():find("serving", 1, true))
    return s
  end

  it("names a missing file", function()
    local s = server.start { file = "no/such/app.lua", expect_failure = true }
    assert.equal(1, s.code)
    has(s:log(), 'no/such/app.lua": No such file or directory')
  end)

  it("names file and line of a syntax error", function()
    fails("local barq = require 'barq'\nlocal x = = 1\n", "app.lua:2: unexpected symbol")
    fails("require 'broken'", "module 'broken' not found")
  end)

  it("shows the traceback of an error while loading", function()
    fails("local function deep() error('no way') end\ndeep() local x = 1\n",
      "app.lua:1: no way", "stack traceback:", "app.lua:2: in main chunk")
  end)

  it("shows the traceback of a failing start hook, and runs none behind it", function()
    local s = fails([[
      local barq = require "barq"
      barq.on("start", function() error("no database") end)
      barq.on("start", function() barq.log.info("not reached") end)
    ]], 'hook "start" failed: app.lua:2: no database', "stack traceback:")
    assert.falsy(s:log():find("not reached", 1, true))
  end)

  it("comes of a worker hook, too, in whatever worker", function()
    local s = run({ "--workers=2" }, [[
      local barq = require "barq"
      barq.on("worker", function() if barq.worker == 1 then error("no socket") end end)
    ]])
    assert.equal(1, s.code)
    has(s:log(), 'hook "worker" failed: app.lua:2: no socket')
  end)

  it("names both places of routes that cannot be told apart", function()
    fails([[
      local barq = require "barq"
      barq.get("/a/{x}", function() end)
      barq.get("/a/{y}", function() end)
    ]], "app.lua:2", "app.lua:3", "/a/{x}", "/a/{y}")
    fails([[
      local barq = require "barq"
      barq.get("/a", { name = "n" }, function() end)
      barq.get("/b", { name = "n" }, function() end)
    ]], 'app.lua:3: the route name "n" is taken: app.lua:2 has it')
  end)

  it("names the nearest right name for a wrong one", function()
    fails([[require("barq").gte("/")]], 'app.lua:1: barq has no "gte" (did you mean "get"?)')
    fails([[require("barq").get("/", { stauts = 201 }, function() end)]],
      'app.lua:1: barq.get("/"): unknown option "stauts" (did you mean "status"?)')
    fails([[require("barq").on("strat", function() end)]], 'did you mean "start"?')
    fails([[require("barq").config { prot = 1 }]], "app.lua:1: ", 'did you mean "port"?')
    fails([[return require("barq").config { port = "x" }]], 'barq.config: option "port"')
  end)

  it("names the port in use", function()
    local first = server.start { app = hello }
    local second = server.start {
      app = hello, args = { "--port=" .. first.port }, expect_failure = true,
    }
    assert.equal(1, second.code)
    has(second:log(), ("port %d on 127.0.0.1 is in use"):format(first.port))
    assert.equal("hello", http.get(first.port, "/").body)
  end)
end)

describe("settings", function()
  after_each(server.cleanup)

  local app = [[
    local barq = require "barq"
    barq.config { body_max = 10, access_log = "off" }
    barq.post("/", function(req) return tostring(#req.body) end)
  ]]

  local function largest(options)
    options.app = app
    local s = server.start(options)
    local max = 0
    for _, n in ipairs { 10, 20, 30 } do
      local response = http.request(s.port, "POST", "/", { body = ("x"):rep(n) })
      assert.is_true(response.status == 200 or response.status == 413)
      if response.status == 200 then max = n end
    end
    return max
  end

  it("come from barq.config, over it the environment, over that the command line", function()
    assert.equal(10, largest {})
    assert.equal(20, largest { env = { BARQ_BODY_MAX = "20" } })
    assert.equal(30, largest { env = { BARQ_BODY_MAX = "20" }, args = { "--body-max=30" } })
    assert.equal(30, largest { args = { "--body-max", "30" } })
  end)

  it("of the environment are checked, too", function()
    local s = run({}, hello, { env = { BARQ_BODY_MAX = "much" } })
    assert.equal(1, s.code)
    has(s:log(), "BARQ_BODY_MAX")
  end)
end)

describe("a signal #threads", function()
  after_each(server.cleanup)

  local app = [[
    local barq = require "barq"
    for _, event in ipairs { "start", "worker", "drain", "stop" } do
      barq.on(event, function() barq.log.info("hook " .. event .. " of " .. barq.worker) end)
    end
    barq.get("/", function() return "hello" end)
    barq.get("/slow/{seconds:int}", function(req)
      barq.log.info("slow begins")
      barq.sleep(req.params.seconds)
      return "done"
    end)
    barq.get("/busy", function()
      barq.log.info("busy begins")
      while true do end
    end)
  ]]

  local function begin(s, path)
    local connection = raw.connect(s.port)
    connection:send(http.format("GET", path))
    s:wait_for_log("begins")
    return connection
  end

  for _, name in ipairs { "TERM", "INT" } do
    it("SIG" .. name .. " finishes what is in flight, and nothing else", function()
      local s = server.start { app = app, args = { "--workers=2" } }
      local idle = {}
      for i = 1, 4 do
        idle[i] = raw.connect(s.port)
        idle[i]:send(http.format("GET", "/"))
        assert.equal("hello", http.read(idle[i]).body)
      end
      local fresh = raw.connect(s.port)
      local slow = begin(s, "/slow/1")
      s:signal(name)
      s:wait_for_log("SIG" .. name .. ": stopping")
      for _, connection in ipairs(idle) do connection:expect_closed(5) end
      fresh:expect_closed(5)
      assert.truthy(clock.wait_until(5, function() return not raw.try_connect(s.port) end))
      assert.is_false(s:ended())
      assert.equal("done", http.read(slow).body)
      slow:expect_closed()
      assert.equal(0, s:wait())
      s:expect_no_report()
    end)
  end

  it("runs the hooks: start and stop once, worker and drain in every worker", function()
    local s = server.start { app = app, args = { "--workers=2" } }
    s:stop()
    local seen = {}
    for event, worker in s:log():gmatch("hook (%w+) of (%d)") do
      seen[event] = seen[event] or {}
      table.insert(seen[event], worker)
    end
    for _, workers in pairs(seen) do table.sort(workers) end
    assert.same({ start = { "0" }, worker = { "0", "1" }, drain = { "0", "1" }, stop = { "0" } },
      seen)
  end)

  it("waits no longer than drain_timeout", function()
    local s = server.start { app = app, args = { "--drain-timeout=0.2" } }
    local slow = begin(s, "/slow/60")
    s:signal "TERM"
    assert.equal(0, (s:wait(10)))
    has(s:log(), "drain_timeout has passed: 1 request was cut")
    has(s:log(), "hook stop of 0")
    assert.is_nil((slow:receive(5)))
    s:expect_no_report()
  end)

  it("ends a worker that does not come back from Lua", function()
    local s = server.start { app = app, args = { "--drain-timeout=0.2" } }
    begin(s, "/busy")
    s:signal "TERM"
    s:wait(10)
    assert.is_true(s:ended())
    has(s:log(), "1 of 1 workers did not come back from Lua")
  end)

  -- The second worker closes slowly; the first one's request makes the end a forced one.
  local function end_with_slow_close(seconds)
    local s = server.start {
      app = ([[
        local barq = require "barq"
        local db = barq.depends { scope = "worker", open = function() return 1 end,
          close = function()
            if barq.worker == 0 then return end
            os.execute "sleep %g"
            barq.log.info "closed"
          end }
        barq.on("worker", function() barq.with({ db = db }, function() end) end)
        barq.every(0.01, function() io.stderr:write "waits\n" barq.sleep(60) end)
      ]]):format(seconds),
      args = { "--drain-timeout=0.1", "--workers=2" },
    }
    s:wait_for_log "waits.*waits"
    s:signal "TERM"
    s:wait(10)
    assert.equal(0, s.code)
    return s
  end

  it("waits for a worker that drops what it had", function()
    local s = end_with_slow_close(0.8)
    has(s:log(), "closed")
    assert.not_matches("cut off", s:log())
  end)

  it("says of one that takes too long what it is at", function()
    local s = end_with_slow_close(5)
    has(s:log(), "1 of 2 workers take too long to drop what they had and are cut off")
    assert.not_matches("come back from Lua", s:log())
  end)

  it("sent twice ends at once", function()
    local s = server.start { app = app, args = { "--drain-timeout=60" } }
    begin(s, "/slow/60")
    s:signal "TERM"
    s:wait_for_log("SIGTERM: stopping")
    local code, killed
    -- Until the first has been taken, a second is no other.
    clock.wait_until(10, function()
      s:signal "TERM"
      code, killed = s:wait(0.1)
      return code or killed
    end)
    assert.is_true(s:ended())
    assert.not_equal(0, code)
  end)

  it("with hooks that fail still ends well, with every other hook run", function()
    local s = server.start { app = [[
      local barq = require "barq"
      barq.on("drain", function() error("drain broke") end)
      barq.on("drain", function() barq.log.info("second drain") end)
      barq.on("stop", function() error("stop broke") end)
      barq.on("stop", function() barq.sleep(0.01) barq.log.info("second stop") end)
    ]] }
    s:stop()
    for _, part in ipairs { "drain broke", "second drain", "stop broke", "second stop" } do
      has(s:log(), part)
    end
  end)
end)

describe("the access log", function()
  after_each(server.cleanup)

  local hostile = {
    'quo"te', "back\\slash", "é", "\255\254 broken", "\194\155 C1", "a\tb", "%s%n", "</script>",
    ("x"):rep(5000), "\226\128\168",
  }

  local function serve(format)
    local s = server.start { app = hello, args = { "--access-log=" .. format, "--workers=2" } }
    for _, agent in ipairs(hostile) do
      http.get(s.port, "/?a=%0d%0a", { headers = { ["User-Agent"] = agent, Referer = agent } })
    end
    http.get(s.port, "/nowhere")
    local broken = raw.connect(s.port)
    broken:send("GET / HTTP/9.9 \"\1\r\n\r\n")
    broken:receive_all(5)
    s:stop()
    local lines = {}
    for line in s:output():gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
    return lines
  end

  it("is off unless asked for", function()
    local s = server.start { app = hello }
    http.get(s.port, "/")
    s:stop()
    assert.equal("", s:output())
  end)

  it("as JSON has a valid line for each request, whoever sends it", function()
    local lines, seen = serve "json", {}
    assert.equal(#hostile + 2, #lines)
    for _, line in ipairs(lines) do
      assert.falsy(line:find("[%z\1-\31\127]"))
      local entry = cjson.decode(line)
      assert.equal("127.0.0.1", entry.ip)
      assert.truthy(entry.time:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"))
      assert.is_number(entry.duration)
      seen[entry.status] = (seen[entry.status] or 0) + 1
      if entry.status == 200 then
        assert.equal("GET", entry.method)
        assert.equal("/?a=%0d%0a", entry.target)
        assert.equal(5, entry.bytes)
        assert.equal(entry.user_agent, entry.referer)
        seen[entry.user_agent] = true
      end
    end
    assert.equal(#hostile, seen[200])
    assert.equal(1, seen[404])
    for i = 1, 3 do assert.is_true(seen[hostile[i]]) end
  end)

  it("as text has one line for each request, without control characters", function()
    local lines = serve "text"
    assert.equal(#hostile + 2, #lines)
    local answered = 0
    for _, line in ipairs(lines) do
      assert.falsy(line:find("[^ -~]"))
      local status, bytes = line:match(
        '^127%.0%.0%.1 %- %- %[%d%d/%a%a%a/%d+:[%d:]+ %+0000%] ".-" (%d+) (%d+) ".*" ".*" [%d.]+$')
      assert.truthy(status, line)
      if status == "200" then
        answered = answered + 1
        assert.equal("5", bytes)
        has(line, '"GET /?a=%0d%0a HTTP/1.1"')
      end
    end
    assert.equal(#hostile, answered)
  end)

  it("as combined has nothing behind the user agent", function()
    local pattern = '^127%.0%.0%.1 %- %- %[[^%]]+%] "[^"]*" %d%d%d [%d-]+ "[^"]*" "[^"]*"$'
    for _, line in ipairs(serve "combined") do
      assert.truthy(line:match(pattern))
    end
  end)

  it("is one for people in development, without colours where no terminal is", function()
    local s = server.start { app = hello, args = { "--dev" } }
    http.get(s.port, "/?a=1")
    http.get(s.port, "/nowhere")
    s:stop()
    local first, second = s:output():match("^([^\n]*)\n([^\n]*)\n$")
    assert.truthy(first:match("^GET     200 +%d+%.%d%d%d ms +5 B  /%?a=1$"))
    assert.truthy(second:match("^GET     404 +%d+%.%d%d%d ms +%d+ B  /nowhere$"))
    s = server.start { app = hello, args = { "--dev", "--access-log", "off" } }
    http.get(s.port, "/")
    s:stop()
    assert.equal("", s:output())
  end)

  it("that nobody reads does not stop the server", function()
    local s = server.start { args = { "--access-log" }, app = [[
      local barq = require "barq"
      local ffi = require "ffi"
      ffi.cdef "int pipe(int *); int dup2(int, int);"
      -- Standard output becomes a pipe that is never read from.
      local ends = ffi.new("int[2]")
      if barq.worker == 0 and ffi.C.pipe(ends) == 0 then ffi.C.dup2(ends[1], 1) end
      barq.get("/", function() return "hello" end)
    ]] }
    local connection = raw.connect(s.port)
    -- A pipe holds 64 KiB, and a lane 256: these are ten times that.
    local target = "/?" .. ("x"):rep(900)
    for _ = 1, 60 do
      connection:send(http.format("GET", target):rep(60))
      for _ = 1, 60 do assert.equal("hello", http.read(connection).body) end
    end
    s:signal "TERM"
    assert.equal(0, (s:wait()))
    s:wait_for_log("access log: ")
  end)
end)

describe("workers #threads", function()
  after_each(server.cleanup)

  local function threads(n)
    local s = server.start { app = hello, args = { "--workers=" .. n } }
    local count = -2 -- "." and ".."
    for _ in dirent.files(("/proc/%d/task"):format(s.pid)) do count = count + 1 end
    s:stop()
    return count
  end

  it("are threads", function()
    assert.equal(2, threads(3) - threads(1))
  end)

  it("share the connections, each with its own Lua state", function()
    local s = server.start { args = { "--workers=2" }, app = [[
      local barq = require "barq"
      local own = 0
      barq.get("/", function() own = own + 1 return { worker = barq.worker, own = own } end)
    ]] }
    local counts = {}
    for _ = 1, 60 do
      local answer = http.get(s.port, "/"):json()
      counts[answer.worker] = (counts[answer.worker] or 0) + 1
      assert.equal(counts[answer.worker], answer.own)
    end
    assert.truthy(counts[0])
    assert.truthy(counts[1])
  end)

  it("are not held up by each other", function()
    local s = server.start { args = { "--workers=2", "--drain-timeout=0" }, app = [[
      local barq = require "barq"
      barq.get("/busy", function()
        barq.log.info("busy in %d", barq.worker)
        while true do end
      end)
      barq.get("/", function() return { worker = barq.worker } end)
    ]] }
    local of_worker = {}
    for _ = 1, 40 do
      local connection = raw.connect(s.port)
      connection:send(http.format("GET", "/"))
      of_worker[http.read(connection):json().worker] = connection
    end
    local one, other = of_worker[0], of_worker[1]
    one:send(http.format("GET", "/busy"))
    assert.equal("0", (s:wait_for_log("busy in (%d)")))
    for _ = 1, 5 do
      other:send(http.format("GET", "/"))
      assert.equal(1, http.read(other):json().worker)
    end
    s:signal "TERM"
    assert.truthy(clock.wait_until(10, function() return s:ended() end))
  end)
end)

describe("a UNIX socket", function()
  local path

  before_each(function() path = ("/tmp/barq-e2e-%d.sock"):format(unistd.getpid()) end)
  after_each(function()
    server.cleanup()
    os.remove(path)
  end)

  local function start(options)
    options = options or {}
    options.app, options.args = options.app or hello, { "--listen=unix:" .. path, "--workers=2" }
    return server.start(options)
  end

  local function is_socket()
    local found = stat.lstat(path)
    return found and stat.S_ISSOCK(found.st_mode) ~= 0
  end

  it("is served, and removed at the end", function()
    local s = start()
    has(s:log(), "unix:" .. path)
    assert.equal("hello", http.get({ path = path }, "/").body)
    assert.is_true(is_socket())
    s:stop()
    assert.is_nil(stat.lstat(path))
  end)

  it("has peers without an address", function()
    start { app = [[require("barq").get("/", function(req) return { ip = req.ip } end)]] }
    assert.same({ ip = "" }, http.get({ path = path }, "/"):json())
  end)

  it("that a dead server left is replaced", function()
    local first = start()
    first:signal "KILL"
    first:wait()
    assert.is_true(is_socket())
    start()
    assert.equal("hello", http.get({ path = path }, "/").body)
  end)

  it("of a living server, and a file that is none, stay", function()
    start()
    local second = start { expect_failure = true }
    assert.equal(1, second.code)
    has(second:log(), path)
    assert.equal("hello", http.get({ path = path }, "/").body)
    server.cleanup()

    local file = assert(io.open(path, "w"))
    file:write("precious")
    file:close()
    local third = start { expect_failure = true }
    assert.equal(1, third.code)
    has(third:log(), path)
    assert.equal("precious", io.open(path):read("*a"))
  end)
end)
