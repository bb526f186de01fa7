-- group.lua: routes as they are written: verbs, groups and mounting, kept as a tree.
--
-- Nothing is resolved here, so that a group's spec holds for all its routes in whatever
-- order things were written; freeze.lua flattens the tree.
local cancel = require "barq.cancel"
local core = require "barq.core"
local depends = require "barq.depends"
local input = require "barq.input"
local names = require "barq.names"
local place = require "barq.place"
local problems = require "barq.problems"
local state = require "barq.state"

---@class barq.RouteSpec: barq.InputSpec
---@field returns? barq.Node|barq.Schema what leaves of a successful answer
---@field depends? barq.Depends what the handler finds in deps, by name
---@field name? string the operationId, and what barq.url_for knows the route by
---@field status? integer of the answer when the handler gives none: 200 … 299
---@field middleware? function|function[] runs around the handler, inside the group's
---@field body_max? integer|string bytes, or "64k", "1MiB": a longer body is refused with 413
---@field timeout? number|false seconds for the whole request: then 503, and the handler ends at its next wait; false: none, whatever its group says
---@field disconnect? "end"|"ignore" whether a client that has gone ends the handler at its next wait ("end", the default)
---@field tags? string[]
---@field summary? string
---@field description? string
---@field deprecated? boolean
---@field hidden? boolean not in the OpenAPI document

---@class barq.GroupSpec
---@field depends? barq.Depends of every route, opened before the route's own
---@field middleware? function|function[]
---@field body_max? integer|string
---@field timeout? number|false
---@field disconnect? "end"|"ignore"
---@field tags? string[]
---@field hidden? boolean
---@field description? string of the group's tag in the OpenAPI document, if `tags` is one

---@alias barq.Handler fun(req: barq.Request, deps: table<string, any>): any, integer?

--- Declares a route: (path, handler) or (path, spec, handler). Raises: on a mistake in them.
---@alias barq.Verb fun(path: string, handler: barq.Handler)|fun(path: string, spec: barq.RouteSpec, handler: barq.Handler)

---@class barq.Routes
---@field get barq.Verb serves HEAD too
---@field post barq.Verb
---@field put barq.Verb
---@field patch barq.Verb
---@field delete barq.Verb
---@field head barq.Verb
---@field options barq.Verb
---@field any barq.Verb every method that has no route of its own

---@class barq.Group: barq.Routes
local Group = {}

local group = {
  methods = Group,
  entries = {}, ---@type table<barq.Group, table[]> what was declared on each, in the order written
}

local verbs = {
  get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE", head = "HEAD",
  options = "OPTIONS", any = "ANY",
}
group.verbs = verbs

local function list_of_functions(value, what)
  local list = type(value) == "function" and { value } or value
  if type(list) ~= "table" then
    place.fail("%s: middleware is a function or an array of functions, not a %s", what, type(value))
  end
  for i, fn in ipairs(list) do
    if type(fn) ~= "function" then
      place.fail("%s: middleware[%d] is a %s, not a function", what, i, type(fn))
    end
  end
  return list
end

local function of_type(expected)
  return function(value, what, key)
    if type(value) ~= expected then
      place.fail("%s: %s is a %s, not a %s", what, key, expected, type(value))
    end
    return value
  end
end

local function list_of_strings(value, what, key)
  if type(value) == "string" then value = { value } end
  of_type("table")(value, what, key)
  for i, text in ipairs(value) do
    if type(text) ~= "string" then
      place.fail("%s: %s[%d] is a %s, not a string", what, key, i, type(text))
    end
  end
  return value
end

local function success_status(value, what)
  if type(value) ~= "number" or value % 1 ~= 0 or value < 200 or value > 299 then
    place.fail("%s: status is an integer from 200 to 299, not %s", what, tostring(value))
  end
  return value
end

local function size(value, what, key)
  local bytes = core.parse_size(value)
  if not bytes then
    place.fail('%s: %s is a size in bytes, as 65536, "64k" or "1MiB", not %s', what, key,
      tostring(value))
  end
  return bytes
end

local function timeout(value, what, key)
  if value == false then return value end
  if type(value) ~= "number" or not (value > 0 and value <= cancel.SECONDS_MAX) then
    place.fail("%s: %s is a number of seconds above 0, or false for none, not %s", what, key,
      tostring(value))
  end
  return value
end

local function disconnect(value, what, key)
  if value ~= "end" and value ~= "ignore" then
    place.fail('%s: %s is "end" or "ignore", not %s', what, key, tostring(value))
  end
  return value
end

-- What a spec may say: field -> function(value, what, field) that checks and normalises it.
local route_fields = {
  name = of_type("string"),
  status = success_status,
  middleware = list_of_functions,
  body_max = size,
  timeout = timeout,
  disconnect = disconnect,
  tags = list_of_strings,
  summary = of_type("string"),
  description = of_type("string"),
  deprecated = of_type("boolean"),
  hidden = of_type("boolean"),
  depends = depends.check,
  returns = input.returns,
}
for part, read in pairs(input.parts) do route_fields[part] = read end
local group_fields = {
  depends = depends.check,
  hidden = of_type("boolean"),
  middleware = list_of_functions,
  body_max = size,
  timeout = timeout,
  disconnect = disconnect,
  tags = list_of_strings,
  description = of_type("string"),
}

