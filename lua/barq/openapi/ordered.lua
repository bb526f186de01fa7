-- ordered.lua: JSON objects that remember the order their members were written in, and the text
-- of a document in that order.
--
-- The tables stay plain ones, which any encoder takes. Their order lies beside them: a
-- document is the same text, byte for byte, however often and wherever it is made.
local core = require "barq.core"

local ordered = {}

local DEPTH_MAX = 128

-- object -> its names, in order
local orders = setmetatable({}, { __mode = "k" })

--- Adds a member, or replaces it in its place.
---@param object table made by ordered.of
---@param name string
---@param value any nil adds nothing
---@return table object
function ordered.put(object, name, value)
  if value == nil then return object end
  local names = orders[object]
  if object[name] == nil then names[#names + 1] = name end
  object[name] = value
  return object
end

--- An object of names and values, in turn; a name whose value is nil is left out.
---@param ... any
---@return table object
function ordered.of(...)
  local object = core.object {}
  orders[object] = {}
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    ordered.put(object, name, value)
  end
  return object
end

-- Whether an object has these members and no others.
local function has_only(object, names)
  local surplus = 0
  for _ in pairs(object) do surplus = surplus + 1 end
  for _, name in ipairs(names) do
    if object[name] == nil then return false end
    surplus = surplus - 1
  end
  return surplus == 0
end

local function by_text(a, b) return tostring(a) < tostring(b) end

--- The names of a table: in the order they were put; without one, or put otherwise, sorted.
---@param object table
---@return string[] names not to be changed
function ordered.names(object)
  local put = orders[object] or {}
  if has_only(object, put) then return put end
  local names, known, rest = {}, {}, {}
  for _, name in ipairs(put) do
    known[name] = true
    if object[name] ~= nil then names[#names + 1] = name end
  end
  for name in pairs(object) do
    if not known[name] then rest[#rest + 1] = name end
  end
  table.sort(rest, by_text)
  for _, name in ipairs(rest) do names[#names + 1] = name end
  return names
end

-- As the encoder sees it: what is marked is what it is marked as, else positions make an array.
local function is_array(value)
  local meta = getmetatable(value)
  if meta == getmetatable(core.object()) then return false end
  return meta == getmetatable(core.array()) or value[1] ~= nil
end

local write

local function write_array(value, out, where, depth)
  out[#out + 1] = "["
  for i, one in ipairs(value) do
    if i > 1 then out[#out + 1] = "," end
    write(one, out, where, depth)
  end
  out[#out + 1] = "]"
end

local function write_object(value, out, where, depth)
  out[#out + 1] = "{"
  for i, name in ipairs(ordered.names(value)) do
    where[depth] = tostring(name)
    out[#out + 1] = (i > 1 and "," or "") .. core.json_encode(where[depth]) .. ":"
    write(value[name], out, where, depth)
  end
  where[depth] = nil
  out[#out + 1] = "}"
end

function write(value, out, where, depth)
  if type(value) == "table" and next(value) ~= nil then
    if depth == DEPTH_MAX then error("openapi: the document is nested too deep", 0) end
    return (is_array(value) and write_array or write_object)(value, out, where, depth + 1)
  end
  local ok, text = pcall(core.json_encode, value)
  if not ok then
    error(("openapi: %s: %s"):format(table.concat(where, "."), tostring(text)), 0)
  end
  out[#out + 1] = text
end

--- The value as JSON text.
---@param value any
---@return string
--- Raises: on a value without JSON form, with the names that lead to it.
function ordered.json(value)
  local out = {}
  write(value, out, {}, 0)
  return table.concat(out)
end

return ordered
