-- input.lua: what a route or a provider declares about its request, as nodes.
--
-- Every part (params, query, headers, cookies, form, body) becomes one node. The parts that come
-- as strings become object nodes of their own, so that those of a route and its providers can
-- be merged. In headers and cookies each field carries its name on the wire: x_tenant means
-- x-tenant.
local agreement = require "barq.schema.agreement"
local names = require "barq.names"
local node = require "barq.schema.node"
local object = require "barq.schema.object"
local place = require "barq.place"

---@class barq.Input
---@field params? barq.Node an object whose fields are { name, node }
---@field query? barq.Node
---@field headers? barq.Node fields are { name, node, wire = "x-tenant" }
---@field cookies? barq.Node likewise
---@field form? barq.Node
---@field body? barq.Node of any type

---@alias barq.Fields table<string, barq.Node|barq.Schema>|barq.Schema

---@class barq.InputSpec
---@field params? barq.Fields of the path: required, no arrays
---@field query? barq.Fields
---@field headers? barq.Fields x_tenant means x-tenant
---@field cookies? barq.Fields likewise; no arrays
---@field body? barq.Node|barq.Schema a JSON body
---@field form? barq.Fields an urlencoded body; not beside a JSON body

local input = {}

local scalars = {
  string = true, integer = true, int64 = true, number = true, boolean = true, enum = true,
  const = true, any = true,
}

-- What in a node cannot be written as one string, or nil.
local function structure(n)
  if n.kind == "union" then
    for _, variant in ipairs(n.variants) do
      local found = structure(variant)
      if found then return found end
    end
    return nil
  end
  return not scalars[n.kind] and n or nil
end

-- Whether a header can have the name (a token, RFC 9110, section 5.6.2), and a cookie too.
local function is_token(name)
  return name:find("^[%w!#$%%&'*+%-.^_`|~]+$") ~= nil
end

-- Gives every field its name on the wire.
local function put_on_wire(fields, what)
  local taken = {}
  for _, field in ipairs(fields) do
    local wire = field[1]:lower():gsub("_", "-")
    if not is_token(wire) then
      place.fail('%s: no field can have the name "%s"', what, field[1])
    end
    if taken[wire] then
      place.fail('%s: "%s" and "%s" both mean "%s"', what, taken[wire], field[1], wire)
    end
    field.wire, taken[wire] = wire, field[1]
  end
end

local function check_strings(fields, what, arrays)
  for _, field in ipairs(fields) do
    local n = field[2]
    local wrong = structure(arrays and n.kind == "array" and n.of or n)
    if wrong then
      place.fail('%s: field "%s" comes as a string, and t.%s cannot%s', what, field[1],
        wrong.label, arrays and " (a t.array of simple types can)" or "")
    end
  end
end

local function check_params(fields, what)
  for _, field in ipairs(fields) do
    local n = field[2]
    if n.optional or n.nullable or n.default ~= nil then
      place.fail('%s: "%s" is a part of the path: it is never absent or null, so it takes no '
        .. "t.optional, t.nullable or default", what, field[1])
    end
  end
end

-- The fields of a table, a schema or a t.object, copied, and the node they came from.
local function read_fields(value, what)
  local is_schema = getmetatable(value) == node.Schema
  if not is_schema and not node.is(value) then return object.fields(value, what), {} end
  local n = is_schema and value.node or value
  if n.kind ~= "object" then
    place.fail("%s: fields expected, as { id = t.integer }, got t.%s", what, n.label)
  end
  if n.optional or n.nullable or n.default ~= nil then
    place.fail("%s: make the fields optional instead of all of them together", what)
  end
  local fields = {}
  for i, field in ipairs(n.fields) do fields[i] = { field[1], field[2] } end
  return fields, n
end

local function read_strings(value, what, part)
  local where = ("%s: %s"):format(what, part)
  local fields, from = read_fields(value, where)
  check_strings(fields, where, part ~= "params" and part ~= "cookies")
  if part == "params" then check_params(fields, where) end
  if part == "headers" or part == "cookies" then put_on_wire(fields, where) end
  if part == "headers" and from.extra == "forbid" then
    place.fail('%s: every request has undeclared headers: extra = "forbid" would refuse all', where)
  end
  return node.new("object", "object", {
    fields = fields, extra = from.extra or "ignore", check = from.check,
    description = from.description,
  })
end

local function read_body(value, what, part)
  return node.of(value, ("%s: %s"):format(what, part))
end

local function read_returns(value, what, part)
  return node.present(value, ("%s: %s"):format(what, part))
