-- log.lua: lines of the application in the server's own log.
local core = require "barq.core"

---@class barq.Log
---@overload fun(format: any, ...)
local log = {}

local function at(level)
  return function(format, ...)
    if not core.log_enabled(level) then return end
    local text = tostring(format)
    if select("#", ...) > 0 then text = text:format(...) end
    core.log(level, text)
  end
end

--- Each takes a text, or a format and its values as string.format does. Control characters
--- in the text are escaped. Levels below `log_level` cost one comparison.
---@type fun(format: any, ...)
log.debug = at("debug")
---@type fun(format: any, ...)
log.info = at("info")
---@type fun(format: any, ...)
log.warn = at("warn")
---@type fun(format: any, ...)
log.error = at("error")

return setmetatable(log, { __call = function(_, ...) return log.info(...) end })
