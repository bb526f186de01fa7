-- modules.lua: barq's own modules as the server loads them (named "barq:…", so that errors blame
-- the application), over stand-ins for what C gives. Each call begins anew.
local modules = {}

local function searcher(name)
  local path = package.searchpath(name, "./lua/?.lua;./lua/?/init.lua")
  if not path then return nil end
  local file = assert(io.open(path, "rb"))
  local source = file:read("*a")
  file:close()
  return assert(loadstring(source, "@barq:" .. path:gsub("^%./lua/", "")))
end

--- What modules may ask of C while they are loaded: anything is a function.
---@param functions table<string, any>? those that do something
---@return table core
function modules.stand_in(functions)
  return setmetatable(functions or {}, {
    __index = function(self, name)
      local function fn() end
      rawset(self, name, fn)
      return fn
    end,
  })
end

--- A `require` that loads barq's modules from lua/, each once.
---@param core table? barq.core
---@return fun(name: string): any
function modules.fresh(core)
  local loaded = {
    ["barq.core"] = core or modules.stand_in(),
    ["barq.shared.core"] = modules.stand_in { methods = {} },
    ["barq.offload.core"] = modules.stand_in {},
    ["barq.sqlite.core"] = modules.stand_in { db_methods = {}, tx_methods = {}, blob_type = {} },
    ["barq.docs.core"] = { files = {} },
  }
  local environment
  local function require_fresh(name)
    if loaded[name] == nil then
      loaded[name] = setfenv(searcher(name) or error("no module " .. name, 2), environment)(name)
    end
    return loaded[name]
  end
  environment = setmetatable({ require = require_fresh }, { __index = _G })
  return require_fresh
end

--- Runs source as an application's file.
---@param source string
---@param variables table<string, any>? its globals
---@return boolean ok
---@return any error
function modules.run_app(source, variables)
  local chunk = assert(loadstring(source, "@app.lua"))
  return pcall(setfenv(chunk, setmetatable(variables or {}, { __index = _G })))
end

return modules
