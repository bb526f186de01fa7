-- hooks.lua: functions that run when the server starts and ends.
local core = require "barq.core"
local errors = require "barq.errors"
local place = require "barq.place"
local state = require "barq.state"

local hooks = {}

--- Runs fn at a moment of the server's life; fn may wait (barq.sleep, …).
---  start   once per process, before it listens; an error stops the start
---  worker  in every worker, before it serves; an error stops the start
---  drain   in every worker, when the server has been told to end and still finishes requests
---  stop    once per process, after the last request
---@param event "start"|"worker"|"drain"|"stop"
---@param fn function called without arguments
function hooks.on(event, fn)
  state.check_open("barq.on")
  local list = state.hooks[event]
  if not list then
    place.fail('barq.on: there is no event "%s"%s', tostring(event),
      require "barq.names".hint(event, state.hooks))
  end
  if type(fn) ~= "function" then place.fail("barq.on: a function expected, got %s", type(fn)) end
  list[#list + 1] = fn
end

-- Providers of the worker's scope, in reverse order.
local function close_providers()
  local ok, opened = true, state.worker_values[0]
  for i = #opened, 1, -1 do
    local close, value = opened[i][1], opened[i][2]
    local closed, err = true, nil
    if close then closed, err = xpcall(close, errors.traced, value) end
    opened[i] = nil
    if not closed then
      local reason, trace = errors.untrace(err)
      core.log("error", "a dependency's close failed: " .. (trace or core.describe(reason)))
      ok = false
    end
  end
  return ok
end

-- Those of the time of loading; from now on they begin when they are made.
local function begin_timers()
  local waiting = state.timers or {}
  state.timers = nil
  for _, begin in ipairs(waiting) do begin() end
end

-- For good: one that would begin later does not.
local function end_timers()
  state.draining = true
  for timer in pairs(state.sleeping) do timer:cancel() end
end

--- What the server calls. At the end every function runs, whatever the others do.
---@param event string of barq.on, or "close": the worker's providers are closed
---@return boolean ok false when one raised (it is logged)
function hooks.run(event)
  if event == "close" then return close_providers() end
  if event == "drain" then end_timers() end
  local ending = event == "drain" or event == "stop"
  local ok = true
  for _, fn in ipairs(state.hooks[event]) do
    local ran, err = xpcall(fn, errors.traced)
    if not ran then
      local value, trace = errors.untrace(err)
      core.log("error", ('hook "%s" failed: %s'):format(event, trace or core.describe(value)))
      ok = false
      if not ending then return false end
    end
  end
  if event == "worker" then begin_timers() end
  return ok
end

--- What req:after left to do; one failing does not stop the others.
---@param list table[] { fn, n, … }
function hooks.run_after(list)
  for _, call in ipairs(list) do
    local ran, err = xpcall(call[1], errors.traced, unpack(call, 3, 2 + call[2]))
    if not ran then
      local value, trace = errors.untrace(err)
      core.log("error", "req:after failed: " .. (trace or core.describe(value)))
    end
  end
end

return hooks
