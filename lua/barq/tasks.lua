-- tasks.lua: functions that run beside each other, and no longer than they may.
--
-- A task that waits for another is parked (core.park) and woken when that one ends; since others
-- may wake it, too, it looks again each time.
local cancel = require "barq.cancel"
local core = require "barq.core"
local errors = require "barq.errors"
local place = require "barq.place"

local tasks = {}

---@class barq.Task
local Task = {}
Task.__index = Task

local function pack(...) return { n = select("#", ...), ... } end

-- Keeps what the function returned or raised.
local function settle(task, ok, ...)
  if ok then
    task.results = pack(...)
  else
    task.failed = true
    task.err, task.trace = errors.untrace((...))
  end
end

local function is_cancelled(err)
  return type(err) == "table" and getmetatable(err) == cancel.Cancelled
end

-- A member of a group has ended.
local function tell_group(task, group)
  group.left = group.left - 1
  if task.failed and not group.failed then group.failed = task end
  if group.failed or group.left == 0 then core.unpark(group.parent) end
end

local function tell(task)
  if task.group then return tell_group(task, task.group) end
  for _, waiter in ipairs(task.waiters) do core.unpark(waiter) end
  if task.failed and #task.waiters == 0 and not is_cancelled(task.err) then
    core.log("error", ("barq.spawn (%s) failed: %s"):format(task.place,
      task.trace or core.describe(task.err)))
  end
end

-- What a spawned task runs.
local function run(task)
  if task.cancelled then
    task.failed, task.err = true, task.cancelled
  else
    settle(task, xpcall(task.fn, errors.traced, unpack(task, 1, task.n)))
  end
  task.done_already = true
  tell(task)
end

-- Memory was lacking for that: those who wait are told nevertheless.
local function run_failed(task)
  task.failed, task.err = true, "not enough memory"
  task.done_already = true
  tell(task)
end

local function check_function(fn, what)
  if type(fn) ~= "function" then place.fail("%s: a function expected, got %s", what, type(fn)) end
end

-- Starts fn in one of the loop's next turns, as a member of a group or on its own.
local function start(group, fn, ...)
  local task = setmetatable({
    fn = fn, n = select("#", ...), waiters = {}, place = place.here() or place.of(fn),
    group = group, done_already = false, failed = false, err = false, ...,
  }, Task)
  task.number = core.spawn(run, task, run_failed, group and group.parent)
  return task
end
tasks.start = start

local function check_serving(what)
  if not core.task() then
    place.fail("%s: tasks run once the server serves: start them in a hook, as "
      .. 'barq.on("worker", …), or in a handler', what)
  end
end

--- Runs fn(…) beside the caller, which goes on. The task outlives a request that started it, and
--- the server waits for it when it ends. An error that nobody waits for when it is raised goes
--- to the log.
---@param fn function it may wait
---@param ... any its arguments
---@return barq.Task task
--- Raises: while the application loads.
function tasks.spawn(fn, ...)
  check_function(fn, "barq.spawn")
  check_serving("barq.spawn")
  return start(nil, fn, ...)
end

local function outcome(task)
  if task.failed then error(task.err, 0) end
  return unpack(task.results, 1, task.results.n)
end

local function forget(waiters, waiter)
  for i = #waiters, 1, -1 do
    if waiters[i] == waiter then return table.remove(waiters, i) end
  end
end

-- Parks until the task is done. Who is ended meanwhile does not wait any longer.
local function await(task, what)
  if task.done_already then return end
  local me = core.task()
  if not me then check_serving(what) end
  if me == task.number then place.fail("%s: a task cannot wait for itself", what) end
  task.waiters[#task.waiters + 1] = me
  while not task.done_already do
    local ok, err = pcall(core.park, what)
    if not ok then
      forget(task.waiters, me)
      error(err, 0)
    end
  end
end

--- Waits until the task has ended.
---@return any ... what its function returned
--- Raises: what its function raised; barq.Cancelled if it was cancelled.
function Task:wait()
  await(self, "task:wait")
  return outcome(self)
end

--- Whether the task has ended.
---@return boolean
function Task:done() return self.done_already end

--- Ends the task: barq.Cancelled is raised where it waits, or never begun at all. Nothing happens
--- to one that has ended.
function Task:cancel()
  if self.done_already or self.cancelled then return end
  self.cancelled = cancel.new_cancelled()
  core.cancel(self.number, self.cancelled)
end

-- --- barq.all

local function start_members(group, ...)
  for i = 1, select("#", ...) do
    group.members[i] = start(group, (select(i, ...)))
    group.left = group.left + 1
  end
end

-- Waits until all have ended or one has failed.
local function watch(group)
  while group.left > 0 and not group.failed do core.park("barq.all") end
end

-- The end of the group: every member has ended, in whatever way.
local function join(group)
  core.shield(true)
  local ok, err = true, nil
  while ok and group.left > 0 do ok, err = pcall(core.park, "barq.all") end
  core.shield(false)
  if not ok then error(err, 0) end -- where nothing can wait: inside table.sort, …
end

local function first_results(members)
  local results = {}
  for i, task in ipairs(members) do results[i] = task.results[1] end
  return unpack(results, 1, #members)
end

--- Runs the functions beside each other, and waits for all of them.
---@param ... function called without arguments; they may wait
---@return any ... of each function, in their order, the first value that it returned
--- Raises: the first error of any of them, after the others have been cancelled and have ended.
function tasks.all(...)
  local n = select("#", ...)
  for i = 1, n do check_function((select(i, ...)), "barq.all") end
  check_serving("barq.all")
  local group = { left = 0, failed = false, members = {}, parent = core.task() }
  local ok, err = pcall(start_members, group, ...)
  if ok then ok, err = pcall(watch, group) end
  if not ok or group.failed then
    for _, task in ipairs(group.members) do task:cancel() end
  end
  join(group)
  if not ok then error(err, 0) end
  if group.failed then error(group.failed.err, 0) end
  return first_results(group.members)
end

-- --- barq.with_timeout

local function leave(depth, ok, ...)
  core.end_timeout(depth)
  if not ok then error((errors.untrace((...))), 0) end
  return ...
end

--- Runs fn(…) in the caller's own task, for no longer than so many seconds: then barq.Timeout is
--- raised where it waits. Within another timeout the one that passes first counts.
---@param seconds number
---@param fn function
---@param ... any its arguments
---@return any ... what fn returned
--- Raises: what fn raised; barq.Timeout, which is answered with 504 unless it is caught.
function tasks.with_timeout(seconds, fn, ...)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds <= cancel.SECONDS_MAX) then
    place.fail("barq.with_timeout: a number of seconds from 0 to a year expected, got %s",
      tostring(seconds))
  end
  check_function(fn, "barq.with_timeout")
  check_serving("barq.with_timeout")
  local depth = core.begin_timeout(seconds, cancel.new_timeout(seconds))
  return leave(depth, xpcall(fn, errors.traced, ...))
end

return tasks
