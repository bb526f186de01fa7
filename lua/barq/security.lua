-- security.lua: providers that read credentials from a request, and say in the OpenAPI document
-- how a client shows them. Whether the credentials are good is the application's own question.
--
-- They read what was sent, not req.headers, which is another table when a route declares its
-- headers.
local base64 = require "barq.base64"
local depends = require "barq.depends"
local errors = require "barq.errors"
local names = require "barq.names"
local place = require "barq.place"
local state = require "barq.state"

local security = {}

---@class barq.BearerOptions
---@field name? string of the scheme in the OpenAPI document
---@field format? string of the token, for people: "JWT"
---@field realm? string said in WWW-Authenticate; "api" unless given
---@field description? string
---@field optional? boolean nil instead of a 401 when there are no credentials

---@class barq.BasicOptions
---@field name? string of the scheme in the OpenAPI document
---@field realm? string what a browser shows; "api" unless given
---@field description? string
---@field optional? boolean nil instead of a 401 when there are no credentials

---@class barq.ApiKeyOptions
---@field name string of the header, query parameter or cookie
---@field in? "header"|"query"|"cookie" "header" unless given
---@field realm? string said in WWW-Authenticate; "api" unless given
---@field description? string
---@field optional? boolean nil instead of a 401 when there is no key

local common = { name = "string", realm = "string", description = "string", optional = "boolean" }

local function with(option, expected)
  local known = { [option] = expected }
  for name, kind in pairs(common) do known[name] = kind end
  return known
end

local bearer_options = with("format", "string")
local api_key_options = with("in", "string")

local function check_options(options, known, what)
  state.check_open(what)
  if type(options) ~= "table" then
    place.fail("%s: options are a table, as { optional = true }, not a %s", what, type(options))
  end
  for name, value in pairs(options) do
    if not known[name] then
      place.fail('%s: unknown option "%s"%s', what, tostring(name), names.hint(name, known))
    end
    if type(value) ~= known[name] then
      place.fail("%s: %s is a %s, not a %s", what, name, known[name], type(value))
    end
  end
  if options.realm and not options.realm:find('^[^%z\1-\31\127"\\]*$') then
    place.fail("%s: realm holds a quotation mark, a backslash or a control character", what)
  end
end

local function challenge(name, options, more)
  return ('%s realm="%s"%s'):format(name, options.realm or "api", more or "")
end

local function refuse(authenticate)
  errors.abort { status = 401, detail = "Not authenticated",
    headers = { ["www-authenticate"] = authenticate } }
end

-- read(req) gives what was sent: nil for nothing, false for what cannot be credentials.
local function provider(scheme, options, authenticate, read)
  scheme.description, scheme.optional = options.description, options.optional
  local made = depends.depends {
    description = options.description,
    open = function(req)
      local credentials = read(req)
      if credentials == nil and options.optional then return nil end
      return credentials or refuse(authenticate)
    end,
  }
  made.security = scheme
  return made
end

-- All fields of that name, which is in lower case.
local function header_values(req, name)
  local values = {}
  for _, field in ipairs(req:header_list()) do
    if field[1] == name then values[#values + 1] = field[2] end
  end
  return values
end

-- What follows the scheme's name in Authorization (RFC 9110, section 11.6.2); nil when there are
-- no credentials of this scheme, false when there are more than one field of them.
local function authorization(req, scheme)
  local values = header_values(req, "authorization")
  if #values > 1 then return false end
  local name, rest = (values[1] or ""):match("^(%S+) *(.*)$")
  if not name or name:lower() ~= scheme then return nil end
  return rest
end

--- Credentials of the form `Authorization: Bearer <token>` (RFC 6750): the provider's value is the
--- token. Without one, or with a malformed one, the answer is 401.
---@param options? barq.BearerOptions
---@return barq.Provider
--- Raises: on an unknown option or one of another type.
function security.bearer(options)
  options = options or {}
  check_options(options, bearer_options, "barq.bearer")
  local scheme = { kind = "bearer", name = options.name, format = options.format }
  return provider(scheme, options, challenge("Bearer", options), function(req)
    local token = authorization(req, "bearer")
    return token and (token:match("^[%w%-._~+/]+=*$") or false)
  end)
end

local function parse_basic(text)
  local pair = base64.decode(text)
  local username, password = (pair or ""):match("^([^:]*):(.*)$")
  -- RFC 7617, section 2: neither holds a control character.
  if not username or pair:find("[%z\1-\31\127]") then return false end
  return { username = username, password = password }
end

--- Credentials of the form `Authorization: Basic …` (RFC 7617): the provider's value is
--- `{ username = …, password = … }`. Without them, or with malformed ones, the answer is 401, for
--- which a browser asks its user.
---@param options? barq.BasicOptions
---@return barq.Provider
--- Raises: on an unknown option or one of another type.
function security.basic(options)
  options = options or {}
  check_options(options, common, "barq.basic")
  local scheme = { kind = "basic", name = options.name }
  local authenticate = challenge("Basic", options, ', charset="UTF-8"')
  return provider(scheme, options, authenticate, function(req)
    local text = authorization(req, "basic")
    return text and parse_basic(text)
  end)
end

local function from_header(name)
  name = name:lower()
  return function(req)
    local values = header_values(req, name)
    if #values > 1 then return false end
    return values[1]
  end
end

local function from_query(name)
  return function(req)
    local values = req:query_all(name)
    if #values > 1 then return false end
    return values[1]
  end
end

local function from_cookie(name)
  return function(req)
    for _, line in ipairs(header_values(req, "cookie")) do
      for pair in line:gmatch("[^;]+") do
        local key, value = pair:match("^%s*([^=]-)%s*=%s*(.-)%s*$")
        if key == name then return value end
      end
    end
  end
end

local readers = { header = from_header, query = from_query, cookie = from_cookie }

--- A key in a header, a query parameter or a cookie: the provider's value is the key. Without one
--- the answer is 401. An empty one is none.
---@param options barq.ApiKeyOptions
---@return barq.Provider
--- Raises: on a missing name, a place that there is not, an unknown option.
function security.api_key(options)
  local what = "barq.api_key"
  check_options(options, api_key_options, what)
  local name, where = options.name, options["in"] or "header"
  if not readers[where] then
    place.fail('%s: in is "header", "query" or "cookie", not "%s"', what, where)
  end
  local pattern = where == "query" and "^.+$" or "^[%w!#$%%&'*+%-.^_`|~]+$"
  if not name or not name:find(pattern) then
    place.fail('%s: name is the name of the %s, as "x-api-key"; got %s', what, where,
      name and ('"%s"'):format(name) or "nothing")
  end
  local read = readers[where](name)
  local scheme = { kind = "api_key", name = name, ["in"] = where }
  return provider(scheme, options, challenge("ApiKey", options), function(req)
    local key = read(req)
    if key == "" then return nil end
    return key
  end)
end

return security
