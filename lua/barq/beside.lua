-- beside.lua: the part of `barq` that runs functions beside the requests.
local tasks = require "barq.tasks"
local timers = require "barq.timers"

---@class barq
local beside = {
  after = timers.after,
  all = tasks.all,
  every = timers.every,
  spawn = tasks.spawn,
  with = require "barq.with",
  with_timeout = tasks.with_timeout,
}

return beside
