-- listing.lua: the table of routes that `barq-server routes` prints.
local core = require "barq.core"
local ordered = require "barq.openapi.ordered"

local listing = {}

local columns = { "METHOD", "PATH", "NAME", "DEPENDS", "PLACE" }

-- Columns of a terminal: code points, as far as paths and names go.
local function width(text)
  return select(2, text:gsub("[^\128-\191]", ""))
end

local function row_of(route)
  local needs = table.concat(route.needs or {}, ", ")
  return { route.method, route.path, route.name or "-", needs ~= "" and needs or "-", route.place }
end

--- Aligned columns below their names.
---@param routes table[] as freeze.lua makes them
---@return string text
function listing.text(routes)
  local rows, widths, lines = { columns }, {}, {}
  for _, route in ipairs(routes) do rows[#rows + 1] = row_of(route) end
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, width(cell)) end
  end
  for n, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = i == #row and cell or cell .. (" "):rep(widths[i] - width(cell))
    end
    lines[n] = table.concat(cells, "  ") .. "\n"
  end
  return table.concat(lines)
end

--- A JSON array with one route in each line.
---@param routes table[]
---@return string text
function listing.json(routes)
  local lines = {}
  for i, route in ipairs(routes) do
    local file, line = route.place:match("^(.*):(%d+)$")
    lines[i] = ordered.json(ordered.of(
      "method", route.method, "path", route.path, "name", route.name or core.null,
      "depends", core.array(route.needs or {}),
      "file", file or core.null, "line", tonumber(line) or core.null))
  end
  return ("[\n%s\n]\n"):format(table.concat(lines, ",\n"))
end

return listing
