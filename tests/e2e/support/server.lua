-- server.lua: starts the server under test, in a temporary directory of its own, and ends it.
--
--   local server = require "support.server"
--
--   after_each(server.cleanup)
--
--   it("greets", function()
--     local s = server.start { app = [[require("barq").get("/", function() return "hi" end)]] }
--     assert.equal("hi", http.get(s.port, "/").body)
--   end)
--
-- cleanup stops what still runs, and a stop must be clean: exit 0, nothing from a sanitizer.
-- Only processes that were started here are ever signalled; they die with the tests.
local clock = require "support.clock"
local dirent = require "posix.dirent"
local fcntl = require "posix.fcntl"
local ffi = require "ffi"
local raw = require "support.raw"
local resource = require "posix.sys.resource"
local signals = require "posix.signal"
local stdlib = require "posix.stdlib"
local unistd = require "posix.unistd"
local wait = require "posix.sys.wait"

ffi.cdef "int prctl(int option, unsigned long argument, ...);"
local PR_SET_PDEATHSIG = 1

local server = {}

-- Generous: sanitizers on a busy machine are slow.
local START_SECONDS = 30
local STOP_SECONDS = 20

local root = assert(unistd.getcwd())
local binary = os.getenv("BARQ_SERVER") or "build/release/barq-server"
if binary:sub(1, 1) ~= "/" then binary = root .. "/" .. binary end

local reports = {
  "ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "WARNING: ThreadSanitizer",
}

---@class server.Server
---@field pid integer
---@field directory string temporary, where it runs
---@field port integer? of its first http endpoint
---@field code integer? its exit status, once it ended by itself
---@field killed integer? the signal that ended it
local Server = {}
Server.__index = Server

local started = {}

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("*a")
  file:close()
  return text
end

