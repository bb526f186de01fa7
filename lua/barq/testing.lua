-- testing.lua: an application in the process of its tests: requests through the real parser, router
-- and dispatch over a connection in memory, without a port. `barq-server test` runs such specs.
--
-- The application shares the test's Lua heap, so that values and functions pass as they are, but
-- has globals and modules of its own: clients do not see each other.
local found, core = pcall(require, "barq.testing.core")
if not found then
  error('barq.testing is for specs: run them by "barq-server test"', 0)
end
local wire = require "barq.testing.wire"

---@class barq.testing.Options
---@field query? table<string, string|number|boolean|table> a list is the name several times
---@field headers? table<string, string|number|table>
---@field cookies? table<string, string>
---@field json? any the body; `client:require("barq").null` is null
---@field form? table<string, string|number|boolean|table> the body, urlencoded
---@field body? string the body as it is

---@class barq.testing.ClientOptions
---@field config? table<string, string|number|boolean> as for barq.config, which it wins over
---@field headers? table<string, string|number> of every request
---@field timeout? number seconds that a request may take: 5

---@class barq.testing.Response
---@field status integer
---@field headers table<string, string> lower-case names; several of one name are joined by ", "
---@field cookies table<string, string> that the answer sets, without their attributes
---@field body string
---@field text string the body
---@field json any the body's value; raises when it is not JSON
---@field error? string the traceback of what the handler raised, as it is in the log
---@field private fields table<string, string[]>
local Response = {}

local lazy = {
  text = function(self) return self.body end,
  json = function(self)
    local value = core.decode(self.body)
    if value == nil then error(("the body is no JSON: %q"):format(self.body:sub(1, 200)), 3) end
    return value
  end,
}

function Response.__index(self, key)
  local make = lazy[key]
  if make then return make(self) end
  return Response[key]
end

--- Each value of a header that comes several times.
---@param name string
---@return string[]
function Response:header_all(name) return self.fields[name:lower()] or {} end

local function read_cookies(fields)
  local cookies = {}
  for _, line in ipairs(fields["set-cookie"] or {}) do
    local name, value = line:match("^([^=;]+)=([^;]*)")
    if name then cookies[name] = value end
  end
  return cookies
end

local function response(bytes, method, report)
  local answer = wire.answer(bytes, method)
  local headers = {}
  for name, values in pairs(answer.fields) do headers[name] = table.concat(values, ", ") end
  return setmetatable({
    status = answer.status, headers = headers, body = answer.body, fields = answer.fields,
    cookies = read_cookies(answer.fields), error = report ~= "" and report or nil,
  }, Response)
end

---@alias barq.testing.Verb fun(self: barq.testing.Client, path: string, options?: barq.testing.Options): barq.testing.Response

--- Each method sends a request as `request` does.
---@class barq.testing.Client
---@field get barq.testing.Verb
---@field post barq.testing.Verb
---@field put barq.testing.Verb
---@field patch barq.testing.Verb
---@field delete barq.testing.Verb
---@field head barq.testing.Verb
---@field options barq.testing.Verb
---@field private app any the application, as C has it; nil when it is closed
---@field private given barq.testing.ClientOptions
---@field private modules { depends: table, names: table, state: table }
local Client = {}
Client.__index = Client

local testing = {}
local open = {}

local DEFAULT_SECONDS = 5

-- Errors blame the spec's line.
local function blamed(what, ok, ...)
  if not ok then error(("%s: %s"):format(what, tostring((...))), 3) end
  return ...
end

local function app_of(client)
  if not client.app then error("the client is closed", 3) end
  return client.app
end

local function merged_headers(common, own)
  local headers = {}
  for name, value in pairs(common or {}) do headers[name:lower()] = value end
  for name, value in pairs(own or {}) do headers[name:lower()] = value end
  return headers
end

local function with_headers(options, common)
  local all = {}
  for key, value in pairs(options) do all[key] = value end
  all.headers = merged_headers(common, options.headers)
  return all
end

--- Sends a request and waits for the answer, and for what req:after left to do.
---@param method string
---@param path string with the query, unless that is in options
---@param options? barq.testing.Options
---@return barq.testing.Response
--- Raises: when there is no answer in time, or no whole one.
function Client:request(method, path, options)
  local app = app_of(self)
  local what = ("%s %s"):format(tostring(method), tostring(path))
  local request = blamed(what, pcall(wire.request, method, path,
    with_headers(options or {}, self.given.headers)))
  local bytes, report = app:exchange(request, self.given.timeout or DEFAULT_SECONDS)
  if not bytes then error(("%s: %s"):format(what, report), 2) end
  return blamed(what, pcall(response, bytes, method, report))
end

for _, method in ipairs { "get", "post", "put", "patch", "delete", "head", "options" } do
  Client[method] = function(self, path, options)
    return self:request(method:upper(), path, options)
  end
end

