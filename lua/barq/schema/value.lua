-- value.lua: whether a default or an example that the application wrote fits its type.
--
-- The judge of requests is in C. This one runs at load, and looks at what a person gets wrong in
-- a declaration: the basic type, bounds and members, not formats, patterns or checks.
local core = require "barq.core"
local decimal = require "barq.schema.decimal"
local node = require "barq.schema.node"

local DEPTH_MAX = 64

local fits = {}

---@param n barq.Node
---@param v any
---@param depth? integer
---@return string? misfit what v should be; nil when it fits
local function misfit(n, v, depth)
  depth = depth or 0
  if depth > DEPTH_MAX then return "is nested too deep" end
  if v == core.null and n.nullable then return nil end
  if v == core.null and n.kind ~= "any" and n.kind ~= "enum" and n.kind ~= "const"
      and n.kind ~= "union" and n.kind ~= "ref" then
    return ("is null, as only t.nullable(t.%s, { … }) may be"):format(n.label)
  end
  return fits[n.kind](n, v, depth + 1)
end

local function expected(what, v)
  return ("should be %s, not %s"):format(what, v == core.null and "null" or node.show(v))
end

local function inside(where, problem)
  return problem and ("[%s] %s"):format(where, problem)
end

local function size(n, count, unit)
  if n.min and count < n.min then
    return ("should have at least %d %s"):format(n.min, unit)
  elseif n.max and count > n.max then
    return ("should have at most %d %s"):format(n.max, unit)
  end
end

function fits.string(n, v)
  if type(v) ~= "string" then return expected("a string", v) end
  if n.format == "bytes" then return size(n, #v, "bytes") end
  return size(n, select(2, v:gsub("[^\128-\191]", "")), "characters")
end

local function less(a, b) return a < b end

-- before(a, b) is a < b for what `as` makes of bounds.
local function range(n, v, before, as)
  if n.min and before(v, as(n.min)) then
    return ("should be at least %s"):format(tostring(n.min))
  elseif n.max and before(as(n.max), v) then
    return ("should be at most %s"):format(tostring(n.max))
  elseif n.above and not before(as(n.above), v) then
    return ("should be above %s"):format(tostring(n.above))
  elseif n.below and not before(v, as(n.below)) then
    return ("should be below %s"):format(tostring(n.below))
  end
end

local function same(v) return v end

local function multiple(n, v)
  if not n.multiple_of then return nil end
  local quotient = v / n.multiple_of
  -- 0.3 / 0.1 is not 3 in binary: a few units in the last place are forgiven.
  if math.abs(quotient - math.floor(quotient + 0.5)) > 1e-9 * math.max(1, math.abs(quotient)) then
    return ("should be a multiple of %s"):format(tostring(n.multiple_of))
  end
end

function fits.integer(n, v)
  if not decimal.is_safe_integer(v) then return expected("an integer within 2^53", v) end
  return range(n, v, less, same) or multiple(n, v)
end

function fits.number(n, v)
  if type(v) ~= "number" or v ~= v or math.abs(v) == math.huge then
    return expected("a finite number", v)
  end
  return range(n, v, less, same) or multiple(n, v)
end

function fits.int64(n, v)
  local text = decimal.of(v)
  if not text then return expected('a 64-bit integer as decimal text, as "12"', v) end
  return range(n, text, decimal.less, decimal.of)
end

function fits.boolean(_, v)
  if type(v) ~= "boolean" then return expected("true or false", v) end
end

function fits.enum(n, v)
  local shown = {}
  for i, one in ipairs(n.values) do
    if one == v then return nil end
    shown[i] = one == core.null and "null" or node.show(one)
  end
  return expected("one of " .. table.concat(shown, ", "), v)
end

function fits.const(n, v)
  if v ~= n.value then return expected(node.show(n.value), v) end
end

local json_types = { string = true, boolean = true }

function fits.any(n, v, depth)
  if json_types[type(v)] or v == core.null then return nil end
  if type(v) == "number" then return fits.number({}, v) end
  if type(v) ~= "table" then return expected("a JSON value", v) end
  for key, one in pairs(v) do
    local problem = misfit(n, one, depth)
    if problem then return inside(tostring(key), problem) end
  end
end

function fits.object(n, v, depth)
  if type(v) ~= "table" then return expected("a table", v) end
  local declared = {}
  for _, field in ipairs(n.fields) do
    local name, of = field[1], field[2]
    declared[name] = true
    if v[name] ~= nil then
      local problem = misfit(of, v[name], depth)
      if problem then return inside(name, problem) end
    elseif not of.optional and of.default == nil then
      return ('lacks the field "%s"'):format(name)
    end
  end
  for key in pairs(v) do
    if not declared[key] and n.extra == "forbid" then
      return ('has a field "%s" that is not declared'):format(tostring(key))
    end
  end
end

function fits.array(n, v, depth)
  if type(v) ~= "table" then return expected("an array", v) end
  local count = 0
  for key in pairs(v) do
    count = count + 1
    if type(key) ~= "number" or key < 1 or key > #v or key % 1 ~= 0 then
      return "should be an array without names or holes"
    end
  end
  for i = 1, count do
    local problem = misfit(n.of, v[i], depth)
    if problem then return inside(i, problem) end
  end
  return size(n, count, "items")
end

function fits.map(n, v, depth)
  if type(v) ~= "table" then return expected("a table", v) end
  local count = 0
  for key, one in pairs(v) do
    count = count + 1
    if type(key) ~= "string" then return "should have names for keys" end
    local problem = misfit(n.of, one, depth)
    if problem then return inside(key, problem) end
  end
  return size(n, count, "entries")
end

function fits.union(n, v, depth)
  for _, variant in ipairs(n.variants) do
    if not misfit(variant, v, depth) then return nil end
  end
  return "fits no variant"
end

-- While the application loads, the target may still be unwritten.
function fits.ref(n, v, depth)
  if n.target then return misfit(n.target, v, depth) end
  if type(v) ~= "table" then return expected("a table", v) end
end

return misfit
