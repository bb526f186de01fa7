-- load.lua: clients that ask without a pause, until nobody accepts their connections any more.
--
--   local load = require "support.load"
--   local clients = load.start(port, 32)
--   clients:run(0.5)       for half a second, or until it is over
--   clients.answered, clients.failures
--
-- A request fails if its answer is cut short, or if nothing comes on a new connection. A connection
-- that was kept open and ends before the first byte of an answer was idle for the server when it
-- ended it: as every HTTP client does (RFC 9112, section 9.3.1), the request is sent once more, on
-- a new one.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"

local load = {}

---@class load.Clients
---@field port integer
---@field idle table<integer, raw.Socket|false> by client; false: a new connection is due
---@field answered integer
---@field failures string[]
local Clients = {}
Clients.__index = Clients

---@param port integer
---@param count integer how many ask at the same time
---@return load.Clients
function load.start(port, count)
  local self = setmetatable({ port = port, idle = {}, answered = 0, failures = {} }, Clients)
  for i = 1, count do self.idle[i] = false end
  return self
end

local request = http.format("GET", "/")

-- A connection with a request on it; nil when nobody accepts.
function Clients:ask(kept)
  if kept and kept:send(request) then return kept, true end
  if kept then kept:close() end
  local connection = raw.try_connect(self.port)
  if connection then connection:send(request) end
  return connection, false
end

function Clients:fail(connection, message)
  self.failures[#self.failures + 1] = message
  connection:close()
  return false
end

-- Gives what the client has then: a connection, false for none, nil when it is over.
function Clients:take(connection, was_kept)
  local bytes, why = connection:receive()
  if not bytes and was_kept and why ~= "timeout" then
    connection:close()
    local again = self:ask()
    return again and self:take(again, false)
  elseif not bytes then
    return self:fail(connection, "no answer: " .. why)
  end
  connection.buffered = bytes
  local ok, answer = pcall(http.read, connection)
  if not ok or answer.status ~= 200 then
    return self:fail(connection, ok and "status " .. answer.status or tostring(answer))
  end
  self.answered = self.answered + 1
  if answer.headers.connection ~= "close" then return connection end
  connection:close()
  return false
end

function Clients:round()
  local asked = {}
  for i, kept in pairs(self.idle) do
    local connection, was_kept = self:ask(kept)
    asked[i] = connection and { connection, was_kept }
    if not connection then self.idle[i] = nil end
  end
  for i, one in pairs(asked) do self.idle[i] = self:take(one[1], one[2]) end
end

---@return boolean
function Clients:is_over()
  return next(self.idle) == nil
end

---@param seconds number
function Clients:run(seconds)
  local deadline = clock.now() + seconds
  while not self:is_over() and clock.now() < deadline do self:round() end
end

return load
