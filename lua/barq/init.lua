-- init.lua: `require "barq"`: everything an application calls, gathered.
--
-- What answers need is there at once; the rest is looked up where it stands when it is asked for:
-- what only declares (declares.lua) is let go once the server serves (settle.lua), and what few
-- applications use is loaded for those.
local cancel = require "barq.cancel"
local core = require "barq.core"
local errors = require "barq.errors"
local place = require "barq.place"
local response = require "barq.response"
local state = require "barq.state"

---@class barq: barq.Routes
---@field log barq.Log
---@field offload fun(module: string, name: string, ...: any): any calls a function on another thread, and waits for it (offload.lua)
---@field shared fun(name: string, opts?: barq.SharedOptions): barq.Store memory that all workers share, by name (shared.lua)
---@field sqlite barq.SqliteModule databases in files: open, migrate, blob
local barq = {
  version = core.version,
  --- The number of this worker, from 0.
  worker = core.worker,
  --- JSON null.
  null = core.null,

  Cancelled = cancel.Cancelled,
  Closed = cancel.Closed,
  Timeout = cancel.Timeout,

  abort = errors.abort,
  array = core.array,
  closed = cancel.closed,
  html = response.html,
  json = response.json,
  now = core.now,
  object = core.object,
  redirect = response.redirect,
  response = response.response,
  sleep = core.sleep,
  text = response.text,
}

--- The URL path of a named route.
---@param name string as in the route's spec
---@param params? table<string, string|number> a value for each parameter
---@param query? table<string, string|number|boolean|(string|number)[]> in the order of its names
---@return string
--- Raises: on an unknown name, a missing or unknown parameter, a value its converter refuses.
function barq.url_for(name, params, query)
  local path = state.named[name]
  if not path then
    place.fail('barq.url_for: no route is named "%s"%s', tostring(name),
      next(state.named) and require "barq.names".hint(name, state.named) or "")
  end
  local url, why = core.build_path(path, params or {})
  if not url then place.fail('barq.url_for("%s"): %s', name, why) end
  if query and next(query) then
    local sorted = {}
    for key in pairs(query) do sorted[#sorted + 1] = key end
    table.sort(sorted)
    url = url .. "?" .. core.build_query(query, sorted)
  end
  return url
end

-- Where the rest is found: a module, or a member of one.
local rest = {
  log = "barq.log", offload = "barq.offload", shared = "barq.shared", sqlite = "barq.sqlite",
}
local BESIDE = "barq.beside"
for _, name in ipairs { "after", "all", "every", "spawn", "with", "with_timeout" } do
  rest[name] = BESIDE
end

local function unknown(name)
  local known = {}
  for _, part in ipairs { barq, rest, require "barq.declares" } do
    for each in pairs(part) do known[each] = true end
  end
  place.fail('barq has no "%s"%s', tostring(name),
    require "barq.names".hint(name, known))
end

return setmetatable(barq, {
  __index = function(self, name)
    local module = rest[name]
    if not module then
      local declared = require "barq.declares"[name]
      return declared == nil and unknown(name) or declared
    end
    local value = require(module)
    if module == BESIDE then value = value[name] end
    rawset(self, name, value)
    return value
  end,
})
