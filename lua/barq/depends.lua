-- depends.lua: providers, and the plan in which a request resolves them.
--
-- A provider is known by identity: however many need it, it is one. Whether the graph can be
-- resolved is judged when it is flattened, once everything is declared.
local input = require "barq.input"
local names = require "barq.names"
local node = require "barq.schema.node"
local place = require "barq.place"
local state = require "barq.state"

---@alias barq.Open fun(req: barq.Request?, deps: table<string, any>): any
---@alias barq.Depends table<string|integer, barq.Provider|barq.Open>

---@class barq.ProviderSpec: barq.InputSpec
---@field open barq.Open makes the value; it may wait, and abort
---@field close? fun(value: any, err: any) runs exactly once for each value, in reverse order
---@field depends? barq.Depends what `open` finds in deps, by name; without a name it only runs
---@field scope? "request"|"worker" worker: opened once per worker, at first use, without a request
---@field cache? boolean false: opened for each that needs it, instead of once per request
---@field description? string

---@class barq.Provider
---@field open barq.Open
---@field close? fun(value: any, err: any)
---@field depends barq.Depends as written
---@field scope "request"|"worker"
---@field cache boolean
---@field input barq.Input
---@field description? string
---@field place string? where it was declared
---@field seq integer grows with every provider
local Provider = state.Provider

local depends = {}

local known = {
  open = "function", close = "function", depends = "table", scope = "string", cache = "boolean",
  description = "string",
}
for part in pairs(input.parts) do known[part] = "table" end

local aliases = {
  get = "open", create = "open", setup = "open", teardown = "close", cleanup = "close",
}
local scopes = { request = true, worker = true }

local function check_options(spec, what)
  for key, value in pairs(spec) do
    local expected = known[key]
    if not expected then
      place.fail('%s: unknown option "%s"%s', what, tostring(key),
        aliases[key] and (' (did you mean "%s"?)'):format(aliases[key]) or names.hint(key, known))
    end
    -- The parts of the input have messages of their own.
    if expected ~= type(value) and not input.parts[key] then
      place.fail("%s: %s is a %s, not %s", what, key, expected, node.show(value))
    end
  end
  if not spec.open then
    place.fail("%s: open is missing, the function that makes the value", what)
  end
  if spec.scope ~= nil and not scopes[spec.scope] then
    place.fail('%s: scope is "request" or "worker", not "%s"', what, spec.scope)
  end
end

local function check_worker(spec, found, what)
  if spec.scope ~= "worker" then return end
  if spec.cache == false then
    place.fail('%s: scope = "worker" means one value per worker, cache = false many', what)
  end
  local part = next(found)
  if part then
    place.fail("%s: a provider of the worker sees no request, so it declares no %s", what, part)
  end
end

local function new(parts, where)
  parts.seq, parts.place = state.count(), where
  return setmetatable(parts, Provider)
end

-- A function alone is the same provider wherever it is named.
local of_function = setmetatable({}, { __mode = "k" })

local function from_function(fn)
  local provider = of_function[fn]
  if not provider then
    provider = new({ open = fn, depends = {}, scope = "request", cache = true, input = {} },
      place.of(fn))
    of_function[fn] = provider
  end
  return provider
end

local function provider_of(value, what)
  if getmetatable(value) == Provider then return value end
  if type(value) == "function" then return from_function(value) end
  place.fail("%s: a provider, as barq.depends{ open = … }, or a function(req, deps) expected, "
    .. "got %s", what, node.show(value))
end

-- What `join` makes: a list of entries, the outer ones first.
local Joined = {}

local function by_declaration(a, b)
  local a_named, b_named = type(a.name) == "string", type(b.name) == "string"
  if a_named ~= b_named then return b_named end
  if not a_named then return a.name < b.name end
  if a.provider.seq ~= b.provider.seq then return a.provider.seq < b.provider.seq end
  return a.name < b.name
end

