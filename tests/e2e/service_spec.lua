-- barq-server under a service manager: sockets that are handed over, what it says of itself, and
-- the health check.
local clock = require "support.clock"
local http = require "support.http"
local load = require "support.load"
local raw = require "support.raw"
local server = require "support.server"
local ffi = require "ffi"
local fcntl = require "posix.fcntl"
local poll = require "posix.poll"
local socket = require "posix.sys.socket"
local stat = require "posix.sys.stat"
local unistd = require "posix.unistd"

ffi.cdef "int getsockname(int fd, void *address, unsigned *length);"

local hello = [[require("barq").get("/", function() return "hello" end)]]

local function has(text, part)
  if not text:find(part, 1, true) then error(("%q is not in:\n%s"):format(part, text), 2) end
end

local descriptors = {}

local function keep(fd)
  assert(fd)
  fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  descriptors[#descriptors + 1] = fd
  return fd
end

local function cleanup()
  server.cleanup()
  for _, fd in ipairs(descriptors) do unistd.close(fd) end
  descriptors = {}
end

local function listening(address)
  local fd = keep(socket.socket(address.family, socket.SOCK_STREAM, 0))
  assert(socket.bind(fd, address))
  assert(socket.listen(fd, 64))
  return fd
end

-- lua-posix hands getsockname(2) a length that it has not set.
local function listening_tcp()
  local fd = listening { family = socket.AF_INET, addr = "127.0.0.1", port = 0 }
  local address, length = ffi.new "uint8_t[16]", ffi.new("unsigned[1]", 16)
  assert(ffi.C.getsockname(fd, address, length) == 0)
  return fd, address[2] * 256 + address[3]
end

describe("a socket that a service manager hands over #threads", function()
  after_each(cleanup)

  it("is served by all workers instead of what is configured", function()
    local fd, port = listening_tcp()
    local s = server.start { sockets = { fd }, args = { "--workers=2", "--port=0" }, app = [[
      local barq = require "barq"
      barq.get("/", function() return { worker = barq.worker, fds = os.getenv "LISTEN_FDS" } end)
    ]] }
    assert.equal(port, s.port)
    has(s:log(), ("serving app.lua on http://127.0.0.1:%d (2 workers)"):format(port))
    local seen = {}
    -- Workers that sleep are woken one at a time: who answers is the kernel's choice.
    for _ = 1, 200 do
      local connections = {}
      for i = 1, 8 do
        connections[i] = raw.connect(port)
        connections[i]:send(http.format("GET", "/"))
      end
      for _, connection in ipairs(connections) do
        local answer = http.read(connection):json()
        seen[answer.worker] = true
        assert.is_nil(answer.fds)
        connection:close()
      end
      if seen[0] and seen[1] then return end
    end
    error "one worker never accepts"
  end)

  it("keeps connections that came before the start", function()
    local fd, port = listening_tcp()
    local early = raw.connect(port)
    early:send(http.format("GET", "/"))
    server.start { sockets = { fd }, app = hello }
    assert.equal("hello", http.read(early).body)
  end)

  it("loses no request while one server follows the other", function()
    local fd, port = listening_tcp()
    local s = server.start { sockets = { fd }, app = hello, args = { "--workers=2" } }
    local clients = load.start(port, 16)
    for _ = 1, 3 do
      clients:run(0.1)
      s:stop()
      local between = raw.connect(port)
      between:send(http.format("GET", "/"))
      s = server.start { sockets = { fd }, app = hello, args = { "--workers=2" } }
      assert.equal("hello", http.read(between).body)
    end
    clients:run(0.1)
    assert.same({}, clients.failures)
    assert.is_false(clients:is_over())
    assert.is_true(clients.answered > 100)
  end)

  it("may be a UNIX socket, whose file stays", function()
    local path = ("/tmp/barq-e2e-%d.sock"):format(unistd.getpid())
    os.remove(path)
    local fd = listening { family = socket.AF_UNIX, path = path }
    local tcp, port = listening_tcp()
    local s = server.start { sockets = { fd, tcp }, app = hello, args = { "--workers=2" } }
    assert.equal("hello", http.get({ path = path }, "/").body)
    assert.equal("hello", http.get(port, "/").body)
    s:stop()
    assert.is_table(stat.lstat(path))
    os.remove(path)
  end)

  it("must listen", function()
    local fd = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 0))
    local s = server.start { sockets = { listening_tcp(), fd }, app = hello,
      expect_failure = true }
    assert.equal(1, s.code)
    has(s:log(), "descriptor 4 of the service manager (LISTEN_FDS) is no stream socket")
  end)
end)

