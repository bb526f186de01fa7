-- embedded.lua: barq's modules as the server loads them: under the names that tell them from the
-- application in tracebacks, and with stand-ins for what is written in C.
local embedded = {}

-- A table in place of barq.core. null is a userdata, as the real one.
local function new_core()
  local core = { null = newproxy() }
  function core.schema_check(node, value) return "checked", { node = node, value = value } end
  function core.schema_encode(node, value) return node.name .. ":" .. tostring(value) end
  return core
end

local function open(name)
  local path = name:gsub("%.", "/")
  return io.open(("lua/%s.lua"):format(path), "rb"), ("@barq:%s.lua"):format(path)
end

local function loader(name)
  if not name:find("^barq%.") then return nil end
  local file, chunkname = open(name)
  if not file then return "\n\tno such module of barq" end
  local text = file:read("*a")
  file:close()
  return assert(loadstring(text, chunkname))
end

--- A new application: modules that nothing has been declared in.
---@return fun(name: string): table require, for modules of barq
function embedded.fresh()
  for name in pairs(package.loaded) do
    if name:find("^barq%.") then package.loaded[name] = nil end
  end
  local core = new_core()
  package.preload["barq.core"] = function() return core end
  if package.loaders[2] ~= loader then table.insert(package.loaders, 2, loader) end
  return require
end

--- Runs application code with `barq`, `t` and what else is given; line 1 is its first line.
---@param code string
---@param env table
---@return any what it returns
function embedded.run(code, env)
  local chunk = assert(loadstring(code, "@app.lua"))
  return setfenv(chunk, setmetatable(env, { __index = _G }))()
end

return embedded
