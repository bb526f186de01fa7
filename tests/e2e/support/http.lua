-- http.lua: a client that believes nothing: an answer with any fault in its framing fails
-- the test.
--
-- `request` is one exchange on a connection of its own, `read` takes the next answer from a
-- raw socket. The grammar is RFC 9112's, narrowed to what a server should send.
local cjson = require "cjson"
local clock = require "support.clock"
local raw = require "support.raw"

local http = {}

---@class http.Response
---@field status integer
---@field reason string
---@field headers table<string, string> names in lower case; repeated ones joined by ", "
---@field fields string[][] pairs of name and value, as they came
---@field body string
---@field trailers table<string, string>
---@field raw string the bytes
---@field interim http.Response[] what came before it with a status below 200 (`request` only)
local Response = {}
Response.__index = Response

--- The body as JSON.
---@return any
function Response:json()
  return cjson.decode(self.body)
end

-- A reader takes bytes of a socket, and remembers those of the answer it reads.
local Reader = {}
Reader.__index = Reader

local function new_reader(connection, seconds)
  return setmetatable({ connection = connection, deadline = clock.now() + seconds, taken = {} },
    Reader)
end

function Reader:fail(what)
  local seen = table.concat(self.taken) .. self.connection.buffered
  error(("%s; the answer so far: %q"):format(what, seen:sub(1, 600)), 0)
end

function Reader:more()
  local connection = self.connection
  local before = connection.buffered
  connection.buffered = ""
  local bytes, why = connection:receive(math.max(self.deadline - clock.now(), 0.001))
  connection.buffered = before .. (bytes or "")
  if not bytes then self:fail("the answer is not whole: " .. why) end
end

function Reader:take(n)
  local connection = self.connection
  if #connection.buffered < n then
    -- Big bodies: collected in pieces, so that they are not copied for each.
    local pieces, have = { connection.buffered }, #connection.buffered
    while have < n do
      connection.buffered = ""
      self:more()
      pieces[#pieces + 1], have = connection.buffered, have + #connection.buffered
    end
    connection.buffered = table.concat(pieces)
  end
  local bytes = connection.buffered:sub(1, n)
  connection.buffered = connection.buffered:sub(n + 1)
  self.taken[#self.taken + 1] = bytes
  return bytes
end

-- Up to CRLF, without it. A CR or LF alone is a fault.
function Reader:line()
  local at
  repeat
    at = self.connection.buffered:find("\n", 1, true)
    if not at then self:more() end
  until at
  local line = self:take(at)
  if line:sub(-2) ~= "\r\n" then self:fail("a line that does not end in CRLF") end
  line = line:sub(1, -3)
  if line:find("[%z\r]") then self:fail("CR or NUL in a line") end
  return line
end

-- These may come once only.
local single = {
  ["connection"] = true,
  ["content-length"] = true,
  ["content-type"] = true,
  ["date"] = true,
  ["location"] = true,
  ["transfer-encoding"] = true,
}

function Reader:fields()
  local fields, headers = {}, {}
  while true do
    local line = self:line()
    if line == "" then return fields, headers end
    local name, value = line:match("^([%w!#$%%&'*+.^_`|~-]+):[ \t]*(.-)[ \t]*$")
    if not name then self:fail("a malformed field line: " .. line) end
    if value:find("[%c\127]") then self:fail("a control character in " .. name) end
    fields[#fields + 1] = { name, value }
    name = name:lower()
    if headers[name] and single[name] then self:fail("repeated " .. name) end
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
end

function Reader:chunks()
  local pieces = {}
  while true do
    local line = self:line()
    local size = line:match("^%x+$") and tonumber(line, 16)
    if not size then self:fail("a malformed chunk size: " .. line) end
    if size == 0 then break end
    pieces[#pieces + 1] = self:take(size)
    if self:take(2) ~= "\r\n" then self:fail("no CRLF after a chunk") end
  end
  local _, trailers = self:fields()
  return table.concat(pieces), trailers
end

-- RFC 9112, section 6.3; an end by closing is not accepted.
function Reader:body(response, method)
  local status, headers = response.status, response.headers
  local length, coding = headers["content-length"], headers["transfer-encoding"]
  if length and not length:match("^%d+$") then self:fail("malformed content-length") end
  if length and coding then self:fail("content-length and transfer-encoding") end
  if coding and coding ~= "chunked" then self:fail("transfer-encoding: " .. coding) end
  if status < 200 or status == 204 then
    if length or coding then self:fail("a body's length where there is no body") end
    return "", {}
  end
  if method == "HEAD" or status == 304 then return "", {} end
  if coding then return self:chunks() end
  if not length then self:fail("no length") end
  return self:take(tonumber(length)), {}
end

--- Takes the next answer, which may be an interim one, from a socket.
---@param connection raw.Socket
---@param options { method: string?, timeout: number? }? method: what was asked; 10 seconds
---@return http.Response
function http.read(connection, options)
  options = options or {}
  local reader = new_reader(connection, options.timeout or 10)
  local line = reader:line()
  local status, reason = line:match("^HTTP/1%.1 ([1-5]%d%d) ([ -~]*)$")
  if not status then reader:fail("a malformed status line: " .. line) end
  local response = setmetatable({ status = tonumber(status), reason = reason }, Response)
  response.fields, response.headers = reader:fields()
  response.body, response.trailers = reader:body(response, options.method)
  response.raw = table.concat(reader.taken)
  return response
end

local function has(headers, wanted)
  for name in pairs(headers) do
    if name:lower() == wanted then return true end
  end
end

--- The bytes of a request. Host and, with a body, Content-Length are added if absent.
---@param method string
---@param target string
---@param options { headers: table<string, string|string[]>?, body: string? }?
---@return string
function http.format(method, target, options)
  local headers, body = options and options.headers or {}, options and options.body
  local lines = { ("%s %s HTTP/1.1"):format(method, target) }
  if not has(headers, "host") then lines[2] = "Host: localhost" end
  for name, value in pairs(headers) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = name .. ": " .. one
    end
  end
  if body and not has(headers, "content-length") and not has(headers, "transfer-encoding") then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
end

--- One request on a connection of its own, which must be closed after the answer.
---@param where integer|raw.Address
---@param method string
---@param target string
---@param options { headers: table<string, string|string[]>?, body: string?, timeout: number? }?
---@return http.Response
function http.request(where, method, target, options)
  options = options or {}
  local headers = { Connection = "close" }
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  local connection = raw.connect(where)
  connection:send(http.format(method, target, { headers = headers, body = options.body }))
  local interim, response = {}, nil
  repeat
    if response then interim[#interim + 1] = response end
    response = http.read(connection, { method = method, timeout = options.timeout })
  until response.status >= 200
  response.interim = interim
  if headers.Connection == "close" then connection:expect_closed() end
  connection:close()
  return response
end

---@param where integer|raw.Address
---@param target string
---@param options { headers: table<string, string|string[]>?, timeout: number? }?
---@return http.Response
function http.get(where, target, options)
  return http.request(where, "GET", target, options)
end

---@param where integer|raw.Address
---@param target string
---@param value any sent as JSON
---@return http.Response
function http.post_json(where, target, value)
  return http.request(where, "POST", target,
    { headers = { ["Content-Type"] = "application/json" }, body = cjson.encode(value) })
end

return http