describe("a service manager #threads", function()
  local fd, name
  before_each(function()
    name = ("/tmp/barq-e2e-notify-%d"):format(unistd.getpid())
    fd = keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0))
    assert(socket.bind(fd, { family = socket.AF_UNIX, path = name }))
  end)
  after_each(function()
    cleanup()
    os.remove(name)
  end)

  -- The next message, or nil when none comes in time.
  local function hear(seconds)
    local ready = poll.poll({ [fd] = { events = { IN = true } } }, math.ceil(seconds * 1000))
    return ready == 1 and socket.recv(fd, 4096) or nil
  end

  local function start(options)
    options.env = { NOTIFY_SOCKET = name, WATCHDOG_USEC = options.watchdog_us }
    options.app = options.app or hello
    return server.start(options)
  end

  it("is told when it serves, and when it stops", function()
    local s = start { app = [[
      local barq = require "barq"
      barq.get("/", function() return os.getenv "NOTIFY_SOCKET" or "not told" end)
      barq.get("/slow", function() barq.sleep(0.3) return "late" end)
    ]], args = { "--drain-timeout=7" } }
    assert.equal("READY=1\nSTATUS=serving on http://127.0.0.1:" .. s.port, hear(10))
    assert.equal("not told", http.get(s.port, "/").body)
    local connection = raw.connect(s.port)
    connection:send(http.format("GET", "/slow"))
    clock.sleep(0.1)
    s:signal "TERM"
    assert.equal(
      "STOPPING=1\nSTATUS=finishing what is in flight\nEXTEND_TIMEOUT_USEC=12000000", hear(10))
    assert.is_false(s:ended())
    assert.equal("late", http.read(connection).body)
    assert.equal(0, (s:wait()))
    assert.is_nil(hear(0))
  end)

  it("is told of a reload, and of its end", function()
    local s = start {}
    hear(10)
    s:signal "HUP"
    assert.truthy(hear(10):find("^RELOADING=1\nWATCHDOG=1\nMONOTONIC_USEC=%d+$"))
    assert.equal("READY=1", hear(10))
  end)

  it("is told nothing by a start that fails", function()
    local s = start { app = "error 'no'", expect_failure = true }
    assert.equal(1, s.code)
    assert.is_nil(hear(0))
  end)

  it("that has no name is said to be none", function()
    local s = server.start { app = hello, env = { NOTIFY_SOCKET = "@" } }
    s:wait_for_log('warn  NOTIFY_SOCKET: "@" names no UNIX socket: [^\n]+ "@" and a name')
    assert.is_nil(s:log():find("does not hear", 1, true))
  end)

  it("that is not there harms nothing", function()
    local s = server.start { app = hello, env = { NOTIFY_SOCKET = "/nowhere/notify" } }
    s:wait_for_log('warn  the service manager does not hear "READY=1[^"]*" at /nowhere/notify')
    assert.equal("hello", http.get(s.port, "/").body)
  end)

  local spin = [[
    local barq = require "barq"
    barq.get("/", function() return "hello" end)
    barq.get("/spin", function()
      local over = os.clock() + 1.5
      while os.clock() < over do end
      return "done"
    end)
  ]]

  -- How many pings there are in some time.
  local function pings(seconds)
    local over, count = clock.now() + seconds, 0
    while clock.now() < over do
      if hear(math.max(over - clock.now(), 0.001)) == "WATCHDOG=1" then count = count + 1 end
    end
    return count
  end

  it("hears a server that idles", function()
    start { watchdog_us = "400000", args = { "--workers=2" } }
    assert.is_true(pings(1) >= 4)
  end)

  it("hears one that computes while nobody else waits", function()
    local s = start { watchdog_us = "400000", app = spin, args = { "--adoption=false" } }
    local connection = raw.connect(s.port)
    connection:send(http.format("GET", "/spin"))
    clock.sleep(0.1)
    assert.is_true(pings(1) >= 4)
    assert.equal("done", http.read(connection).body)
  end)

  it("hears one whose other workers serve those who wait", function()
    local s = start { watchdog_us = "400000", app = spin }
    local connection = raw.connect(s.port)
    connection:send(http.format("GET", "/spin"))
    clock.sleep(0.1)
    local others = 0
    local over = clock.now() + 1
    while clock.now() < over do
      assert.equal("hello", http.get(s.port, "/").body)
      others = others + 1
    end
    assert.is_true(pings(0.2) >= 4)
    assert.is_true(others > 0)
    assert.equal("done", http.read(connection).body)
    assert.falsy(s:log():find("watchdog:", 1, true))
  end)

  it("does not hear one that nobody can reach, until somebody can", function()
    local s = start { watchdog_us = "400000", app = spin, args = { "--adoption=false" } }
    local connection, waiting = raw.connect(s.port), raw.connect(s.port)
    connection:send(http.format("GET", "/spin"))
    clock.sleep(0.1)
    waiting:send(http.format("GET", "/"))
    clock.sleep(0.4)
    pings(0.01) -- what came until then
    assert.equal(0, pings(0.5))
    s:wait_for_log("error watchdog: every worker is inside Lua, and nobody serves those who wait")
    assert.equal("done", http.read(connection).body)
    assert.equal("hello", http.read(waiting).body)
    assert.is_true(pings(1) >= 3)
  end)
