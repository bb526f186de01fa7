-- types.lua: barq.t: every access makes a node, every call a configured one.
local core = require "barq.core"
local node = require "barq.schema.node"
local object = require "barq.schema.object"
local options = require "barq.schema.options"
local place = require "barq.place"

---@class barq.CommonOptions
---@field default? any used when absent; a table is copied for each use. It makes the value optional
---@field description? string
---@field example? any
---@field check? fun(value: any): boolean, string? for what a table cannot say: true, or false and a message

---@class barq.StringOptions: barq.CommonOptions
---@field min? integer code points
---@field max? integer code points
---@field pattern? string a PCRE2 regular expression that some part of the text must match
---@field format? "email"|"uuid"|"uri"|"date"|"datetime"|"time"|"ipv4"|"ipv6"|"bytes"
---@field trim? boolean white space at both ends goes before anything is checked
---@field lower? boolean ASCII letters become small ones

---@class barq.NumberOptions: barq.CommonOptions
---@field min? number|string at least
---@field max? number|string at most
---@field above? number|string more than
---@field below? number|string less than
---@field multiple_of? number|string

---@class barq.ArrayOptions: barq.CommonOptions
---@field min? integer items, or entries of a map
---@field max? integer
---@field unique? boolean no two items are equal

---@class barq.ObjectOptions: barq.CommonOptions
---@field extra? "ignore"|"forbid"|"keep" what becomes of undeclared fields

---@class barq.StringNode: barq.Node
---@overload fun(options?: barq.StringOptions): barq.StringNode
---@class barq.NumberNode: barq.Node
---@overload fun(options?: barq.NumberOptions): barq.NumberNode
---@class barq.PlainNode: barq.Node
---@overload fun(options?: barq.CommonOptions): barq.PlainNode

---The types of values. A name alone is a type, `t.string`; called, it takes options,
---`t.string{ min = 1 }`. Everything here raises, at the line that wrote it, on an unknown
---option (with the nearest right name), a value that will not do, bounds that leave
---nothing, and a default or example that does not fit.
---@class barq.t
---@field string barq.StringNode
---@field email barq.StringNode
---@field uuid barq.StringNode
---@field uri barq.StringNode
---@field date barq.StringNode
---@field datetime barq.StringNode
---@field time barq.StringNode
---@field ipv4 barq.StringNode
---@field ipv6 barq.StringNode
---@field bytes barq.StringNode
---@field integer barq.NumberNode up to 2^53 - 1
---@field int64 barq.NumberNode decimal text in Lua
---@field number barq.NumberNode
---@field boolean barq.PlainNode
---@field any barq.PlainNode
local types = {}

-- label -> kind, and what else the node is born with.
local plain = {
  string = { "string" }, integer = { "integer" }, int64 = { "int64" }, number = { "number" },
  boolean = { "boolean" }, any = { "any" },
}
for format in pairs(options.formats) do plain[format] = { "string", format = format } end

-- Declares a type that is called, and how.
local function constructor(name, usage, make)
  types[name] = make
  node.calls[make] = usage
end

-- Parts a table such as { "a", "b", default = "a" } into a list and options. What is given beside
-- it would be lost in silence.
local function part(given, beside, what)
  if type(given) ~= "table" or node.is(given) or getmetatable(given) == node.Schema then
    place.fail("%s takes a table, as %s{ … }; got %s", what, what, node.show(given))
  end
  if beside ~= nil then
    place.fail("%s takes one table, options are in it, as %s", what, node.calls[types[what:sub(3)]])
  end
  local list, rest = {}, {}
  for key, value in pairs(given) do
    if type(key) == "number" then
      if key < 1 or key > #given or key % 1 ~= 0 then
        place.fail("%s: the list has a hole before [%s]", what, tostring(key))
      end
      list[key] = value
    else
      rest[key] = value
    end
  end
  if #list ~= #given then place.fail("%s: the list has a hole", what) end
  return list, rest
end

local function check_scalar(value, what)
  local kind = type(value)
  if kind == "string" or kind == "boolean" or value == core.null then return end
  if kind ~= "number" or value ~= value or math.abs(value) == math.huge then
    place.fail("%s: a value is a string, a finite number, true, false or barq.null, not %s", what,
      kind == "number" and tostring(value) or node.show(value))
  end
end

