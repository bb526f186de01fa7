-- state.lua: what the application has declared so far; freeze.lua compiles it.
local place = require "barq.place"

local state = {
  middleware = {},     -- functions, the outermost first
  hooks = { start = {}, worker = {}, drain = {}, stop = {} },
  status_handlers = {}, -- status -> function(req, err)
  class_handlers = {},  -- metatable -> function(req, err)
  info = {}, -- of barq.info, for the OpenAPI document
  -- What providers of the worker's scope gave: provider -> value; [0] lists { close, value } in the
  -- order of opening (src/app/depends.c).
  worker_values = { [0] = {} },
  timers = {}, -- functions that begin those that wait for the worker to start; nil: it has
  sleeping = {}, -- a set of the timers that do, which the drain ends
  draining = false,
  providers = {}, -- name in a `depends` -> set of the providers that have it there
  replaced = {},  -- provider -> the one that tests put in its place
  config = {},         -- { name, value, place } in the order written
  named = {},          -- route name -> path, filled in by freeze
  document = nil, ---@type (fun(): string)? the OpenAPI document, if it is served
  made = 0, -- how many nodes and providers: their numbers
  frozen = false,
  dev = false, -- errors are shown to clients …
  dev_page = nil, -- … by this module
}

-- The metatable of what an application may keep for longer than the module that makes it is held
-- (settle.lua): its methods are looked up in that module.
local function class(module)
  local methods = setmetatable({}, {
    __index = function(methods, name)
      local method = require(module).methods[name]
      if state.frozen then methods[name] = method end
      return method
    end,
  })
  return { __index = methods }
end

state.Provider = {} -- of providers
state.Group = {
  __index = function(group, name) return require "barq.group".member(group, name) end,
}
state.Node = {
  __call = function(base, options) return require "barq.schema.options".call(base, options) end,
}
state.Schema = class "barq.schema"
state.Schema.__call = function(schema, options) return schema.node(options) end
state.Schema.__tostring = function(schema)
  return ("schema %s"):format(schema.name or "(without a name)")
end

--- The number of the next node or provider.
---@return integer
function state.count()
  state.made = state.made + 1
  return state.made
end

--- Declarations end when the server begins to serve.
---@param what string the function that was called, as "barq.get"
function state.check_open(what)
  if state.frozen then
    place.fail("%s: routes, middleware and settings are declared while the application loads, "
      .. "not once it serves", what)
  end
end

return state
