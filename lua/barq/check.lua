-- check.lua: `barq-server check`: a declaration that raises is reported, and a stand-in takes its
-- place, so that what follows is judged, too.
--
-- A stand-in takes whatever it can: the reader wants the mistake, not its consequences.
local depends = require "barq.depends"
local globals = require "barq.globals"
local group = require "barq.group"
local node = require "barq.schema.node"
local problems = require "barq.problems"
local schema = require "barq.schema"
local types = require "barq.schema.types"

local check = {}

-- fn, or what stand_in makes of the same arguments where fn raised.
local function tolerant(fn, stand_in)
  return function(...)
    local made = problems.attempt(fn, ...)
    if made == nil and stand_in then return stand_in(...) end
    return made
  end
end

local function any_type() return types.any end
local function itself(self) return self end

-- A schema that is anything, under its name, so that a t.ref finds it.
local function any_schema(name)
  local named = type(name) == "string" and not schema.named[name]
  local made = setmetatable({ name = named and name or nil, node = types.any }, node.Schema)
  for _, method in ipairs { "extend", "pick", "omit", "partial" } do made[method] = itself end
  if named then schema.named[name] = made end
  return made
end

local function any_provider()
  return depends.depends { open = function() end }
end

local unnamed = 0

-- The routes of a group that could not be made collide with none.
local function any_group()
  unnamed = unnamed + 1
  return group.group(("/group-%d"):format(unnamed))
end

local function replace(object, name, stand_in)
  rawset(object, name, tolerant(object[name], stand_in))
end

local function tolerate_types()
  replace(node.Node, "__call", itself)
  replace(node.Schema, "__call", any_type)
  for _, method in ipairs { "extend", "pick", "omit", "partial" } do
    replace(schema.methods, method, itself)
  end
  for name, make in pairs(types) do
    local usage = node.calls[make]
    replace(types, name, any_type)
    node.calls[types[name]] = usage
  end
  replace(getmetatable(types), "__index", any_type)
end

local stand_ins = {
  schema = any_schema, depends = any_provider, bearer = any_provider, basic = any_provider,
  api_key = any_provider, group = any_group,
}
local without_value = {
  "all_routes", "config", "info", "mount", "on", "on_error", "use",
}

--- From now on mistakes in declarations are reported instead of raised.
---@param report fun(text: string)
function check.begin(report)
  local barq, declares = require "barq", require "barq.declares"
  problems.report = report
  globals.watch()
  tolerate_types()
  for name, stand_in in pairs(stand_ins) do replace(declares, name, stand_in) end
  for _, name in ipairs(without_value) do replace(declares, name) end
  replace(barq, "every")
  replace(group.methods, "group", any_group)
  replace(group.methods, "mount")
  -- A function that there is not is one that does nothing.
  replace(getmetatable(barq), "__index", function() return function() end end)
end

--- After the load: reports the accidental globals in the application's own files.
---@param app_path string
function check.finish(app_path)
  for _, found in ipairs(globals.accidental(app_path)) do
    problems.report(found)
  end
end


return check
