-- clock.lua: time for tests: a clock that only goes forward, and waiting with a bound.
local time = require "posix.time"

local clock = {}

--- Seconds since some point in the past.
---@return number
function clock.now()
  local t = time.clock_gettime(time.CLOCK_MONOTONIC)
  return t.tv_sec + t.tv_nsec / 1e9
end

---@param seconds number
function clock.sleep(seconds)
  local whole = math.floor(seconds)
  time.nanosleep { tv_sec = whole, tv_nsec = math.floor((seconds - whole) * 1e9) }
end

--- Asks until the answer is truthy, or the time is over.
---@param seconds number
---@param question fun(): any
---@return any answer the last one
function clock.wait_until(seconds, question)
  local deadline = clock.now() + seconds
  while true do
    local answer = question()
    if answer or clock.now() > deadline then return answer end
    clock.sleep(0.005)
  end
end

return clock