local function check_option(fields, key, value, what)
  local check = fields[key]
  if not check then
    place.fail('%s: unknown option "%s"%s', what, tostring(key), names.hint(key, fields))
  end
  return check(value, what, key)
end

local function check_spec(spec, fields, what)
  local checked = {}
  if type(spec) ~= "table" then
    place.fail("%s: the spec is a table, not a %s", what, type(spec))
  end
  for _, key in ipairs(names.sorted(spec)) do
    checked[key] = problems.attempt(check_option, fields, key, spec[key], what)
  end
  return checked
end

local function check_route(spec, what)
  local checked = check_spec(spec, route_fields, what)
  if checked.body and checked.form then
    place.fail("%s: body and form exclude each other: a request has one body", what)
  end
  return checked
end

local function check_path(path, what)
  if type(path) ~= "string" then
    place.fail('%s: a path as "/items/{id}" expected, got %s', what, type(path))
  end
  return path
end

local function add(self, entry)
  local entries = group.entries[self]
  entries[#entries + 1] = entry
end

local function declare(self, verb, path, spec, handler)
  local what = ('barq.%s("%s")'):format(verb, tostring(path))
  state.check_open(what)
  if handler == nil then spec, handler = {}, spec end
  check_path(path, what)
  if type(handler) ~= "function" then
    place.fail("%s: the handler is a function(req), not a %s", what, type(handler))
  end
  add(self, {
    kind = "route", method = verbs[verb], path = path, handler = handler,
    spec = check_route(spec, what), place = place.here() or place.of(handler),
  })
end

local function new(prefix, spec, what)
  if type(prefix) ~= "string" or (prefix ~= "" and not prefix:find("^/.*[^/]$")) then
    place.fail('%s: a prefix begins with "/" and does not end with it, as "/users"; got "%s"', what,
      tostring(prefix))
  end
  local made = setmetatable({
    prefix = prefix, spec = check_spec(spec or {}, group_fields, what),
  }, state.Group)
  group.entries[made] = {}
  return made
end

--- What a group has besides its own fields: verbs, called with "." or ":", and methods.
---@param self barq.Group
---@param name any
---@return function?
function group.member(self, name)
  if not verbs[name] then return Group[name] end
  return function(first, ...)
    if first == self then return problems.attempt(declare, self, name, ...) end
    return problems.attempt(declare, self, name, first, ...)
  end
end

--- Everything declared directly on barq.
group.root = new("", nil, "barq")

--- Routes that share a prefix and a spec. The group is served where it was made unless
--- barq.mount puts it elsewhere.
---@param prefix string "/users", or "" for none
---@param spec? barq.GroupSpec
---@return barq.Group group with get, post, put, patch, delete, head, options, any, group and mount
function group.group(prefix, spec)
  local what = ('barq.group("%s")'):format(tostring(prefix))
  state.check_open(what)
  local made = new(prefix, spec, what)
  add(group.root, { kind = "group", group = made })
  return made
end

--- A group inside this one.
---@param prefix string as for barq.group
---@param spec? barq.GroupSpec
---@return barq.Group group
function Group:group(prefix, spec)
  local made = group.group(prefix, spec)
  self:mount("", made)
  return made
end

local function contains(outer, inner)
  if outer == inner then return true end
  for _, entry in ipairs(group.entries[outer]) do
    if entry.kind == "mount" and contains(entry.group, inner) then return true end
  end
  return false
end

--- Serves a group below this one, under prefix .. group's own prefix.
---@param prefix string "/api", or "" for none
---@param mounted barq.Group
function Group:mount(prefix, mounted)
  local what = ('mount("%s")'):format(tostring(prefix))
  state.check_open(what)
  if getmetatable(mounted) ~= state.Group then
    place.fail("%s: a group made by barq.group expected, got %s (does the module return it?)", what,
      type(mounted))
  end
  if contains(mounted, self) then place.fail("%s: the group would contain itself", what) end
  mounted.mounted = true
  local around = new(prefix, nil, what)
  add(self, { kind = "mount", group = mounted, prefix = around.prefix })
end

--- Serves a group, as a module returns it, under a prefix.
---@param prefix string
---@param mounted barq.Group
function group.mount(prefix, mounted)
  group.root:mount(prefix, mounted)
end

--- What holds for every route of the application, in whatever order things are written. Its
--- middleware is inside that of barq.use, which is also around answers without a route.
---@param spec barq.GroupSpec
--- Raises: on an unknown option, and one of another type.
function group.all(spec)
  local what = "barq.all_routes"
  state.check_open(what)
  for key, value in pairs(check_spec(spec, group_fields, what)) do group.root.spec[key] = value end
end

return group
