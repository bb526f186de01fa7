-- names.lua: the nearest right name for a wrong one, for error messages.
local names = {}

-- Edit distance with transpositions (optimal string alignment).
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      current[j] = math.min(row[j] + 1, current[j - 1] + 1, row[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        current[j] = math.min(current[j], before[j - 2] + 1)
      end
    end
    before, row = row, current
  end
  return row[#b]
end

--- The member of `known` that `name` was probably meant to be.
---@param name string
---@param known table keys are the right names
---@return string? nearest
function names.nearest(name, known)
  local best, least = nil, math.floor(#name / 3) + 1
  local sorted = {}
  for right in pairs(known) do
    if type(right) == "string" then sorted[#sorted + 1] = right end
  end
  table.sort(sorted)
  for _, right in ipairs(sorted) do
    local d = distance(name, right)
    if d <= least then best, least = right, d - 1 end
  end
  return best
end

--- The keys of a table, so that messages come in the same order every time.
---@param object table
---@return any[]
function names.sorted(object)
  local sorted = {}
  for key in pairs(object) do sorted[#sorted + 1] = key end
  table.sort(sorted, function(a, b) return tostring(a) < tostring(b) end)
  return sorted
end

--- ' (did you mean "x"?)', or a list of what there is when nothing is near.
---@param name any
---@param known table keys are the right names
---@return string
function names.hint(name, known)
  local near = type(name) == "string" and names.nearest(name, known)
  if near then return (' (did you mean "%s"?)'):format(near) end
  local sorted = names.sorted(known)
  for i, right in ipairs(sorted) do sorted[i] = tostring(right) end
  return " (there is " .. table.concat(sorted, ", ") .. ")"
end

return names