end

--- What each part of a spec is made into: part -> function(value, what, part) -> node, in the
--- manner of the fields that group.lua checks. All raise, at the line that declares the route.
---@type table<string, fun(value: any, what: string, part: string): barq.Node>
input.parts = {
  params = read_strings, query = read_strings, headers = read_strings, cookies = read_strings,
  form = read_strings, body = read_body,
}

--- The same for the answer: `returns`.
---@type fun(value: any, what: string, part: string): barq.Node
input.returns = read_returns

local function check_one_body(found, what)
  if found.body and found.form then
    place.fail("%s: body and form exclude each other: a request has one body", what)
  end
end

--- The parts of a spec; fields that mean something else are left alone.
---@param spec barq.InputSpec
---@param what string at the beginning of messages
---@return barq.Input
--- Raises: on a part that is no table of types, a type that cannot come as a string, …
function input.read(spec, what)
  local found = {}
  for part, read in pairs(input.parts) do
    if spec[part] ~= nil then found[part] = read(spec[part], what, part) end
  end
  check_one_body(found, what)
  return found
end

local function in_path(path)
  local found = {}
  for name in path:gmatch("{([^}:*]*)[^}]*}") do found[name] = true end
  return found
end

--- Holds the declared params against the whole path, prefixes of groups included.
---@param params? barq.Node merged: the route's and its providers'
---@param path string "/users/{id:int}"
---@param where? string the place of the route
---@param complete boolean every parameter of the path must be declared, as when the route itself declares any
--- Raises: naming the parameter that only one side has.
function input.match_path(params, path, where, complete)
  if not params then return end
  local known, declared = in_path(path), {}
  for _, field in ipairs(params.fields) do
    declared[field[1]] = true
    if not known[field[1]] then
      node.blame(where, 'params: the path "%s" has no {%s}%s', path, field[1],
        next(known) and names.hint(field[1], known) or "")
    end
  end
  if not complete then return end
  for name in path:gmatch("{([^}:*]*)[^}]*}") do
    if not declared[name] then
      node.blame(where, 'params: "%s" of the path "%s" is missing, as { %s = t.string }', name,
        path, name)
    end
  end
end

-- Both checks of two tables that were merged.
local function both(first, second)
  if not first or not second or first == second then return first or second end
  return function(value)
    local ok, message = first(value)
    if not ok then return ok, message end
    return second(value)
  end
end

local strictness = { ignore = 0, keep = 1, forbid = 2 }

local function merge_strings(into, more, part, where, origin)
  local at = {}
  for _, field in ipairs(into.fields) do at[field.wire or field[1]] = field end
  for _, field in ipairs(more.fields) do
    local earlier = at[field.wire or field[1]]
    if not earlier then
      into.fields[#into.fields + 1] = field
    elseif earlier[1] ~= field[1] or not agreement.same(earlier[2], field[2]) then
      node.blame(where, '%s: "%s" is declared differently at %s and at %s', part, field[1],
        earlier[2].place or "?", field[2].place or origin or "?")
    end
  end
  if strictness[more.extra] > strictness[into.extra] then into.extra = more.extra end
  into.check = both(into.check, more.check)
end

local function own(n)
  local fields = {}
  for i, field in ipairs(n.fields) do fields[i] = field end
  local copy = node.copy(n)
  copy.fields = fields
  return copy
end

local function merge_body(merged, body, where, origin)
  if merged.body and not agreement.same(merged.body, body) then
    node.blame(where, "body: declared differently at %s and at %s", merged.body.place or "?",
      body.place or origin or "?")
  end
  merged.body = merged.body or body
end

--- One input out of the route's own and those of its providers. Names that several declare must
--- be declared alike.
---@param own_input barq.Input of the route
---@param more { input: barq.Input, place: string? }[] its providers, in the order of the plan
---@param where? string the place of the route
---@return barq.Input
--- Raises: naming both places where two declare a name differently.
function input.merge(own_input, more, where)
  local merged = {}
  local function add(one, origin)
    for part in pairs(input.parts) do
      local n = one[part]
      if n and part == "body" then
        merge_body(merged, n, where, origin)
      elseif n and merged[part] then
        merge_strings(merged[part], n, part, where, origin)
      elseif n then
        merged[part] = own(n)
      end
    end
  end
  add(own_input, where)
  for _, provider in ipairs(more) do add(provider.input, provider.place) end
  if merged.body and merged.form then
    node.blame(where, "a request has one body: a provider's form (or body) excludes the route's "
      .. "body (or form)")
  end
  return merged
end

return input
