-- agreement.lua: whether two nodes accept the same values in the same way.
local agreement = {}

-- What tells nodes apart without changing what they mean.
local incidental = { seq = true, place = true, label = true, description = true, example = true }

-- Values of options: tables of nodes, of scalars, or defaults, all compared by content.
local function same(a, b, open)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  -- A recursive pair that is being compared agrees unless something else differs.
  if open[a] == b then return true end
  local before = open[a]
  open[a] = b
  local agree = true
  for key, value in pairs(a) do
    agree = agree and (incidental[key] or same(value, b[key], open))
  end
  for key in pairs(b) do
    agree = agree and (incidental[key] or a[key] ~= nil)
  end
  open[a] = before
  return agree
end

--- Functions are the same when they are identical; order counts where it does for the reader
--- (fields, values, variants).
---@param a barq.Node
---@param b barq.Node
---@return boolean
function agreement.same(a, b)
  return same(a, b, {})
end

return agreement
