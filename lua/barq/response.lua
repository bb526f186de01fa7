-- response.lua: answers that are more than a table or a string.
--
-- A Response is a plain table: status, headers (name -> string, or array of strings
-- for a field that repeats), body (a string as it is, any other value as JSON).
local core = require "barq.core"
local place = require "barq.place"

---@class barq.Response
---@field status integer 200 to 599
---@field headers table<string, string|string[]> names in any letter case
---@field body any a string leaves as it is, nil is no body, anything else is JSON
local Response = {}
Response.__index = Response

local response = { Response = Response }

local function check_status(status, what)
  if type(status) ~= "number" or status % 1 ~= 0 or status < 200 or status > 599 then
    place.fail("%s: status is an integer from 200 to 599, not %s", what, tostring(status))
  end
  return status
end

local function new(status, headers, body)
  return setmetatable({ status = status, headers = headers, body = body }, Response)
end
response.new = new

--- A Set-Cookie field; several may be set.
---@param name string a token (RFC 6265bis); "__Host-" and "__Secure-" names must keep their promise
---@param value string cookie octets: no spaces, quotes, commas, semicolons or backslashes
---@param options? { path: string, domain: string, max_age: integer, expires: integer, secure: boolean, http_only: boolean, same_site: "lax"|"strict"|"none", partitioned: boolean }
---  max_age in seconds, expires in seconds since 1970; path = "/", http_only = true and
---  same_site = "lax" unless said otherwise
---@return barq.Response self
--- Raises: on a name, value or attribute that cannot be sent.
function Response:set_cookie(name, value, options)
  local field, why = core.set_cookie(name, value, options)
  if not field then place.fail("set_cookie: %s", why) end
  local headers = self.headers
  local list = headers["set-cookie"]
  if type(list) == "string" then list = { list } end
  list = list or {}
  list[#list + 1] = field
  headers["set-cookie"] = list
  return self
end

--- Tells the browser to forget a cookie; path and domain as when it was set.
---@param name string
---@param options? { path: string, domain: string, secure: boolean, partitioned: boolean }
---@return barq.Response self
function Response:delete_cookie(name, options)
  local o = { max_age = 0, expires = 0 }
  for k, v in pairs(options or {}) do o[k] = v end
  return self:set_cookie(name, "", o)
end

--- Sets a header field; a field that is there is replaced.
---@param name string a token; framing fields (Content-Length, Connection, …) are the server's
---@param value string|string[] without control characters
---@return barq.Response self
function Response:header(name, value)
  local lower = name:lower()
  for other in pairs(self.headers) do
    if other:lower() == lower then self.headers[other] = nil end
  end
  self.headers[lower] = value
  return self
end

-- The application's table may be a constant of its own: what is set for one answer, a
-- cookie above all, must not be there in the next.
local function copy_headers(headers)
  if type(headers) ~= "table" then return headers end -- refused when it is sent
  local copy = {}
  for name, value in pairs(headers) do
    copy[name] = type(value) == "table" and { unpack(value) } or value
  end
  return copy
end

local response_keys = { status = true, headers = true, body = true }

--- A response in full.
---@param parts { status?: integer, headers?: table<string, string|string[]>, body?: any } status 200 unless given
---@return barq.Response
function response.response(parts)
  if type(parts) ~= "table" then
    place.fail("barq.response: a table of status, headers and body expected, got %s", type(parts))
  end
  for key in pairs(parts) do
    if not response_keys[key] then
      place.fail('barq.response: unknown field "%s"%s', tostring(key),
        require "barq.names".hint(key, response_keys))
    end
  end
  if parts.headers ~= nil and type(parts.headers) ~= "table" then
    place.fail("barq.response: headers is a table, not a %s", type(parts.headers))
  end
  local status = check_status(parts.status or 200, "barq.response")
  return new(status, copy_headers(parts.headers or {}), parts.body)
end

local function typed(what, content_type)
  return function(body, status)
    if type(body) ~= "string" then
      place.fail("%s: a string expected, got %s", what, type(body))
    end
    return new(check_status(status or 200, what), { ["content-type"] = content_type }, body)
  end
end

--- An HTML page.
---@type fun(body: string, status?: integer): barq.Response
response.html = typed("barq.html", "text/html; charset=utf-8")

--- Plain text.
---@type fun(body: string, status?: integer): barq.Response
response.text = typed("barq.text", "text/plain; charset=utf-8")

--- JSON, also for values that returned alone would mean something else (a string, nil).
---@param value any
---@param status? integer 200 unless given
---@return barq.Response
function response.json(value, status)
  local body = value
  if body == nil then body = core.null end
  if type(body) == "string" then body = core.json_encode(body) end
  local headers = { ["content-type"] = "application/json" }
  return new(check_status(status or 200, "barq.json"), headers, body)
end

local function encode_byte(c) return ("%%%02X"):format(c:byte()) end

local redirect_statuses = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

--- Sends the client elsewhere.
---@param location string an absolute or relative URL; bytes that a URL may not hold are percent-encoded
---@param status? 301|302|303|307|308 302 unless given; 303 after a form, 307 or 308 to keep the method
---@return barq.Response
function response.redirect(location, status)
  if type(location) ~= "string" or location == "" then
    place.fail("barq.redirect: a URL expected")
  end
  if location:find("[%z\1-\31\127]") then
    place.fail("barq.redirect: the URL holds a control character")
  end
  status = status or 302
  if not redirect_statuses[status] then
    place.fail("barq.redirect: status is 301, 302, 303, 307 or 308, not %s", tostring(status))
  end
  local url = location:gsub('[^%w%-._~:/?#%[%]@!$&\'()*+,;=%%]', encode_byte)
  return new(status, { location = url }, nil)
end

--- What a handler returned, as a Response of the request's own: what `next` gives to middleware.
---@param value any
---@param status? integer
---@param default_status? integer of the route
---@return barq.Response
function response.of(value, status, default_status)
  if getmetatable(value) == Response then
    return new(status or value.status, copy_headers(value.headers), value.body)
  end
  if value == nil then return new(status or default_status or 204, {}, nil) end
  local kind = type(value) == "string" and "text/plain; charset=utf-8" or "application/json"
  return new(status or default_status or 200, { ["content-type"] = kind }, value)
end

return response
