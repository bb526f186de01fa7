-- node.lua: the nodes of schemas: made, copied, recognised.
--
-- A node is a plain table of the shape that src/app/schema.h documents. It never changes once it
-- is made: configuring a node makes another one, so a node kept in a local serves many times.
-- Each carries a number that grows with every node, which is how the fields of an object,
-- written in a Lua table that forgets their order, get it back.
local names = require "barq.names"
local place = require "barq.place"
local state = require "barq.state"

---@class barq.Node what barq.t makes: the type of a value; called with options, a copy that has them
---@field kind string as in src/app/schema.h
---@field label string the name after "t."
---@field seq integer grows with every node
---@field place string? where it was made, as "app.lua:12"
---@field optional? true may be absent
---@field nullable? true may be null
---@field default? any
---@overload fun(options?: table): barq.Node

local node = {
  Node = state.Node,     -- the metatable of nodes
  Schema = state.Schema, -- the metatable of barq.schema's objects, which stand for the node in them
  known = {},    -- every name after "t.": what a wrong one is compared to
  calls = {},    -- constructor -> how it is called
  deferred = {}, -- nodes that only the freeze can judge: references and unions
}

-- What people call these types elsewhere.
local aliases = {
  str = "string", text = "string", int = "integer", long = "int64", float = "number",
  double = "number", bool = "boolean", list = "array", set = "array", dict = "map", record = "map",
  literal = "const", url = "uri", timestamp = "datetime", table = "object", null = "nullable",
}

local function finish(n)
  n.seq, n.place = state.count(), place.here()
  if n.kind == "ref" or n.kind == "union" then node.deferred[#node.deferred + 1] = n end
  return setmetatable(n, node.Node)
end

--- A new node.
---@param kind string as in src/app/schema.h
---@param label string as in barq.t
---@param parts? table further fields; it becomes the node
---@return barq.Node
function node.new(kind, label, parts)
  local n = parts or {}
  n.kind, n.label = kind, label
  return finish(n)
end

--- The same again, younger.
---@param base barq.Node
---@return barq.Node
function node.copy(base)
  local n = {}
  for key, value in pairs(base) do n[key] = value end
  return finish(n)
end

function node.is(value) return getmetatable(value) == node.Node end

--- Raises a mistake that shows only later than where it was made.
---@param where string? a place; nil blames the caller
---@param format string as for string.format
function node.blame(where, format, ...)
  if not where then place.fail(format, ...) end
  error(where .. ": " .. format:format(...), 0)
end

--- A value, for messages.
---@param value any
---@return string
function node.show(value)
  if node.is(value) then return "t." .. value.label end
  if getmetatable(value) == node.Schema then return "the schema " .. (value.name or "") end
  if type(value) == "string" then return ('"%s"'):format(value) end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return value == nil and "nil" or "a " .. type(value)
end

--- How to go on from a name that is no type.
---@param name any
---@return string hint
function node.hint(name)
  local near = aliases[name] or type(name) == "string" and names.nearest(name, node.known)
  if near then return (" (did you mean t.%s?)"):format(near) end
  return names.hint(name, node.known)
end

local function hint_for(value)
  local kind = type(value)
  if kind == "string" then return node.hint(value) end
  if value == string then return " (did you mean t.string?)" end
  if kind == "table" then return " (an object inside is t.object{ … })" end
  if kind == "number" or kind == "boolean" then
    return (" (did you mean t.const(%s)?)"):format(tostring(value))
  end
  if node.calls[value] then return (" (it is called, as %s)"):format(node.calls[value]) end
  return ""
end

--- The node that a value is or stands for.
---@param value any
---@param what string what the node is for, at the beginning of the message
---@return barq.Node
--- Raises: when it is something else.
function node.of(value, what)
  if node.is(value) then return value end
  if getmetatable(value) == node.Schema then return value.node end
  place.fail("%s: a type as t.string or a schema expected, got %s%s", what, node.show(value),
    hint_for(value))
end

--- The node of something that is always there: an item, a value of a map, a variant.
---@param value any
---@param what string
---@return barq.Node
--- Raises: when it is no node, or may be absent.
function node.present(value, what)
  local n = node.of(value, what)
  if n.optional or n.default ~= nil then
    place.fail("%s cannot be absent: it takes neither t.optional nor a default (for null: "
      .. "t.nullable)", what)
  end
  return n
end

return node
