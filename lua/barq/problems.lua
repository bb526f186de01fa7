-- problems.lua: what becomes of a mistake in a declaration: it ends the load, or is one of the
-- many that `barq-server check` tells.
local core = require "barq.core"

local problems = {
  report = nil, ---@type fun(text: string)? where they go; nil: they are raised
}

local function finish(ok, ...)
  if ok then return ... end
  local err = (...)
  problems.report(type(err) == "string" and err or core.describe(err))
end

--- Calls a function whose mistakes need not keep others from being told.
---@param fn function
---@param ... any its arguments
---@return any ... its results; none where it raised and that has been reported
--- Raises: what fn raises, unless somebody collects the problems.
function problems.attempt(fn, ...)
  if not problems.report then return fn(...) end
  return finish(pcall(fn, ...))
end

return problems
