-- cancel.lua: the errors that end code which waits: barq.Cancelled, barq.Closed, barq.Timeout.
--
-- They are raised at a wait, and again at the next: code that catches one goes on only until it
-- waits again. As classes they work with barq.on_error.
local cancel = { SECONDS_MAX = 366 * 86400, CLOSED_STATUS = 499 }

local function class(tostring)
  local made = { __tostring = tostring }
  made.__index = made
  return made
end

---@class barq.Timeout
--- A request's deadline (`timeout` in a spec, answered with 503), or barq.with_timeout (504).
---@field seconds number
---@field status integer of the answer
---@field detail string
cancel.Timeout = class(function(e) return ("timeout: not done after %g s"):format(e.seconds) end)

---@class barq.Closed
--- The client has gone; nobody reads the answer.
---@field status integer 499
---@field detail string
cancel.Closed = class(function() return "the client has closed the connection" end)

---@class barq.Cancelled
--- What handle:cancel() raises in a task, and handle:wait() outside of it.
cancel.Cancelled = class(function() return "the task was cancelled" end)

--- The error of barq.with_timeout.
---@param seconds number
---@return barq.Timeout
function cancel.new_timeout(seconds)
  return setmetatable({ status = 504, detail = "Gateway Timeout", seconds = seconds },
    cancel.Timeout)
end

--- The error of a request whose deadline has passed.
---@param seconds number
---@return barq.Timeout
function cancel.new_deadline(seconds)
  return setmetatable({ status = 503, detail = "Service Unavailable", seconds = seconds },
    cancel.Timeout)
end

--- The one error of all clients that have gone, so that no memory is needed to raise it.
---@type barq.Closed
cancel.closed = setmetatable(
  { status = cancel.CLOSED_STATUS, detail = "Client Closed Request" }, cancel.Closed)

---@return barq.Cancelled
function cancel.new_cancelled()
  return setmetatable({}, cancel.Cancelled)
end

--- The status of the answer that such an error is; nil for every other value, and for Cancelled,
--- which is no answer.
---@param err any
---@return integer? status
function cancel.status(err)
  local meta = type(err) == "table" and getmetatable(err)
  if meta == cancel.Timeout or meta == cancel.Closed then return err.status end
  return nil
end

return cancel
