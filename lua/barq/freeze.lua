-- freeze.lua: from declarations to what C compiles. The server calls it once, after load.
local cancel = require "barq.cancel"
local depends = require "barq.depends"
local errors = require "barq.errors"
local group = require "barq.group"
local hooks = require "barq.hooks"
local input = require "barq.input"
local middleware = require "barq.middleware"
local problems = require "barq.problems"
local schema = require "barq.schema"
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

-- What the route and its providers declare of the request, together.
local function compile_input(spec, list, path, where)
  local own, more = {}, {}
  for part in pairs(input.parts) do own[part] = spec[part] end
  for i, step in ipairs(list) do
    more[i] = { input = step.provider.input, place = step.provider.place }
  end
  local merged = input.merge(own, more, where)
  input.match_path(merged.params, path, where, own.params ~= nil)
  return merged
end

-- For people: the names of what a route's handler and groups ask for, in the order of opening;
-- what has no name is known by its place.
local function needs_of(list, needs, deps)
  local names, at = {}, {}
  for name, slot in pairs(deps) do at[name] = slot end
  for _, entry in ipairs(needs) do
    if type(entry.name) ~= "string" then
      local name = ("(%s)"):format(entry.provider.place or "?")
      for slot, step in ipairs(list) do
        if step.provider == entry.provider then at[name] = slot end
      end
    end
  end
  for name in pairs(at) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    if at[a] ~= at[b] then return (at[a] or 0) < (at[b] or 0) end
    return a < b
  end)
  return names
end

local function security_of(list)
  local schemes
  for _, step in ipairs(list) do
    if step.provider.security then
      schemes = schemes or {}
      schemes[#schemes + 1] = step.provider.security
    end
  end
  return schemes
end

-- A route's own value, false included, or its group's.
local function inherit(own, outer)
  if own ~= nil then return own end
  return outer
end

local function compile_route(entry, around)
  local spec = entry.spec
  local timeout = inherit(spec.timeout, around.timeout) or nil
  local path = join(around.prefix, entry.path)
  local needs = depends.join(around.depends, spec.depends, entry.place)
  local list, deps = depends.flatten(needs, entry.place)
  return {
    method = entry.method,
    path = path,
    handler = state.dev_page and state.dev_page.watched(entry.handler) or entry.handler,
    chain = middleware.chain(append(around.middleware, spec.middleware), spec.status),
    takes_request = takes_request(entry.handler),
    input = compile_input(spec, list, path, entry.place),
    plan = { steps = list, deps = deps }, -- the latter is what the handler finds in deps
    needs = needs_of(list, needs, deps),
    security = security_of(list),
    returns = spec.returns,
    status = spec.status,
    body_max = spec.body_max or around.body_max,
    timeout = timeout,
    timeout_error = timeout and cancel.new_deadline(timeout),
    ignores_disconnect = inherit(spec.disconnect, around.disconnect) == "ignore",
    name = spec.name,
    place = entry.place,
    tags = append(around.tags, spec.tags),
    summary = spec.summary,
    description = spec.description,
    deprecated = spec.deprecated,
    hidden = spec.hidden or around.hidden,
  }
end

-- A group's description is its tag's, if it has one of its own.
local function describe_tag(spec, hidden, tags)
  local name = spec.tags and #spec.tags == 1 and spec.tags[1]
  if not name or not spec.description or hidden or tags[name] then return end
  tags[name] = true
  tags[#tags + 1] = { name = name, description = spec.description }
end

local collect

local function enter(inner, prefix, around, routes)
  local hidden = inner.spec.hidden or around.hidden
  describe_tag(inner.spec, hidden, around.described)
  collect(inner, {
    prefix = around.prefix .. prefix .. inner.prefix,
    middleware = append(around.middleware, inner.spec.middleware),
    body_max = inner.spec.body_max or around.body_max,
    timeout = inherit(inner.spec.timeout, around.timeout),
    disconnect = inherit(inner.spec.disconnect, around.disconnect),
    depends = depends.join(around.depends, inner.spec.depends, inner.place),
    tags = append(around.tags, inner.spec.tags),
    hidden = hidden,
    described = around.described,
  }, routes)
end

function collect(tree, around, routes)
  for _, entry in ipairs(group.entries[tree]) do
    if entry.kind == "route" then
      routes[#routes + 1] = problems.attempt(compile_route, entry, around)
    elseif entry.kind == "mount" then
      problems.attempt(enter, entry.group, entry.prefix, around, routes)
    elseif not entry.group.mounted then
      problems.attempt(enter, entry.group, "", around, routes)
    end
  end
end

local function take_name(route, places)
  local earlier = places[route.name]
  if earlier then
    error(('%s: the route name "%s" is taken: %s has it'):format(route.place, route.name, earlier),
      0)
  end
  places[route.name], state.named[route.name] = route.place, route.path
end

-- The application's own description, at /openapi.json and for the command line. Once it is made
-- it holds what it was made of no longer.
local function document(routes, tags, info)
  local text
  return function()
    if not text then
      local openapi = require "barq.openapi"
      text = openapi.json(openapi.document(routes, info, tags))
      routes, tags, info = nil, nil, nil
    end
    return text
  end
end

-- Whether the application has a route at path, or below it.
local function takes_path(routes, path)
  for _, route in ipairs(routes) do
    if route.path == path or route.path:sub(1, #path + 1) == path .. "/" then return true end
  end
  return false
end

local function add_own(routes, list)
  for _, route in ipairs(list) do
    routes[#routes + 1] = {
      method = "GET", path = route.path, handler = route.handler,
      takes_request = takes_request(route.handler), chain = middleware.chain(state.middleware),
      place = "barq", hidden = true,
    }
  end
end

-- The server's own routes, where the application has none.
local function add_docs(routes, text)
  local docs_routes = require "barq.docs"
  if not takes_path(routes, "/openapi.json") then
    add_own(routes, docs_routes.document(text))
    state.document = text
  end
  if not takes_path(routes, "/docs") then add_own(routes, docs_routes.ui(state.info)) end
end

--- Ends the declarations.
---@param dev boolean
---@param docs boolean whether /openapi.json and /docs are served
---@return table compiled what app.c and route.c read
return function(dev, docs)
  local routes = {}
  local all, described = group.root.spec, {}
  state.dev, state.dev_page = dev, dev and require "barq.dev_page" or nil
  state.named = {} -- tests freeze again, with other providers
  schema.resolve()
  describe_tag(all, all.hidden, described)
  collect(group.root, {
    prefix = "", middleware = append(state.middleware, all.middleware), depends = all.depends,
    body_max = all.body_max, tags = all.tags or {}, hidden = all.hidden,
    timeout = all.timeout, disconnect = all.disconnect, described = described,
  }, routes)
  local places = {}
  for _, route in ipairs(routes) do
    if route.name then problems.attempt(take_name, route, places) end
  end
  local text = document(routes, described, state.info)
  if docs then add_docs(routes, text) end
  state.frozen = true
  strict.watch(dev)
  return {
    routes = routes,
    fallback = middleware.fallback(),
    openapi = text,
    listing = function(json) return require "barq.listing"[json and "json" or "text"](routes) end,
    respond = errors.respond,
    run_hooks = hooks.run,
    run_after = hooks.run_after,
    closed = cancel.closed,
    worker_values = state.worker_values,
    has_error_handlers = next(state.status_handlers) ~= nil or next(state.class_handlers) ~= nil,
  }
end
