-- object.lua: from a table of names and types to the ordered fields of an object.
local node = require "barq.schema.node"
local options = require "barq.schema.options"
local place = require "barq.place"

local object = {}

-- As people write them: in the table of the fields instead of in the one behind it.
local function misplaced(name, value, what)
  local option = name == "extra" or name == "description"
  if option and type(value) == "string" then
    place.fail('%s: "%s" is an option, not a field: it goes into a second table, as '
      .. "({ fields }, { %s = %s })", what, name, name, node.show(value))
  end
end

local function by_age(a, b)
  if a[2].seq ~= b[2].seq then return a[2].seq < b[2].seq end
  return a[1] < b[1]
end

--- The fields in the order of their nodes. A node or schema that was made before, and is named
--- here only, has its place before what is written here: `item = Item()` makes a copy that is
--- young.
---@param given table<string, barq.Node|barq.Schema>
---@param what string at the beginning of messages
---@return { [1]: string, [2]: barq.Node }[]
--- Raises: when it is no such table, or has no name for a field.
function object.fields(given, what)
  if type(given) ~= "table" or node.is(given) or getmetatable(given) == node.Schema then
    place.fail("%s: a table of fields expected, as { id = t.integer }, got %s", what,
      node.show(given))
  end
  local fields = {}
  for name, value in pairs(given) do
    if type(name) ~= "string" or name == "" then
      place.fail("%s: a field has a name, as { id = t.integer }; got [%s]", what, tostring(name))
    end
    misplaced(name, value, what)
    fields[#fields + 1] = { name, node.of(value, ('%s: field "%s"'):format(what, name)) }
  end
  table.sort(fields, by_age)
  return fields
end

--- The node of an object.
---@param fields { [1]: string, [2]: barq.Node }[]
---@param given? table options
---@param what string
---@param parts? table what the node has besides
---@return barq.Node
function object.new(fields, given, what, parts)
  parts = parts or {}
  parts.fields, parts.extra = fields, parts.extra or "ignore"
  return options.apply(node.new("object", "object", parts), given or {}, what)
end

return object
