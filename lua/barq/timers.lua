-- timers.lua: functions that run later, once or again and again, until the server drains.
--
-- A timer is a task that sleeps. Those made while the application loads begin with the worker.
local cancel = require "barq.cancel"
local core = require "barq.core"
local errors = require "barq.errors"
local place = require "barq.place"
local state = require "barq.state"
local tasks = require "barq.tasks"

local timers = {}

local SECONDS_MIN = 0.001

---@class barq.Timer
local Timer = {}
Timer.__index = Timer

local function is_over(timer) return timer.stopped or state.draining end

local function call(timer)
  local ok, err = xpcall(timer.fn, errors.traced)
  if ok then return end
  local value, trace = errors.untrace(err)
  core.log("error", ("%s (%s) failed: %s"):format(timer.what, timer.place,
    trace or core.describe(value)))
end

local function sleep(timer, seconds)
  state.sleeping[timer] = true
  core.rest(true)
  local ok, err = pcall(core.sleep, seconds)
  core.rest(false)
  state.sleeping[timer] = nil
  if not ok and not timer.stopped then error(err, 0) end
end

-- The next moment of a timer's rhythm; moments that have passed meanwhile are left out.
local function next_due(timer, due)
  local late = core.monotonic() - due
  return due + timer.seconds * (late > 0 and math.ceil(late / timer.seconds) or 1)
end

local function run(timer)
  local due = core.monotonic() + timer.seconds
  while not is_over(timer) do
    sleep(timer, math.max(0, due - core.monotonic()))
    if is_over(timer) then return end
    call(timer)
    if not timer.repeats then return end
    due = next_due(timer, due)
  end
end

local function begin(timer)
  if not is_over(timer) then timer.task = tasks.start(nil, run, timer) end
end

--- Ends the timer. A run that has begun goes on to its end.
function Timer:cancel()
  self.stopped = true
  if state.sleeping[self] then self.task:cancel() end
end

local function check_options(what, options)
  if options == nil then return {} end
  if type(options) ~= "table" then
    place.fail("%s: the options are a table, not a %s", what, type(options))
  end
  for key in pairs(options) do
    if key ~= "once" then
      place.fail('%s: unknown option "%s"%s', what, tostring(key),
        require "barq.names".hint(key, { once = true }))
    end
  end
  return options
end

local function new(what, least, repeats, seconds, fn, options)
  if type(seconds) ~= "number" or not (seconds >= least and seconds <= cancel.SECONDS_MAX) then
    place.fail("%s: a number of seconds from %g to a year expected, got %s", what, least,
      tostring(seconds))
  end
  if type(fn) ~= "function" then place.fail("%s: a function expected, got %s", what, type(fn)) end
  options = check_options(what, options)
  local timer = setmetatable({
    what = what, seconds = seconds, fn = fn, repeats = repeats,
    place = place.here() or place.of(fn), stopped = options.once == true and core.worker ~= 0,
  }, Timer)
  if state.timers then
    state.timers[#state.timers + 1] = function() begin(timer) end
  else
    begin(timer)
  end
  return timer
end

---@class barq.TimerOptions
---@field once? boolean in one worker of the process only

--- Runs fn once, so many seconds from now, or from the start of the worker if the application is
--- still being loaded. What it raises goes to the log. The drain ends timers that have not begun.
---@param seconds number
---@param fn function called without arguments; it may wait
---@param options? barq.TimerOptions
---@return barq.Timer timer
function timers.after(seconds, fn, options)
  return new("barq.after", 0, false, seconds, fn, options)
end

--- Runs fn every so many seconds, the first time after so many, in every worker unless `once` says
--- otherwise. A run that takes longer than that is not overtaken: moments that pass meanwhile
--- are left out. What it raises goes to the log, and the timer goes on.
---@param seconds number
---@param fn function called without arguments; it may wait
---@param options? barq.TimerOptions
---@return barq.Timer timer
function timers.every(seconds, fn, options)
  return new("barq.every", SECONDS_MIN, true, seconds, fn, options)
end

return timers
