-- raw.lua: client sockets whose bytes the test decides: TCP over IPv4 and IPv6, UNIX sockets.
--
-- Every wait has a deadline. Sockets are closed on exec, so that a server that is started
-- while a connection is open does not hold it open.
local clock = require "support.clock"
local fcntl = require "posix.fcntl"
local poll = require "posix.poll"
local signal = require "posix.signal"
local socket = require "posix.sys.socket"
local unistd = require "posix.unistd"

-- lua-posix cannot send without SIGPIPE.
signal.signal(signal.SIGPIPE, signal.SIG_IGN)

local raw = {}

---@class raw.Socket
---@field fd integer?
---@field buffered string received, and not yet taken by a reader
local Socket = {}
Socket.__index = Socket

local open_sockets = {}

local function adopt(fd)
  fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
  fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.O_NONBLOCK)
  local self = setmetatable({ fd = fd, buffered = "" }, Socket)
  open_sockets[self] = true
  return self
end

---@class raw.Address
---@field host string? "127.0.0.1" if absent
---@field port integer?
---@field path string? of a UNIX socket

local function socket_address(where)
  if type(where) == "number" then where = { port = where } end
  if where.path then return { family = socket.AF_UNIX, path = where.path } end
  local host = where.host or "127.0.0.1"
  local family = host:find(":", 1, true) and socket.AF_INET6 or socket.AF_INET
  return { family = family, addr = host, port = where.port }
end

--- Connects.
---@param where integer|raw.Address a port of 127.0.0.1, or where else
---@param options { receive_buffer: integer? }? SO_RCVBUF, to be a client that takes little
---@return raw.Socket? connection nil if it was refused
---@return string? message
function raw.try_connect(where, options)
  local address = socket_address(where)
  local fd = assert(socket.socket(address.family, socket.SOCK_STREAM, 0))
  if options and options.receive_buffer then
    socket.setsockopt(fd, socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer)
  end
  local ok, message = socket.connect(fd, address)
  if not ok then
    unistd.close(fd)
    return nil, message
  end
  if address.family ~= socket.AF_UNIX then
    socket.setsockopt(fd, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
  end
  return adopt(fd)
end

--- Connects, or fails the test.
---@param where integer|raw.Address
---@param options { receive_buffer: integer? }?
---@return raw.Socket
function raw.connect(where, options)
  local self, message = raw.try_connect(where, options)
  return self or error("cannot connect: " .. message, 2)
end

--- Two sockets that are connected to each other.
---@return raw.Socket
---@return raw.Socket
function raw.pair()
  local one, other = assert(socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0))
  return adopt(one), adopt(other)
end

--- Closes what tests left open.
function raw.close_all()
  for self in pairs(open_sockets) do self:close() end
end

function Socket:close()
  if self.fd then unistd.close(self.fd) end
  self.fd = nil
  open_sockets[self] = nil
end

--- Closes with a reset instead of an orderly end.
function Socket:reset()
  socket.setsockopt(self.fd, socket.SOL_SOCKET, socket.SO_LINGER, 1, 0)
  self:close()
end

--- Ends this side's sending.
function Socket:half_close()
  socket.shutdown(self.fd, socket.SHUT_WR)
end

local function wait_for(fd, event, deadline)
  local left = math.ceil((deadline - clock.now()) * 1000)
  return left > 0 and poll.poll({ [fd] = { events = { [event] = true } } }, left) == 1
end

--- Sends everything.
---@param bytes string
---@param seconds number? 10
---@return integer? sent nil if the peer is gone or did not take everything in time
---@return string? why
---@return integer? partly how much was sent then
function Socket:send(bytes, seconds)
  local deadline, sent = clock.now() + (seconds or 10), 0
  while sent < #bytes do
    if not wait_for(self.fd, "OUT", deadline) then return nil, "timeout", sent end
    local n, message, code = socket.send(self.fd, bytes:sub(sent + 1, sent + 65536))
    if n then
      sent = sent + n
    elseif code ~= 11 then -- EAGAIN
      return nil, message, sent
    end
  end
  return sent
end

--- Sends everything, in pieces of some size, as separate segments where that can be had.
---@param bytes string
---@param size integer
---@param pause number? seconds between two
---@return integer? sent
---@return string? why
function Socket:send_in_pieces(bytes, size, pause)
  for at = 1, #bytes, size do
    local sent, why = self:send(bytes:sub(at, at + size - 1))
    if not sent then return nil, why end
    if pause then clock.sleep(pause) end
  end
  return #bytes
end

--- What has arrived, at most 64 KiB of it. What an earlier reader left over comes first.
---@param seconds number? how long to wait for the first byte; 10
---@return string? bytes nil when there are none
---@return "closed"|"reset"|"timeout"|nil why
function Socket:receive(seconds)
  if self.buffered ~= "" then
    local bytes = self.buffered
    self.buffered = ""
    return bytes
  end
  if not wait_for(self.fd, "IN", clock.now() + (seconds or 10)) then return nil, "timeout" end
  local bytes = socket.recv(self.fd, 65536)
  if not bytes then return nil, "reset" end
  if bytes == "" then return nil, "closed" end
  return bytes
end

--- Everything until the peer ends, or the time is over.
---@param seconds number? 10
---@return string bytes
---@return "closed"|"reset"|"timeout" why
function Socket:receive_all(seconds)
  local deadline, pieces = clock.now() + (seconds or 10), {}
  while true do
    local piece, why = self:receive(math.max(deadline - clock.now(), 0.001))
    if not piece then return table.concat(pieces), why end
    pieces[#pieces + 1] = piece
  end
end

--- Fails the test unless nothing comes.
---@param seconds number? 0.05
function Socket:expect_silence(seconds)
  local bytes, why = self:receive(seconds or 0.05)
  if bytes then error("bytes that nobody asked for: " .. bytes:sub(1, 200), 2) end
  if why ~= "timeout" then error("the connection was " .. why, 2) end
end

--- Fails the test unless the peer ends without another byte.
---@param seconds number? 10
function Socket:expect_closed(seconds)
  local bytes, why = self:receive(seconds or 10)
  if bytes then error("bytes after the last answer: " .. bytes:sub(1, 200), 2) end
  if why ~= "closed" then error("the connection is not closed: " .. why, 2) end
end

return raw
