-- tags.lua: the field of tagged unions that says which variant a value is, in O(1).
local node = require "barq.schema.node"

local tags = {}

local function find(object, name)
  for _, field in ipairs(object.fields) do
    if field[1] == name then return field[2] end
  end
end

-- The values of a tag field, or nil and what it should be.
local function values_of(field, tag)
  if not field then return nil, ('has no field "%s"'):format(tag) end
  local values = field.kind == "const" and { field.value } or field.values
  if field.kind ~= "const" and field.kind ~= "enum" then
    return nil, ('has a field "%s" that is t.%s: a tag is t.const("…") or t.enum{ … }'):format(
      tag, field.label)
  end
  if field.optional or field.nullable or field.default ~= nil then
    return nil, ('has a field "%s" that may be absent or null'):format(tag)
  end
  for _, value in ipairs(values) do
    if type(value) ~= "string" then
      return nil, ('has a tag that is no string: %s'):format(node.show(value))
    end
  end
  return values
end

-- The object of a variant; nil while its reference is unresolved; false when it is no object.
local function object_of(variant)
  if variant.kind == "ref" then variant = variant.target end
  if variant and variant.kind ~= "object" then return false end
  return variant
end

local function claim(owners, values, i)
  for _, value in ipairs(values) do
    if owners[value] then
      return ('variants %d and %d share the tag "%s"'):format(owners[value], i, value)
    end
    owners[value] = i
  end
end

--- What is wrong with the tag of a union, as far as its references are resolved.
---@param union barq.Node
---@return string? problem
function tags.problem(union)
  if union.tag == nil then return nil end
  local owners = {}
  for i, variant in ipairs(union.variants) do
    local object = object_of(variant)
    if object == false then
      return ("variant %d is t.%s, and only objects have a tag"):format(i, variant.label)
    end
    if variant.nullable then
      return ("variant %d is nullable: make the union nullable instead"):format(i)
    end
    if object then
      local values, wrong = values_of(find(object, union.tag), union.tag)
      local problem = wrong and ("variant %d %s"):format(i, wrong) or claim(owners, values, i)
      if problem then return problem end
    end
  end
end

return tags
