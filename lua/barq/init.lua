-- init.lua: `require "barq"`: everything an application calls, gathered.
local cancel = require "barq.cancel"
local core = require "barq.core"
local config = require "barq.config"
local depends = require "barq.depends"
local errors = require "barq.errors"
local group = require "barq.group"
local hooks = require "barq.hooks"
local log = require "barq.log"
local middleware = require "barq.middleware"
local names = require "barq.names"
local offload = require "barq.offload"
local place = require "barq.place"
local response = require "barq.response"
local schema = require "barq.schema"
local security = require "barq.security"
local shared = require "barq.shared"
local sqlite = require "barq.sqlite"
local state = require "barq.state"
local tasks = require "barq.tasks"
local timers = require "barq.timers"
local with = require "barq.with"

---@class barq: barq.Routes
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
  after = timers.after,
  all = tasks.all,
  api_key = security.api_key,
  array = core.array,
  basic = security.basic,
  bearer = security.bearer,
  all_routes = group.all,
  closed = cancel.closed,
  config = config.config,
  depends = depends.depends,
  every = timers.every,
  group = group.group,
  html = response.html,
  info = config.info,
  json = response.json,
  log = log,
  mount = group.mount,
  now = core.now,
  object = core.object,
  offload = offload,
  on = hooks.on,
  on_error = errors.on_error,
  redirect = response.redirect,
  response = response.response,
  schema = schema.schema,
  shared = shared,
  sleep = core.sleep,
  spawn = tasks.spawn,
  --- Databases in files: open, migrate, blob.
  sqlite = sqlite,
  t = schema.t,
  text = response.text,
  use = middleware.use,
  with = with,
  with_timeout = tasks.with_timeout,
}

for verb in pairs(group.verbs) do barq[verb] = group.root[verb] end

--- The URL path of a named route.
---@param name string as in the route's spec
---@param params? table<string, string|number> a value for each parameter
---@param query? table<string, string|number|boolean|(string|number)[]> in the order of its names
---@return string
--- Raises: on an unknown name, a missing or unknown parameter, a value its converter refuses.
function barq.url_for(name, params, query)
  local route = state.named[name]
  if not route then
    place.fail('barq.url_for: no route is named "%s"%s', tostring(name),
      next(state.named) and names.hint(name, state.named) or "")
  end
  local url, why = core.build_path(route.path, params or {})
  if not url then place.fail('barq.url_for("%s"): %s', name, why) end
  if query and next(query) then
    local sorted = {}
    for key in pairs(query) do sorted[#sorted + 1] = key end
    table.sort(sorted)
    url = url .. "?" .. core.build_query(query, sorted)
  end
  return url
end

return setmetatable(barq, {
  __index = function(_, key)
    place.fail('barq has no "%s"%s', tostring(key), names.hint(key, barq))
  end,
})
