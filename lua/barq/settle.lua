-- settle.lua: once the server serves, what only the declarations needed is let go.
--
-- Each cycle of Lua's collector goes through everything that lives, and most of barq's own modules
-- are there to read an application's declarations, or to describe them. No list says which those
-- are: a module that nobody holds goes, and is loaded again should somebody require it. So the
-- modules of the request path hold only one another, and require others where they need them; what
-- outlives a module, such as a metatable by which something is known, is in state.lua.
-- The application may have globals of its own by now that are called so.
local jit = require "jit"
local package = require "package"
local state = require "barq.state"

-- By name, weakly; without what has no source here.
local function own_modules()
  local found = setmetatable({}, { __mode = "v" })
  for name, module in pairs(package.loaded) do
    if type(name) == "string" and name:find("^barq%.") and package.preload[name] then
      found[name] = module
    end
  end
  return found
end

--- Between this and what C does next, a collection and putting back what is left, nothing runs.
---@return table<string, any> modules that are no longer in package.loaded, held weakly
return function()
  -- The document is made while there is what it is made of; in development a quick reload counts
  -- for more. What is wrong with it is told to who asks for it.
  if state.document and not state.dev then pcall(state.document) end
  state.document = nil
  state.info, state.providers = {}, {}
  local modules = own_modules()
  for name in pairs(modules) do package.loaded[name] = nil end
  jit.flush() -- what was compiled so far holds what it was compiled for
  return modules
end
