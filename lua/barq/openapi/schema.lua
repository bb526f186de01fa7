-- schema.lua: nodes (as src/app/schema.h documents them) to JSON Schema 2020-12, the dialect of
-- OpenAPI 3.1. Objects that have a name become components, and are referred to; the rest stands
-- where it is used.
local base64 = require "barq.base64"
local core = require "barq.core"
local decimal = require "barq.schema.decimal"
local named = require("barq.schema").named
local ordered = require "barq.openapi.ordered"

---@class barq.openapi.Schemas
---@field components table name -> JSON Schema, in the order of first use
local Schemas = {}
Schemas.__index = Schemas

local schema = {}

local of, put = ordered.of, ordered.put

-- JSON readers have doubles: a bound that they would round is better left out.
local function exact(bound)
  local number = tonumber(bound)
  return decimal.is_safe_integer(number) and number or nil
end

local function same(bound) return bound end

-- --- values: defaults and examples ---------------------------------------------------------

local plain

local plain_tables = {}

function plain_tables.object(n, v)
  local object, fields = of(), {}
  for _, field in ipairs(n.fields) do
    local name = field[1]
    fields[name] = true
    if v[name] ~= nil then put(object, name, plain(field[2], v[name])) end
  end
  for _, name in ipairs(ordered.names(v)) do
    if not fields[name] then put(object, name, v[name]) end
  end
  return object
end

function plain_tables.map(n, v)
  local object = of()
  for _, name in ipairs(ordered.names(v)) do put(object, name, plain(n.of, v[name])) end
  return object
end

function plain_tables.array(n, v)
  local list = core.array {}
  for i, one in ipairs(v) do list[i] = plain(n.of, one) end
  return list
end

-- A value of the node as it is on the wire. Tables are copied, never marked in place.
function plain(n, v)
  if n.kind == "ref" then return plain(n.target, v) end
  if type(v) == "table" then
    local copy = plain_tables[n.kind]
    return copy and copy(n, v) or v
  end
  if n.format == "bytes" and type(v) == "string" then return base64.encode(v) end
  if n.kind == "int64" then return exact(v) or v end
  return v
end

-- --- kinds ---------------------------------------------------------------------------------

local kinds = {}

local formats = {
  email = "email", uuid = "uuid", uri = "uri", date = "date", datetime = "date-time",
  time = "time", ipv4 = "ipv4", ipv6 = "ipv6",
}

function kinds.string(_, n)
  -- The bounds of bytes are those of what the text stands for.
  if n.format == "bytes" then return of("type", "string", "contentEncoding", "base64") end
  return of("type", "string", "format", formats[n.format], "minLength", n.min,
    "maxLength", n.max, "pattern", n.pattern)
end

local function numeric(name, format, bound)
  return function(_, n)
    return of("type", name, "format", format, "minimum", bound(n.min), "maximum", bound(n.max),
      "exclusiveMinimum", bound(n.above), "exclusiveMaximum", bound(n.below),
      "multipleOf", bound(n.multiple_of))
  end
end
kinds.integer = numeric("integer", nil, same)
kinds.int64 = numeric("integer", "int64", exact)
kinds.number = numeric("number", nil, same)

function kinds.boolean() return of("type", "boolean") end

function kinds.any() return of() end

local function type_of(value)
  if value == core.null then return "null" end
  if type(value) == "number" then return value % 1 == 0 and "integer" or "number" end
  return type(value)
end

-- The one type of all values, or nil.
local function common_type(values)
  local common
  for _, value in ipairs(values) do
    local one = type_of(value)
    if (common == "integer" and one == "number") or (common == "number" and one == "integer") then
      common = "number"
    elseif common and common ~= one then
      return nil
    else
      common = one
    end
  end
  return common
end

function kinds.enum(_, n)
  local values = core.array {}
  for i, value in ipairs(n.values) do values[i] = value end
  return of("type", common_type(values), "enum", values)
end

function kinds.const(_, n) return of("type", type_of(n.value), "const", n.value) end

function kinds.array(self, n)
  return of("type", "array", "items", self:of(n.of), "minItems", n.min, "maxItems", n.max,
    "uniqueItems", n.unique or nil)
end

function kinds.map(self, n)
  return of("type", "object", "additionalProperties", self:of(n.of), "minProperties", n.min,
    "maxProperties", n.max)
end

local additional = { forbid = false, keep = true }