---One of the values: `t.enum{ "eur", "usd", default = "eur" }`.
---@param values table the values, and options by name
---@return barq.PlainNode
local function enum(values, ...)
  local list, rest = part(values, (...), "t.enum")
  if #list == 0 then place.fail("t.enum has no values") end
  local seen = {}
  for i, value in ipairs(list) do
    check_scalar(value, "t.enum")
    if seen[value] then
      place.fail("t.enum: %s is listed twice, as values %d and %d", node.show(value), seen[value],
        i)
    end
    seen[value] = i
  end
  return options.apply(node.new("enum", "enum", { values = list }), rest, "t.enum")
end
constructor("enum", 't.enum{ "a", "b" }', enum)

---This value and no other.
---@param value string|number|boolean|lightuserdata
---@param given? barq.CommonOptions
---@return barq.PlainNode
local function const(value, given)
  check_scalar(value, "t.const")
  return options.apply(node.new("const", "const", { value = value }), given or {}, "t.const")
end
constructor("const", 't.const("value")', const)

---An object with these fields, in the order in which their nodes are written.
---@param fields table<string, barq.Node|barq.Schema>
---@param given? barq.ObjectOptions
---@return barq.Node
local function new_object(fields, given)
  return object.new(object.fields(fields, "t.object"), given, "t.object")
end
constructor("object", "t.object{ id = t.integer }", new_object)

---An array.
---@param of barq.Node|barq.Schema the type of its items, which are never absent
---@param given? barq.ArrayOptions
---@return barq.Node
local function array(of, given)
  local item = node.present(of, "t.array: the item")
  return options.apply(node.new("array", "array", { of = item }), given or {}, "t.array")
end
constructor("array", "t.array(t.string)", array)

---An object whose names are data.
---@param of barq.Node|barq.Schema the type of its values
---@param given? barq.ArrayOptions
---@return barq.Node
local function map(of, given)
  local value = node.present(of, "t.map: the value")
  return options.apply(node.new("map", "map", { of = value }), given or {}, "t.map")
end
constructor("map", "t.map(t.string)", map)

---One of several types; the first that fits wins. With `tag = "kind"` the variants are objects,
---and the field of that name, a `t.const` or `t.enum` of strings in each, says which one it is.
---@param variants table the types, and options by name
---@return barq.Node
local function union(variants, ...)
  local list, rest = part(variants, (...), "t.union")
  if #list == 0 then place.fail("t.union has no variants") end
  for i, variant in ipairs(list) do
    list[i] = node.present(variant, ("t.union: variant %d"):format(i))
  end
  return options.apply(node.new("union", "union", { variants = list }), rest, "t.union")
end
constructor("union", 't.union{ A, B, tag = "kind" }', union)

---The schema of that name, which may be declared later or be the one around it.
---@param name string as given to barq.schema
---@param given? barq.CommonOptions
---@return barq.Node
local function ref(name, given)
  if type(name) ~= "string" then
    place.fail("t.ref takes the name of a schema, as t.ref(\"Item\"); got %s", node.show(name))
  end
  return options.apply(node.new("ref", "ref", { ref = name }), given or {}, "t.ref")
end
constructor("ref", 't.ref("Name")', ref)

local function flagged(flag)
  return function(of, given)
    local what = "t." .. flag
    local n = node.copy(node.of(of, what))
    n[flag] = true
    return options.apply(n, given or {}, what, options.common)
  end
end

---May be absent; it is nil then, or its default.
---@type fun(of: barq.Node|barq.Schema, given?: barq.CommonOptions): barq.Node
local optional = flagged("optional")
constructor("optional", "t.optional(t.string)", optional)

---May be null, which is barq.null in Lua.
---@type fun(of: barq.Node|barq.Schema, given?: barq.CommonOptions): barq.Node
local nullable = flagged("nullable")
constructor("nullable", "t.nullable(t.string)", nullable)

for name in pairs(plain) do node.known[name] = true end
for name in pairs(types) do node.known[name] = true end

return setmetatable(types, {
  __index = function(_, name)
    local born = plain[name]
    if not born then place.fail('barq.t has no "%s"%s', tostring(name), node.hint(name)) end
    return node.new(born[1], name, { format = born.format })
  end,
  __newindex = function(_, name)
    place.fail('barq.t is fixed: keep "%s" in a local of your own', tostring(name))
  end,
})
