-- decimal.lua: 64-bit integers as decimal text, since a Lua number ends at 2^53.
local decimal = {}

local SAFE = 2 ^ 53 - 1
local LARGEST, SMALLEST = "9223372036854775807", "-9223372036854775808"

--- Whether a value is a number without a fraction that a double holds exactly.
---@param value any
---@return boolean
function decimal.is_safe_integer(value)
  return type(value) == "number" and value % 1 == 0 and value >= -SAFE and value <= SAFE
end

local function less_digits(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

--- a < b, both canonical.
---@param a string
---@param b string
---@return boolean
function decimal.less(a, b)
  local a_negative, b_negative = a:byte() == 45, b:byte() == 45
  if a_negative ~= b_negative then return a_negative end
  if a_negative then return less_digits(b:sub(2), a:sub(2)) end
  return less_digits(a, b)
end

--- The canonical text of a 64-bit integer: no sign but "-", no leading zeros.
---@param value any decimal text, or a safe integer
---@return string? text nil when it is neither, or beyond 64 bits
function decimal.of(value)
  if decimal.is_safe_integer(value) then return ("%.0f"):format(value == 0 and 0 or value) end
  if type(value) ~= "string" then return nil end
  if value ~= "0" and not value:find("^%-?[1-9]%d*$") then return nil end
  if decimal.less(value, SMALLEST) or decimal.less(LARGEST, value) then return nil end
  return value
end

return decimal
