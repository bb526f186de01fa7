-- wire.lua: requests as a test describes them, to and from the bytes of HTTP/1.1.
local core = require "barq.testing.core"

local wire = {}

local function fail(format, ...) error(format:format(...), 0) end

local function escape(text)
  return (tostring(text):gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function sorted_keys(map, what)
  local keys = {}
  for key in pairs(map) do
    if type(key) ~= "string" then
      fail("%s has names, as { q = 1 }; got [%s]", what, tostring(key))
    end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

-- fn(name, value) for each pair, in the order of the names; a list is one pair for each element.
local function each_pair(map, what, fn)
  for _, name in ipairs(sorted_keys(map, what)) do
    local value = map[name]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      fn(name, tostring(one))
    end
  end
end

--- Pairs as in a query or a form.
---@param map table<string, string|number|boolean|table>
---@param what string for messages
---@return string
function wire.pairs_text(map, what)
  local parts = {}
  each_pair(map, what, function(name, value)
    parts[#parts + 1] = escape(name) .. "=" .. escape(value)
  end)
  return table.concat(parts, "&")
end

local function add_query(path, query)
  local text = query and wire.pairs_text(query, "query") or ""
  if text == "" then return path end
  return path .. (path:find("?", 1, true) and "&" or "?") .. text
end

local bodies = {
  json = function(value) return core.encode(value), "application/json" end,
  form = function(value)
    return wire.pairs_text(value, "form"), "application/x-www-form-urlencoded"
  end,
  body = function(value) return value, nil end,
}

-- The body's bytes, and their type.
local function body_of(options)
  local found
  for kind in pairs(bodies) do
    if options[kind] ~= nil then
      if found then fail("%s and %s exclude each other: a request has one body", found, kind) end
      found = kind
    end
  end
  if found then return bodies[found](options[found]) end
end

local function cookie_text(cookies)
  local parts = {}
  each_pair(cookies, "cookies", function(name, value) parts[#parts + 1] = name .. "=" .. value end)
  return table.concat(parts, "; ")
end

local function default_fields(options, body, kind)
  local fields = { host = "localhost", connection = "close", ["content-type"] = kind }
  if body then fields["content-length"] = #body end
  if options.cookies then fields.cookie = cookie_text(options.cookies) end
  return fields
end

local function check_clean(text, what)
  if text:find("[\r\n%z]") then fail("%s has a line break or a NUL: %q", what, text) end
  return text
end

local known = {
  body = true, cookies = true, form = true, headers = true, json = true, query = true,
}

--- A request's bytes.
---@param method string
---@param path string
---@param options barq.testing.Options
---@return string
--- Raises: on an unknown option, and on what would be no request.
function wire.request(method, path, options)
  for key in pairs(options) do
    if not known[key] then fail('unknown option "%s"', tostring(key)) end
  end
  local target = check_clean(add_query(path, options.query), "the path")
  if target:sub(1, 1) ~= "/" or target:find(" ", 1, true) then
    fail('a path begins with "/" and has no spaces, as "/items/1"; got "%s"', target)
  end
  local body, kind = body_of(options)
  local fields = default_fields(options, body, kind)
  for name, value in pairs(options.headers or {}) do fields[name:lower()] = value end
  local lines = { ("%s %s HTTP/1.1"):format(method, target) }
  each_pair(fields, "headers", function(name, value)
    lines[#lines + 1] = name .. ": " .. check_clean(value, "header " .. name)
  end)
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
end

-- What chunks hold (RFC 9112, section 7.1); nil where their end is missing.
local function join_chunks(text)
  local parts, at = {}, 1
  while true do
    local size, data = text:match("^(%x+)[^\r\n]*\r\n()", at)
    if not size then return nil end
    local n = tonumber(size, 16)
    if n == 0 then return table.concat(parts) end
    parts[#parts + 1] = text:sub(data, data + n - 1)
    at = data + n + 2
  end
end

local function read_fields(head)
  local fields = {}
  for name, value in head:gmatch("\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    name = name:lower()
    fields[name] = fields[name] or {}
    fields[name][#fields[name] + 1] = value
  end
  return fields
end

--- An answer, from its bytes up to the end of the connection.
---@param bytes string
---@param method string of the request
---@return { status: integer, fields: table<string, string[]>, body: string }
--- Raises: when it is no answer, or not the whole of one.
function wire.answer(bytes, method)
  local status, head, at = bytes:match("^HTTP/1%.1 (%d%d%d)([^\n]*\n.-)\r\n\r\n()")
  if not status then
    fail("%s", bytes == "" and "the connection was closed without an answer"
      or ("no HTTP answer: %q"):format(bytes:sub(1, 80)))
  end
  local fields = read_fields(head)
  local body = bytes:sub(at)
  local length = fields["content-length"] and tonumber(fields["content-length"][1])
  if fields["transfer-encoding"] then body = join_chunks(body) end
  if not body or (length and method ~= "HEAD" and #body ~= length and status ~= "304") then
    fail("the answer ended before it was whole: %q", bytes:sub(1, 80))
  end
  return { status = tonumber(status), fields = fields, body = body }
end

return wire
