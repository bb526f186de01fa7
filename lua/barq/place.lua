-- place.lua: where in the application something was declared.
local place = {}

--- The file and line of the nearest caller outside barq's own modules.
---@return string place as "app.lua:12"
function place.here()
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return "?" end
    if info.what ~= "C" and info.source:sub(1, 6) ~= "@barq:" then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
    level = level + 1
  end
end

--- Raises a mistake of the application, blamed on its own line.
---@param format string as for string.format
function place.fail(format, ...)
  error(place.here() .. ": " .. format:format(...), 0)
end

return place
