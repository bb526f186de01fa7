-- with.lua: dependencies outside of requests: in hooks, req:after and at other times.
local core = require "barq.core"
local errors = require "barq.errors"
local place = require "barq.place"
local state = require "barq.state"

local function open(provider, deps)
  local values, value = state.worker_values, provider.open(nil, deps)
  if value == nil then value = false end
  if provider.close then
    local opened = values[0]
    opened[#opened + 1] = { provider.close, value }
  end
  values[provider] = value
end

-- The value of a worker's provider, opened if it is not yet. A request, or another task, may be at
-- that.
local function worker_value(provider, deps)
  local values = state.worker_values
  while values[provider] == nil do
    if core.begin_open(provider) then
      local ok, err = xpcall(open, errors.traced, provider, deps)
      core.end_open(provider)
      if not ok then error(err, 0) end
    end
  end
  return values[provider]
end

local function deps_of(names, values)
  local deps = {}
  for name, slot in pairs(names) do deps[name] = values[slot] end
  return deps
end

-- Closes in reverse what was opened. The first error counts, and the others are told of it.
local function close_all(plan, values, err)
  local failed
  for i = values.opened, 1, -1 do
    local provider = plan[i].provider
    if provider.scope ~= "worker" and provider.close then
      local ok, why = xpcall(provider.close, errors.traced, values[i], err)
      if not ok then
        failed = failed or why
        err = err or errors.untrace(why) or errors.new_abort(500)
      end
    end
  end
  return failed
end

local function finish(plan, values, ok, ...)
  -- close is given an error even if nil or false was raised.
  local err = not ok and (errors.untrace((...)) or errors.new_abort(500)) or nil
  -- What was opened is closed in peace, even if the task is cancelled.
  core.shield(true)
  local failed = close_all(plan, values, err)
  core.shield(false)
  if not ok then error((errors.untrace((...))), 0) end
  if failed then error((errors.untrace(failed)), 0) end
  return ...
end

--- Runs fn with dependencies, as a handler would have them; `open` gets no request.
---@param needs barq.Depends as in a route's spec: { db = database }
---@param fn fun(deps: table<string, any>): any
---@return any ... what fn returned
--- Raises: what open, fn or close raised, after everything that was opened has been closed.
return function(needs, fn)
  if type(fn) ~= "function" then place.fail("barq.with: a function(deps) expected") end
  local depends = require "barq.depends"
  local plan, names = depends.flatten(depends.check(needs, "barq.with"), place.here())
  local values = { opened = 0 }
  return finish(plan, values, xpcall(function()
    for i, step in ipairs(plan) do
      local deps = deps_of(step.deps, values)
      local provider = step.provider
      values[i] = provider.scope == "worker" and worker_value(provider, deps)
        or provider.scope ~= "worker" and provider.open(nil, deps) or nil
      values.opened = i
    end
    return fn(deps_of(names, values))
  end, errors.traced))
end