end)

describe("barq-server reload", function()
  after_each(cleanup)

  local function reload(...)
    return server.start { line = { "reload", ... }, expect_failure = true }
  end

  local function fails(s, why)
    assert.equal(1, s.code)
    assert.equal("", s:output())
    has(s:log(), "barq-server: reload: ")
    has(s:log(), why)
  end

  local function write(s, text)
    local file = assert(io.open(s.directory .. "/app.lua", "wb"))
    file:write(text)
    file:close()
  end

  it("is done when the new code serves", function()
    local s = server.start { app = hello }
    write(s, [[require("barq").get("/", function() return "new" end)]])
    local command = reload(tostring(s.pid))
    assert.equal("ok\n", command:output(), command:log())
    assert.equal(0, command.code)
    assert.equal("new", http.get(s.port, "/").body)
  end)

  it("fails with the new code, and the old goes on", function()
    local s = server.start { app = hello }
    write(s, "this is no Lua")
    fails(reload(tostring(s.pid)),
      ("process %d: the new code does not load; the old goes on, and its log"):format(s.pid))
    write(s, [[require("barq").on("worker", function() error "no" end)]])
    fails(reload(tostring(s.pid)), 'a "worker" hook of the new code failed')
    assert.equal("hello", http.get(s.port, "/").body)
  end)

  it("asks nothing but a barq-server that serves", function()
    fails(reload(tostring(unistd.getpid())), 'no barq-server')
    fails(reload("2147483647"), "there is no process 2147483647")
    fails(reload("app.lua"), '"app.lua" is not the number of a process')
    fails(reload("0"), '"0" is not the number of a process')
    local s = server.start { app = [[require("barq").on("start", function()
      io.stderr:write(io.popen("/proc/$PPID/exe reload $PPID 2>&1"):read("*a"))
    end)]] }
    has(s:log(), "process " .. s.pid .. ": it starts or ends, and does not serve")
  end)

  it("wants to be told which, of several", function()
    server.start { app = hello }
    server.start { app = hello }
    fails(reload(), "of them serve (")
  end)
end)

describe("barq-server health", function()
  after_each(cleanup)

  local function health(arguments, env)
    local line = { "health" }
    for _, argument in ipairs(arguments) do line[#line + 1] = argument end
    return server.start { line = line, env = env, expect_failure = true }
  end

  local function is_healthy(arguments, env)
    local s = health(arguments, env)
    assert.equal("ok\n", s:output(), s:log())
    assert.equal(0, s.code)
  end

  local function is_not(arguments, why)
    local s = health(arguments)
    assert.equal(1, s.code)
    assert.equal("", s:output())
    has(s:log(), "barq-server: health: ")
    has(s:log(), why)
  end

  it("asks the server that the options or the environment say, without a route", function()
    local s = server.start { app = [[require("barq").get("/no", function() return 1, 503 end)]] }
    is_healthy { "--port=" .. s.port }
    is_healthy({}, { BARQ_PORT = tostring(s.port) })
    is_healthy({}, { BARQ_LISTEN = "127.0.0.1:" .. s.port })
    is_not({ "/", "--port=" .. s.port }, "answers GET / with 404")
    is_not({ ("http://127.0.0.1:%d/no"):format(s.port) }, "answers GET /no with 503")
  end)

  it("asks UNIX sockets", function()
    local path = ("/tmp/barq-e2e-%d.sock"):format(unistd.getpid())
    server.start { app = hello, args = { "--listen=unix:" .. path } }
    is_healthy { "--listen=unix:" .. path }
    is_healthy { "unix:" .. path .. ":/" }
    is_not({ "unix:" .. path .. ":/nowhere" }, "answers GET /nowhere with 404")
    cleanup()
    is_not({ "unix:" .. path }, "No such file or directory")
  end)

  it("says why not", function()
    local fd, port = listening_tcp()
    unistd.close(table.remove(descriptors))
    is_not({ "--port=" .. port }, "Connection refused")
    is_not({ "--port=0" }, "port 0 is any")
    is_not({ "https://127.0.0.1/" }, "it must be /path, http://host:port/path or")
    assert.equal(2, health({ "a", "b" }).code)
    assert.is_number(fd)
  end)

  it("does not wait for a server that is stuck", function()
    local _, port = listening_tcp()
    local began = clock.now()
    is_not({ "--port=" .. port }, "it takes too long")
    assert.is_true(clock.now() - began < 9)
  end)
end)
