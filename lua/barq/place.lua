-- place.lua: where in the application something was declared.
local place = {}

-- A file's name in full, where Lua's own messages shorten it.
local function file_of(info)
  return info.source:sub(1, 1) == "@" and info.source:sub(2) or info.short_src
end

--- The file and line of the nearest caller outside barq's own modules.
---@return string? place as "app.lua:12"; nil where a tail call left no trace of the caller
function place.here()
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return nil end
    if info.what ~= "C" and info.source:sub(1, 6) ~= "@barq:" then
      return ("%s:%d"):format(file_of(info), info.currentline)
    end
    level = level + 1
  end
end

--- The file and line of a function's first line.
---@param fn function
---@return string
function place.of(fn)
  local info = debug.getinfo(fn, "S")
  return ("%s:%d"):format(file_of(info), info.linedefined)
end

--- Raises a mistake of the application, blamed on its own line.
---@param format string as for string.format
---@param ... any
function place.fail(format, ...)
  local here = place.here()
  error((here and here .. ": " or "") .. format:format(...), 0)
end

return place
