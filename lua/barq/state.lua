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
  timers = {}, -- those that wait for the worker to start, in the order written
  providers = {}, -- name in a `depends` -> set of the providers that have it there
  replaced = {},  -- provider -> the one that tests put in its place
  config = {},         -- { name, value, place } in the order written
  named = {},          -- route name -> path, filled in by freeze
  frozen = false,
  dev = false, -- errors are shown to clients
}

--- Declarations end when the server begins to serve.
---@param what string the function that was called, as "barq.get"
function state.check_open(what)
  if state.frozen then
    place.fail("%s: routes, middleware and settings are declared while the application loads, "
      .. "not once it serves", what)
  end
end

return state