-- A table of dependencies as a list: what only runs comes first, as listed, then what has a name,
-- in the order in which the providers were declared.
local function entries(needs, what)
  if getmetatable(needs) == Joined then return needs end
  if type(needs) ~= "table" or getmetatable(needs) then
    place.fail("%s: depends is a table, as { db = database }, not %s", what,
      getmetatable(needs) == Provider and "a provider" or node.show(needs))
  end
  local list = {}
  for name, value in pairs(needs) do
    local where = ("%s: depends[%s]"):format(what, node.show(name))
    if type(name) ~= "string" and (type(name) ~= "number" or name % 1 ~= 0 or name < 1) then
      place.fail("%s: a dependency has a name, as { db = database }", where)
    end
    list[#list + 1] = { name = name, provider = provider_of(value, where) }
  end
  table.sort(list, by_declaration)
  return list
end

--- Declares a provider: what handlers and other providers find in their `deps`.
---
--- A request opens it at most once, however many need it, and closes what it opened in reverse
--- order, whatever happened.
---@param spec barq.ProviderSpec|barq.Open
---@return barq.Provider
--- Raises: on an unknown option, an option of another type, input that a request cannot have,
--- and input of a provider whose scope is the worker.
function depends.depends(spec)
  local what = "barq.depends"
  state.check_open(what)
  if type(spec) == "function" then return from_function(spec) end
  if type(spec) ~= "table" or getmetatable(spec) then
    place.fail("%s: a table, as { open = function(req, deps) … end }, or a function expected, "
      .. "got %s", what, node.show(spec))
  end
  check_options(spec, what)
  local found = input.read(spec, what)
  check_worker(spec, found, what)
  if spec.depends then entries(spec.depends, what) end
  return new({
    open = spec.open, close = spec.close, depends = spec.depends or {},
    scope = spec.scope or "request", cache = spec.cache ~= false, input = found,
    description = spec.description,
  }, place.here())
end

--- Checks the `depends` of a spec, in the manner of the fields that group.lua checks.
---@param value any
---@param what string at the beginning of messages
---@return barq.Depends
--- Raises: when it is no table of providers.
function depends.check(value, what)
  entries(value, what)
  return value
end

--- The dependencies of a group and of what is inside it, together; the group's are resolved first.
---@param outer? barq.Depends
---@param inner? barq.Depends
---@param where? string the place of the inner one
---@return barq.Depends joined for `join` and `flatten`
--- Raises: when a name means another provider inside than outside: a check that a group
--- asks for must not vanish behind a name.
function depends.join(outer, inner, where)
  local joined, named = setmetatable({}, Joined), {}
  local function add(entry)
    local name = type(entry.name) == "string" and entry.name
    local earlier = name and named[name]
    if earlier and earlier ~= entry.provider then
      node.blame(where, 'depends: "%s" is another provider (%s) than in the group around it (%s)',
        name, entry.provider.place or "?", earlier.place or "?")
    end
    if earlier then return end
    joined[#joined + 1] = entry
    if name then named[name] = entry.provider end
  end
  for _, entry in ipairs(entries(outer or {}, "depends")) do add(entry) end
  for _, entry in ipairs(entries(inner or {}, "depends")) do add(entry) end
  return joined
end

local function step(name, provider)
  return ('"%s" (%s)'):format(tostring(name), provider.place or "?")
end

-- The way from the stack's step `first` to a provider.
local function path_from(plan, first, name, provider)
  local steps = {}
  for i = first, #plan.stack do
    steps[#steps + 1] = step(plan.stack[i].name, plan.stack[i].provider)
  end
  steps[#steps + 1] = step(name, provider)
  return table.concat(steps, " needs ")
end

local function check_cycle(plan, name, provider)
  for i, outer in ipairs(plan.stack) do
    if outer.provider == provider then
      node.blame(plan.where or provider.place, "depends: a cycle: %s",
        path_from(plan, i, name, provider))
    end
  end
end

local function check_scope(plan, name, provider)
  local user = plan.stack[#plan.stack]
  if user and user.provider.scope == "worker" and provider.scope == "request" then
    node.blame(plan.where or provider.place, "depends: a provider of the worker cannot need one "
      .. "of the request: %s", path_from(plan, 1, name, provider))
  end
end

local resolve_all

-- Under which names tests can speak of a provider.
local function note_name(name, provider)
  if type(name) ~= "string" then return end
  local set = state.providers[name] or {}
  set[provider] = true
  state.providers[name] = set
end

local function resolve(plan, name, provider)
  note_name(name, provider)
  provider = state.replaced[provider] or provider
  check_cycle(plan, name, provider)
  check_scope(plan, name, provider)
  local slot = provider.cache and plan.slots[provider]
  if slot then return slot end
  plan.stack[#plan.stack + 1] = { name = name, provider = provider }
  local deps = resolve_all(plan, provider.depends)
  plan.stack[#plan.stack] = nil
  slot = #plan.list + 1
  plan.list[slot] = { provider = provider, slot = slot, deps = deps }
  plan.slots[provider] = slot
  return slot
end

function resolve_all(plan, needs)
  local deps = {}
  for _, entry in ipairs(entries(needs, "barq.depends")) do
    local slot = resolve(plan, entry.name, entry.provider)
    if type(entry.name) == "string" then deps[entry.name] = slot end
  end
  return deps
end

--- The plan of a route: every provider that it needs, directly or not, each after those that it
--- needs itself. Each is there once, except those without a cache, which are there for each use.
---@param needs? barq.Depends of the route, joined with its groups'
---@param where? string the place of the route, for messages
---@return { provider: barq.Provider, slot: integer, deps: table<string, integer> }[] plan slot is the index
---@return table<string, integer> deps name -> slot for the handler
--- Raises: on a cycle, and on a provider of the worker that needs one of the request; both name
--- the path.
function depends.flatten(needs, where)
  local plan = { list = {}, slots = {}, stack = {}, where = where }
  local deps = resolve_all(plan, needs or {})
  return plan.list, deps
end

--- Whether a value is a provider: in tests, a value can take its place.
---@param value any
---@return boolean
function depends.is(value) return getmetatable(value) == Provider end

--- The provider that a value is or stands for: a function is one.
---@param value barq.Provider|barq.Open
---@param what string at the beginning of messages
---@return barq.Provider
--- Raises: when it is neither.
function depends.provider(value, what) return provider_of(value, what) end

return depends
