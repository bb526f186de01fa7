-- strict.lua: accidental globals. While the application loads, globals are its own affair;
-- once it serves, a new one is nearly always a forgotten `local`, shared by all requests.
local core = require "barq.core"

-- Those of debug see behind a __metatable field, which the application may have put there.
local getinfo, getmetatable, setmetatable =
  debug.getinfo, debug.getmetatable, debug.setmetatable

local strict = {}

local function location()
  local info = getinfo(3, "Sl")
  return info and ("%s:%d"):format(info.short_src, info.currentline) or "?"
end

--- Starts to watch for new globals: an error in development, a warning otherwise (once a name).
---@param dev boolean
function strict.watch(dev)
  local meta = getmetatable(_G)
  if not meta then
    meta = {}
    setmetatable(_G, meta)
  end
  -- An application that brought its own strictness keeps it.
  if meta.__newindex then return end
  meta.__newindex = function(globals, name, value)
    local text = ('%s: new global "%s" while serving: write "local %s", or declare it while the '
      .. "application loads"):format(location(), tostring(name), tostring(name))
    if dev then error(text, 0) end
    core.log("warn", text)
    rawset(globals, name, value)
  end
end

return strict
