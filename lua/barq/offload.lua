-- offload.lua: barq.offload. Sugar over barq.offload.core, which is written in C.
local core = require "barq.offload.core"
local place = require "barq.place"

local start, wait, result = core.start, core.wait, core.result

local function check_name(value, what)
  if type(value) ~= "string" or value == "" or value:find("%z") then
    place.fail("barq.offload: the %s is a name, got %s", what,
      type(value) == "string" and "an empty one, or one with a NUL" or type(value))
  end
end

local function give(ok, n, values)
  if ok then return unpack(values, 1, n) end
  if n == 0 then error("not enough memory: see lua_memory_max", 0) end
  error(values[1], 0)
end

--- Calls a function on another thread, which has a Lua state of its own, and waits for it while
--- others run: for what would keep this worker busy, or blocked in a C library.
---
--- Arguments and results are copied: booleans, numbers, strings, `barq.null`, nil, and tables of
--- these. What the function raises is raised here; a table stays one, without its metatable. When
--- the caller is ended (a timeout, a client that has gone), the function is ended, too, when it
--- next makes a table, string or closure; one that makes none runs to its end for nobody.
---
--- There `require "barq"` gives `array`, `log`, `now`, `null`, `object`, `schema`, `shared`,
--- `sqlite` and `t`: there are neither routes nor requests.
---@param module string as for `require`; it returns a table
---@param name string of the function in that table
---@param ... any its arguments
---@return any ... its results
--- Raises: what the function raises; on what cannot be copied; when 10,000 calls, or 256 MiB of
--- arguments, wait already.
local function offload(module, name, ...)
  check_name(module, "module")
  check_name(name, "function")
  local call, message = start(module, name, select("#", ...), { ... })
  if not call then place.fail("barq.offload: %s", message) end
  wait(call)
  return give(result(call))
end

return offload