-- In the application its `require` is among its own globals, not among those of this file.
local function require_inside(name) return getfenv(0).require(name) end

--- Runs fn as the application's own code: it may wait, and use barq.with.
---@param fn function
---@param ... any its arguments
---@return any ... what it returned
--- Raises: what it raised, with its traceback.
function Client:run(fn, ...)
  local function finish(ok, ...)
    if ok then return ... end
    error((...), 0)
  end
  return finish(app_of(self):run(self.given.timeout or DEFAULT_SECONDS, fn, ...))
end

--- A module as the application has it: `client:require("barq")`, `client:require("store")`.
---@param name string
---@return any
--- Raises: as `require` does.
function Client:require(name) return self:run(require_inside, name) end

local function only(set)
  local provider, another = next(set), nil
  if provider then another = next(set, provider) end
  return not another and provider or nil
end

local function named_provider(client, name)
  local providers = client.modules.state.providers
  local set = providers[name]
  if not set then
    error(('client:override: no route depends on "%s"%s'):format(name,
      client.modules.names.hint(name, providers)), 3)
  end
  local provider = only(set)
  if provider then return provider end
  local places = {}
  for each in pairs(set) do places[#places + 1] = each.place or "?" end
  table.sort(places)
  error(('client:override: "%s" means several providers (%s): pass the one itself'):format(name,
    table.concat(places, ", ")), 3)
end

local function find_provider(client, provider)
  if type(provider) == "string" then return named_provider(client, provider) end
  local ok, is = pcall(client.modules.depends.provider, provider, "client:override")
  if not ok then error(is, 3) end
  return is
end

local function replacement(client, value)
  local depends = client.modules.depends
  if value == nil then return nil end
  if depends.is(value) or type(value) == "function" then
    return depends.provider(value, "client:override")
  end
  return depends.provider(function() return value end, "client:override")
end

--- Puts something in the place of a provider for the requests to come; what the provider itself
--- depends on, and what it demands of the request, is then not asked for. nil undoes it.
---@param provider barq.Provider|barq.Open|string the provider, or its name in a `depends`
---@param value any a function(req, deps) or a provider takes its place; all else is the value itself
--- Raises: on an unknown or ambiguous name, or where the replacement does not fit, as when it has
--- the request's scope and the worker's providers need it.
function Client:override(provider, value)
  local app = app_of(self)
  local replaced = self.modules.state.replaced
  local key = find_provider(self, provider)
  local before = replaced[key]
  replaced[key] = replacement(self, value)
  local ok, why = app:refreeze()
  if ok then return end
  replaced[key] = before
  app:refreeze()
  error("client:override: " .. why, 2)
end

--- A provider to override another one with, where a function is not enough.
---@param spec barq.ProviderSpec
---@return barq.Provider
--- Raises: as barq.depends does.
function Client:provider(spec)
  app_of(self)
  local state = self.modules.state
  state.frozen = false
  local ok, provider = pcall(self.modules.depends.depends, spec)
  state.frozen = true
  return ok and provider or error(provider, 2)
end

--- Ends the application: its hooks "drain" and "stop" run, what it opened is closed, overrides end
--- with it. Twice is harmless.
function Client:close()
  if not self.app then return end
  self.app:close()
  self.app = nil
  open[self] = nil
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- Beside the spec that asks, or from the current directory.
local function locate(path)
  if path:sub(1, 1) == "/" then return path end
  local spec = debug.getinfo(3, "S") -- none where a tail call left no trace of it
  local folder = spec and spec.source:match("^@(.*/)")
  local beside = folder and folder .. path
  return beside and exists(beside) and beside or path
end

local client_options = { config = "table", headers = "table", timeout = "number" }

local function check_options(options)
  for key, value in pairs(options) do
    if client_options[key] ~= type(value) then
      error(('testing.client: option "%s" is %s'):format(tostring(key), client_options[key]
        and "a " .. client_options[key] or "unknown: there are config, headers and timeout"), 3)
    end
  end
end

--- Loads an application, runs its hooks "start" and "worker", and is its client. Each client has an
--- application of its own.
---@param path string its file, seen from the spec's folder, or else from the current one
---@param options? barq.testing.ClientOptions
---@return barq.testing.Client
--- Raises: when the application does not load.
function testing.client(path, options)
  options = options or {}
  check_options(options)
  local file = locate(path)
  if not exists(file) then error(('testing.client: there is no "%s"'):format(path), 2) end
  local ok, app, why = pcall(core.open, file, options.config or {})
  if not ok or not app then error(("testing.client: %s: %s"):format(file, why or app), 2) end
  local client = setmetatable({ app = app, given = options }, Client)
  open[client] = true
  client.modules = {
    depends = client:require("barq.depends"), names = client:require("barq.names"),
    state = client:require("barq.state"),
  }
  return client
end

--- Closes every client that is open. `barq-server test` does so at the end.
function testing.close_all()
  for client in pairs(open) do client:close() end
end

return testing