local function write_file(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function has(arguments, wanted)
  for _, argument in ipairs(arguments) do
    if argument == wanted or argument:find(wanted .. "=", 1, true) == 1 then return true end
  end
end

local function build_arguments(app, options)
  local given, command = options.args or {}, options.command
  if options.line then return options.line end
  local arguments = command and { command, app } or { app }
  for _, argument in ipairs(given) do arguments[#arguments + 1] = argument end
  if not has(given, "--port") and not has(given, "--listen") then
    arguments[#arguments + 1] = "--port=0"
  end
  if not has(given, "--workers") then arguments[#arguments + 1] = "--workers=1" end
  return arguments
end

-- As a service manager does it: descriptors from 3 on, whatever was there before.
local function hand_over(sockets)
  local aside = {}
  for i, fd in ipairs(sockets) do aside[i] = assert(fcntl.fcntl(fd, fcntl.F_DUPFD, 100)) end
  for i, fd in ipairs(aside) do
    assert(unistd.dup2(fd, 2 + i))
    unistd.close(fd)
  end
  stdlib.setenv("LISTEN_FDS", #sockets)
  stdlib.setenv("LISTEN_PID", unistd.getpid())
end

-- In the child, between fork and exec.
local function become(directory, arguments, options)
  ffi.C.prctl(PR_SET_PDEATHSIG, ffi.cast("unsigned long", signals.SIGKILL))
  signals.signal(signals.SIGPIPE, signals.SIG_DFL)
  assert(unistd.chdir(options.directory or directory))
  for name, target in pairs { stdout = 1, stderr = 2 } do
    local flags = fcntl.O_WRONLY + fcntl.O_CREAT + fcntl.O_APPEND
    unistd.dup2(assert(fcntl.open(directory .. "/" .. name, flags, 384)), target) -- 0600
  end
  stdlib.setenv("BARQ_SERVER", nil)
  for name, value in pairs(options.env or {}) do stdlib.setenv(name, value) end
  if options.sockets then hand_over(options.sockets) end
  if options.descriptors then
    resource.setrlimit(resource.RLIMIT_NOFILE,
      { rlim_cur = options.descriptors, rlim_max = options.descriptors })
  end
  assert(unistd.exec(binary, arguments))
end

local function spawn(directory, arguments, options)
  local pid = assert(unistd.fork())
  if pid > 0 then return pid end
  local _, message = pcall(become, directory, arguments, options)
  io.stderr:write("cannot run ", binary, ": ", tostring(message), "\n")
  unistd._exit(127)
end

---@class server.Options
---@field app string? the application's source
---@field file string? or its path, from the root of the repository
---@field files table<string, string>? further files of the directory
---@field command string? instead of serve
---@field directory string? where it runs, instead of in its own
---@field args string[]? options; --port 0 and --workers 1 are added where nothing else is said
---@field line string[]? the whole command line, instead of all that
---@field env table<string, string>?
---@field sockets integer[]? listening descriptors, handed over as by a service manager
---@field descriptors integer? how many the process may have
---@field expect_failure boolean? wait for its end instead of the start-up line

--- Starts a server, and waits until it listens.
---@param options server.Options
---@return server.Server
function server.start(options)
  local directory = assert(stdlib.mkdtemp("/tmp/barq-e2e-XXXXXX"))
  for name, text in pairs(options.files or {}) do write_file(directory .. "/" .. name, text) end
  local app = options.file and root .. "/" .. options.file or "app.lua"
  if options.app then write_file(directory .. "/app.lua", options.app) end
  local arguments = build_arguments(app, options)
  local self = setmetatable({ directory = directory }, Server)
  started[self] = true
  self.pid = spawn(directory, arguments, options)
  if options.expect_failure then
    if not self:wait(START_SECONDS) then error("the server did not end\n" .. self:log(), 2) end
    return self
  end
  local line = self:wait_for_log("serving [^\n]+\n", START_SECONDS)
  self.port = tonumber(line:match("http://[^, ]+:(%d+)"))
  return self
end

--- What it wrote to standard error so far.
---@return string
function Server:log()
  return read_file(self.directory .. "/stderr")
end

--- What it wrote to standard output so far: the access log, or a command's result.
---@return string
function Server:output()
  return read_file(self.directory .. "/stdout")
end

--- Waits until the log matches, or fails the test with the log.
---@param pattern string a Lua pattern
---@param seconds number? 10
---@return string ... what the pattern matched
function Server:wait_for_log(pattern, seconds)
  local found = clock.wait_until(seconds or 10, function()
    local over = self:ended()
    local matches = { self:log():match(pattern) }
    return matches[1] and matches or over and "ended"
  end)
  if type(found) == "table" then return unpack(found) end
  error(("%q is not in the log%s:\n%s"):format(pattern, found and ", and the server ended" or "",
    self:log()), 2)
end

--- Whether the process is over; code or killed say how then.
---@return boolean
function Server:ended()
  if self.code or self.killed then return true end
  local pid, how, status = wait.wait(self.pid, wait.WNOHANG)
  if pid ~= self.pid then return false end
  if how == "exited" then self.code = status else self.killed = status end
  return true
end

--- Waits for the end of the process.
---@param seconds number? 20
---@return integer? code nil if it was killed, or still runs
---@return integer? signal
function Server:wait(seconds)
  clock.wait_until(seconds or STOP_SECONDS, function() return self:ended() end)
  return self.code, self.killed
end

--- Sends a signal, unless the process is over.
---@param name string "TERM"
function Server:signal(name)
  if not self:ended() then signals.kill(self.pid, signals["SIG" .. name]) end
end

--- Fails the test if a sanitizer reported something.
function Server:expect_no_report()
  local log = self:log()
  for _, report in ipairs(reports) do
    if log:find(report, 1, true) then error(log, 2) end
  end
end

--- Ends the server, which must succeed.
function Server:stop()
  self:signal("TERM")
  local code, killed = self:wait(STOP_SECONDS)
  if not self:ended() then
    self:signal("KILL")
    self:wait(STOP_SECONDS)
    error("the server did not stop\n" .. self:log(), 2)
  end
  self:expect_no_report()
  if code ~= 0 then
    error(("the server ended with %s %d\n%s"):format(code and "status" or "signal", code or killed,
      self:log()), 2)
  end
end

--- The memory that it has in use.
---@return integer bytes
function Server:resident_bytes()
  local pages = read_file(("/proc/%d/statm"):format(self.pid)):match("^%d+ (%d+)")
  return tonumber(pages) * unistd.sysconf(30) -- _SC_PAGESIZE, which lua-posix does not name
end

--- The processor time that it has used.
---@return number seconds
function Server:cpu_seconds()
  local rest = read_file(("/proc/%d/stat"):format(self.pid)):match("^.*%) %a (.*)$")
  local user, system = rest:match("^" .. ("%S+ "):rep(10) .. "(%d+) (%d+)")
  return (tonumber(user) + tonumber(system)) / unistd.sysconf(2) -- _SC_CLK_TCK
end

local function remove_directory(directory)
  for name in dirent.files(directory) do
    if name ~= "." and name ~= ".." then os.remove(directory .. "/" .. name) end
  end
  os.remove(directory)
end

--- Closes the test's sockets, stops the servers that run, and removes their directories.
function server.cleanup()
  raw.close_all()
  local complaint
  for self in pairs(started) do
    local ok, message = true, nil
    if not self:ended() then ok, message = pcall(self.stop, self) end
    if not ok then complaint = message end
    remove_directory(self.directory)
    started[self] = nil
  end
  if complaint then error(complaint, 0) end
end

return server
