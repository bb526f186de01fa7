-- schema.lua: named schemas and what is derived from them.
--
-- A schema is an object that stands for its node wherever a type is expected. It is not the
-- node itself, because `check` is an option of the one and a method of the other.
local core = require "barq.core"
local names = require "barq.names"
local node = require "barq.schema.node"
local object = require "barq.schema.object"
local place = require "barq.place"
local resolve = require "barq.schema.resolve"
local state = require "barq.state"
local types = require "barq.schema.types"

---@class barq.Schema
---@field name string? nil for a derived one that was not given a name
---@field node barq.Node
---@field place string? where it was declared
---@overload fun(options?: barq.ObjectOptions): barq.Node
local Schema = {}

local schema = {
  t = types,
  methods = Schema,
  named = {}, ---@type table<string, barq.Schema>
}

local function check_name(name, what)
  if type(name) ~= "string" or not name:find("^[%a_][%w_]*$") then
    place.fail('%s: a name is letters, digits and "_", as "StoredItem"; got %s', what,
      node.show(name))
  end
  local earlier = schema.named[name]
  if earlier then
    place.fail('%s: the name "%s" is taken: %s declares it', what, name, earlier.place or "another")
  end
end

local function new(name, fields, given, what, parts)
  state.check_open(what)
  parts = parts or {}
  parts.name = name
  local made = setmetatable({ name = name, place = place.here() }, node.Schema)
  made.node = object.new(fields, given, what, parts)
  if name then schema.named[name] = made end
  return made
end

--- Declares a schema: an object with a name, which it has in errors and in the OpenAPI document.
---
--- It is used wherever a type is: `body = Item`, `t.array(Item)`, `t.optional(Item)`. As a field
--- beside others write `item = Item()`, or with options `item = Item{ description = … }`: the
--- copy has its place among the fields where it is written.
---@param name string letters, digits and "_"; each name once per application
---@param fields table<string, barq.Node|barq.Schema> kept in the order in which they are written
---@param options? barq.ObjectOptions
---@return barq.Schema
--- Raises: on a name that is taken (with both places), a field that is no type, a wrong option.
function schema.schema(name, fields, options)
  local what = ("barq.schema(%s)"):format(node.show(name))
  check_name(name, what)
  return new(name, object.fields(fields, what), options, what)
end

local function called(self, verb) return ("%s:%s"):format(self.name or "schema", verb) end

-- A colon forgotten is the usual mistake, and the message of Lua would not say so.
local function check_self(self, verb)
  if getmetatable(self) ~= node.Schema then
    place.fail("%s is a method: write Schema:%s(…)", verb, verb)
  end
  return called(self, verb)
end

--- Everything this schema has, and more: fields of the same name are replaced where they stand,
--- new ones follow. `extra` and `check` are inherited unless the options say otherwise.
---@param name string
---@param fields table<string, barq.Node|barq.Schema>
---@param options? barq.ObjectOptions
---@return barq.Schema
--- Raises: as barq.schema.
function Schema:extend(name, fields, options)
  local what = check_self(self, "extend")
  check_name(name, what)
  local added, at, joined = object.fields(fields, what), {}, {}
  for i, field in ipairs(self.node.fields) do
    joined[i], at[field[1]] = field, i
  end
  for _, field in ipairs(added) do joined[at[field[1]] or #joined + 1] = field end
  return new(name, joined, options, what, { extra = self.node.extra, check = self.node.check })
end

-- A set of the fields in the list.
local function chosen(self, list, what)
  if type(list) ~= "table" then
    place.fail('%s: a list of field names expected, as { "id" }, got %s', what, node.show(list))
  end
  local known, set = {}, {}
  for _, field in ipairs(self.node.fields) do known[field[1]] = true end
  for key, name in pairs(list) do
    if type(key) ~= "number" then
      place.fail('%s: a list of field names expected, as { "id" }, got the key "%s"', what,
        tostring(key))
    end
    if not known[name] then
      place.fail('%s: there is no field "%s"%s', what, tostring(name), names.hint(name, known))
    end
    set[name] = true
  end
  if not next(set) then place.fail("%s: the list of field names is empty", what) end
  return set
end

local function filtered(verb, keep)
  return function(self, name, list, options)
    local what = check_self(self, verb)
    if type(name) == "table" then name, list, options = nil, name, list end
    if name ~= nil then check_name(name, what) end
    local set, fields = chosen(self, list, what), {}
    for _, field in ipairs(self.node.fields) do
      if (set[field[1]] or false) == keep then fields[#fields + 1] = field end
    end
    return new(name, fields, options, what, { extra = self.node.extra })
  end
end

--- Only these fields: `Item:pick("ItemName", { "name" })`, or without a name of its own
--- `Item:pick{ "name" }`. Inherits `extra`, but not `check`, which might miss a field.
---@type fun(self: barq.Schema, name: string|string[], fields?: string[]|barq.ObjectOptions, options?: barq.ObjectOptions): barq.Schema
--- Raises: on a field that there is not, and as barq.schema.
Schema.pick = filtered("pick", true)

--- All but these fields, otherwise as `pick`.
---@type fun(self: barq.Schema, name: string|string[], fields?: string[]|barq.ObjectOptions, options?: barq.ObjectOptions): barq.Schema
--- Raises: as pick.
Schema.omit = filtered("omit", false)

--- All fields optional, as the body of a PATCH: `Item:partial("ItemPatch")`, or without a name
--- `Item:partial()`. Defaults are dropped, so that an absent field stays absent. Inherits
--- `extra`, but not `check`.
---@param name? string|barq.ObjectOptions
---@param options? barq.ObjectOptions
---@return barq.Schema
--- Raises: as barq.schema.
function Schema:partial(name, options)
  local what = check_self(self, "partial")
  if type(name) == "table" then name, options = nil, name end
  if name ~= nil then check_name(name, what) end
  local fields = {}
  for i, field in ipairs(self.node.fields) do
    local n = node.copy(field[2])
    n.optional, n.default = true, nil
    fields[i] = { field[1], n }
  end
  return new(name, fields, options, what, { extra = self.node.extra })
end

--- Validates a value, strictly, as the body of a request is.
---@param value any
---@return any value a copy with conversions and defaults; nil when it does not fit
---@return { type: string, loc: (string|integer)[], msg: string, ctx?: table }[]? errors all of them
--- Raises: when a t.ref in it names no schema, and what a `check` raised.
function Schema:check(value)
  check_self(self, "check")
  resolve.one(self.node, schema.named)
  local checked, errors = core.schema_check(self.node, value)
  return checked, errors
end

--- The value as JSON text: declared fields only, in their order.
---@param value any
---@return string json
--- Raises: naming the field, when the value does not fit; when a t.ref names no schema.
function Schema:encode(value)
  check_self(self, "encode")
  resolve.one(self.node, schema.named)
  return (core.schema_encode(self.node, value))
end

--- Ends the declarations: resolves every t.ref. The freeze calls it before anything is compiled.
--- Raises: with the place, on a reference to nothing, a tag that a variant lacks, and a
--- schema whose values would never end.
function schema.resolve()
  resolve.all(schema.named)
end

return schema
