-- freeze.lua: from declarations to what C compiles. The server calls it once, after load.
local errors = require "barq.errors"
local group = require "barq.group"
local hooks = require "barq.hooks"
local middleware = require "barq.middleware"
local state = require "barq.state"
local strict = require "barq.strict"

local function append(list, more)
  local joined = {}
  for _, v in ipairs(list) do joined[#joined + 1] = v end
  for _, v in ipairs(more or {}) do joined[#joined + 1] = v end
  return joined
end

local function join(prefix, path)
  if path == "" then return prefix == "" and "/" or prefix end
  return prefix .. path
end

-- Whether fn looks at its first argument at all: if not, the request object is not built.
local function takes_request(fn)
  local info = debug.getinfo(fn, "u")
  return info.isvararg or info.nparams > 0
end

local function compile_route(entry, around)
  local spec = entry.spec
  local list = append(around.middleware, spec.middleware)
  return {
    method = entry.method,
    path = join(around.prefix, entry.path),
    handler = middleware.compose(list, entry.handler, spec.status),
    takes_request = #list > 0 or takes_request(entry.handler),
    status = spec.status,
    body_max = spec.body_max or around.body_max,
    name = spec.name,
    place = entry.place,
  }
end

local collect

local function enter(inner, prefix, around, routes)
  collect(inner, {
    prefix = around.prefix .. prefix .. inner.prefix,
    middleware = append(around.middleware, inner.spec.middleware),
    body_max = inner.spec.body_max or around.body_max,
  }, routes)
end

function collect(tree, around, routes)
  for _, entry in ipairs(tree.entries) do
    if entry.kind == "route" then
      routes[#routes + 1] = compile_route(entry, around)
    elseif entry.kind == "mount" then
      enter(entry.group, entry.prefix, around, routes)
    elseif not entry.group.mounted then
      enter(entry.group, "", around, routes)
    end
  end
end

local function check_names(routes)
  for _, route in ipairs(routes) do
    local earlier = route.name and state.named[route.name]
    if earlier then
      error(('%s: the route name "%s" is taken: %s has it'):format(route.place, route.name,
        earlier.place), 0)
    end
    if route.name then state.named[route.name] = route end
  end
end

--- Ends the declarations.
---@param dev boolean
---@return table compiled { routes, fallback, respond, run_hooks, run_after }
return function(dev)
  local routes = {}
  collect(group.root, { prefix = "", middleware = state.middleware }, routes)
  check_names(routes)
  state.frozen = true
  strict.watch(dev)
  return {
    routes = routes,
    fallback = middleware.fallback(),
    respond = errors.respond,
    run_hooks = hooks.run,
    run_after = hooks.run_after,
  }
end