local function fill_object(self, n, object)
  local properties, required = of(), core.array {}
  for _, field in ipairs(n.fields) do
    put(properties, field[1], self:of(field[2]))
    if schema.is_required(field[2]) then required[#required + 1] = field[1] end
  end
  put(object, "type", "object")
  put(object, "properties", properties)
  put(object, "required", required[1] and required or nil)
  return put(object, "additionalProperties", additional[n.extra])
end

function kinds.object(self, n)
  if n.name then return of("$ref", "#/components/schemas/" .. self:define(n)) end
  return fill_object(self, n, of())
end

function kinds.ref(self, n) return kinds.object(self, n.target) end

-- Which value of the tag means which component; nil where a variant has no name, since OpenAPI's
-- discriminator knows only those that have.
local function mapping(self, n)
  local map = of()
  for _, variant in ipairs(n.variants) do
    local object = variant.target or variant
    if not object.name then return nil end
    for _, field in ipairs(object.fields) do
      local values = field[2].values or { field[2].value }
      for _, value in ipairs(field[1] == n.tag and values or {}) do
        put(map, tostring(value), "#/components/schemas/" .. self:define(object))
      end
    end
  end
  return map
end

function kinds.union(self, n)
  local variants = core.array {}
  for i, variant in ipairs(n.variants) do variants[i] = self:of(variant) end
  if not n.tag then return of("anyOf", variants) end
  local map = mapping(self, n)
  return of("oneOf", variants, "discriminator",
    map and of("propertyName", n.tag, "mapping", map))
end

-- --- what every kind may have --------------------------------------------------------------

local function has_null(values)
  for _, value in ipairs(values) do
    if value == core.null then return true end
  end
  return false
end

local function nullable(s)
  local null = of("type", "null")
  if s.anyOf then
    s.anyOf[#s.anyOf + 1] = null
    return s
  end
  if s["$ref"] or s.oneOf or s.const ~= nil then
    return of("anyOf", core.array { s, null })
  end
  if s.enum and not has_null(s.enum) then s.enum[#s.enum + 1] = core.null end
  if s.type and s.type ~= "null" then s.type = core.array { s.type, "null" } end
  return s
end

local function annotate(s, n, description, example)
  put(s, "description", description)
  if n.default ~= nil then put(s, "default", plain(n, n.default)) end
  if example ~= nil then put(s, "examples", core.array { plain(n, example) }) end
  return s
end

-- The node as it was declared; copies of it may say something else about themselves.
local function declared(n)
  local found = n.name and named[n.name]
  return found and found.node.fields == n.fields and found.node or n
end

-- Nodes with the same fields and the same treatment of others are one component.
local function free_name(self, n)
  local name, number = n.name:gsub("[^%w._-]", "_"), 1
  local base = name
  while self.components[name] ~= nil or self.reserved[name] do
    number = number + 1
    name = ("%s_%d"):format(base, number)
  end
  return name
end

--- The component of an object that has a name; made at first use, so that objects may contain
--- themselves.
---@param n barq.Node
---@return string name
function Schemas:define(n)
  local extra = n.extra or "ignore"
  local names = self.names[n.fields] or {}
  self.names[n.fields] = names
  if names[extra] then return names[extra] end
  local name, component, origin = free_name(self, n), of(), declared(n)
  names[extra] = name
  put(self.components, name, component)
  put(component, "description", origin.description)
  fill_object(self, n, component)
  if origin.example ~= nil then
    put(component, "examples", core.array { plain(origin, origin.example) })
  end
  return name
end

--- A node's type and bounds, without what is said about it.
---@param n barq.Node
---@return table
function Schemas:bare(n)
  local s = kinds[n.kind](self, n)
  return n.nullable and nullable(s) or s
end

--- A node as JSON Schema.
---@param n barq.Node
---@return table
function Schemas:of(n)
  local s, description, example = self:bare(n), n.description, n.example
  local target = n.kind == "object" and n.name and n or n.target
  if target and not n.nullable then
    -- What the component says already is not repeated beside the reference.
    local origin = declared(target)
    if description == origin.description then description = nil end
    if example == origin.example then example = nil end
  end
  return annotate(s, n, description, example)
end

--- A node as the schema of a parameter, which is described beside it.
---@param n barq.Node
---@return table
function Schemas:of_parameter(n)
  return annotate(self:bare(n), n)
end

--- A value of a node, as it is on the wire.
---@param n barq.Node
---@param value any
---@return any
function schema.value(n, value) return plain(n, value) end

--- Whether a value must be there.
---@param n barq.Node
---@return boolean
function schema.is_required(n) return not n.optional and n.default == nil end

--- Collects the components of one document.
---@param reserved table<string, true> names that are not for the application's objects
---@return barq.openapi.Schemas
function schema.new(reserved)
  return setmetatable({ components = of(), names = {}, reserved = reserved }, Schemas)
end

return schema
