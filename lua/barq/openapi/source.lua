-- source.lua: what the application's author wrote above a route.
--
-- A comment is a courtesy: a file that is gone, changed, or no text gives none.
local core = require "barq.core"

local source = {}

-- A file of more than this is no application written by hand.
local BYTES_MAX = 4 * 1024 * 1024

local function read_lines(path)
  local file = io.open(path, "rb")
  if not file then return {} end
  -- Not more than there is: Lua takes the memory for all that is asked for, and keeps it.
  local bytes = file:seek("end") or 0
  file:seek("set")
  local text = file:read(math.min(bytes, BYTES_MAX))
  file:close()
  local lines = {}
  for line in ((text or "") .. "\n"):gmatch("(.-)\r?\n") do lines[#lines + 1] = line end
  return lines
end

-- What a line says after "---"; nil when it is something else ("----" draws a line).
local function comment_of(line)
  local rest = line and line:match("^%s*%-%-%-(.*)$")
  if not rest or rest:byte() == 45 then return nil end
  return (rest:gsub("^ ", ""):gsub("%s+$", ""))
end

local function comment_above(lines, number)
  local first = number
  while comment_of(lines[first - 1]) do first = first - 1 end
  local said = {}
  for i = first, number - 1 do
    local text = comment_of(lines[i])
    -- "---@param" and the like speak to the editor.
    if text:byte() ~= 64 then said[#said + 1] = text end
  end
  return (table.concat(said, "\n"):gsub("^\n+", ""):gsub("\n+$", ""))
end

--- A function that gives the `---` lines directly above a place; it reads each file once.
---@return fun(place: string?): string? comment_at takes "app.lua:12"
function source.reader()
  local files = {}
  return function(place)
    local path, number = (place or ""):match("^(.+):(%d+)$")
    if not path then return nil end
    files[path] = files[path] or read_lines(path)
    local text = comment_above(files[path], tonumber(number))
    -- JSON is UTF-8: the encoder judges whether the comment is.
    if text == "" or not pcall(core.json_encode, text) then return nil end
    return text
  end
end

return source
