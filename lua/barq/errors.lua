-- errors.lua: errors that are answers, and what becomes of those that are not.
local cancel = require "barq.cancel"
local core = require "barq.core"
local place = require "barq.place"
local response = require "barq.response"
local state = require "barq.state"

---@class barq.Abort
---@field status integer 400 to 599
---@field detail any what the answer says under "detail"
---@field headers? table<string, string|string[]>
---@field type? string a URI that names the kind of problem (RFC 9457)
local Abort = {}
Abort.__index = Abort
Abort.__tostring = function(e)
  return ("%d %s"):format(e.status, type(e.detail) == "string" and e.detail or "(detail)")
end

local errors = { Abort = Abort }

-- An error with the traceback of the place that raised it.
local Traced = {}

--- A message handler for xpcall that keeps the traceback beside the error.
function errors.traced(err)
  local class = type(err) == "table" and getmetatable(err)
  if class == Abort or class == Traced then return err end
  local text = type(err) == "string" and err or core.describe(err)
  return setmetatable({ err = err, trace = debug.traceback(text, 2) }, Traced)
end

--- Takes apart what `traced` made: the error and its traceback.
function errors.untrace(value)
  if getmetatable(value) == Traced then return value.err, value.trace end
  -- LuaJIT's own text when a message handler fails.
  if value == "error in error handling" then
    return value, "stack overflow (endless recursion?), or an error whose __tostring fails"
  end
  return value, nil
end

local function new_abort(status, detail, headers, kind)
  if detail == nil then detail = core.reason(status) end
  return setmetatable({ status = status, detail = detail, headers = headers, type = kind }, Abort)
end
errors.new_abort = new_abort

--- Ends the request with an error answer, `{"detail": detail}`.
---@param status integer|{ status: integer, detail: any, headers: table, type: string } 400 to 599
---@param detail? any a string or a JSON value; the status's own phrase unless given
--- Raises: always, an error object that `barq.on_error(status, …)` handlers see.
function errors.abort(status, detail)
  local headers, kind
  if type(status) == "table" then
    status, detail, headers, kind = status.status, status.detail, status.headers, status.type
  end
  if type(status) ~= "number" or status % 1 ~= 0 or status < 400 or status > 599 then
    place.fail("barq.abort: status is an integer from 400 to 599, not %s", tostring(status))
  end
  if headers ~= nil and type(headers) ~= "table" then
    place.fail("barq.abort: headers is a table, not a %s", type(headers))
  end
  error(new_abort(status, detail, headers, kind), 0)
end

--- Answers errors: of a status (also the server's own 404 and 405), or of a class of the
--- application's own error objects (their metatable, or one it inherits from by __index).
--- 500 is for every error that nothing else handles. What the handler raises goes to no further
--- one: by barq.abort it is the answer, all else is a plain 500.
---@param what integer|table a status from 400 to 599, or a class
---@param handler fun(req: barq.Request, err: any): any what it returns is the answer, as for a route
function errors.on_error(what, handler)
  state.check_open("barq.on_error")
  if type(handler) ~= "function" then
    place.fail("barq.on_error: a function expected, got %s", type(handler))
  end
  if type(what) == "table" then
    state.class_handlers[what] = handler
  elseif type(what) == "number" and what % 1 == 0 and what >= 400 and what <= 599 then
    state.status_handlers[what] = handler
  else
    place.fail("barq.on_error: a status from 400 to 599 or a class (a metatable) expected, got %s",
      tostring(what))
  end
end

local function parent_of(class)
  local meta = getmetatable(class)
  return type(meta) == "table" and rawget(meta, "__index") or nil
end

local function class_handler(err)
  if type(err) ~= "table" then return nil end
  local class = getmetatable(err)
  for _ = 1, 32 do
    if type(class) ~= "table" then return nil end
    local handler = state.class_handlers[class]
    if handler then return handler end
    class = parent_of(class)
  end
  return nil
end

-- RFC 9457: for clients that ask for it.
local function problem(err)
  local is_text = type(err.detail) == "string"
  return {
    type = err.type or "about:blank", title = core.reason(err.status), status = err.status,
    detail = is_text and err.detail or nil, errors = not is_text and err.detail or nil,
  }
end

local function abort_response(req, err)
  local accept = req.headers.accept
  local wanted = accept and accept:find("application/problem+json", 1, true)
  local body = wanted and problem(err) or { detail = err.detail }
  local kind = wanted and "application/problem+json" or "application/json"
  local answer = response.new(err.status, { ["content-type"] = kind }, body)

  for name, value in pairs(err.headers or {}) do answer:header(name, value) end
  return answer
end

-- An error handler may raise, too: by barq.abort an answer, which no further handler sees.
local function run_handler(handler, req, err, status)
  local ok, body, given = xpcall(handler, errors.traced, req, err)
  if ok then return response.of(body, given, status) end
  if getmetatable(body) == Abort then return abort_response(req, body) end
  local value, trace = errors.untrace(body)
  core.report(req, "an error handler failed: " .. (trace or core.describe(value)))
  return abort_response(req, new_abort(500))
end

-- What is neither an abort nor a cut is a mistake: told to the client in development only.
local function unhandled_response(req, err, trace, thread)
  local ended = cancel.status(err)
  if getmetatable(err) == Abort then return abort_response(req, err) end
  if ended then return abort_response(req, new_abort(ended, err.detail)) end
  local shown = state.dev_page and state.dev_page.respond(req, err, trace, thread)
  return shown or abort_response(req, new_abort(500))
end

--- The Response to an error that a handler or the server raised.
---@param req barq.Request
---@param err any
---@param trace? string the traceback, for the log
---@param thread? thread in development: the coroutine that raised it
---@return barq.Response
function errors.respond(req, err, trace, thread)
  local expected, ended = getmetatable(err) == Abort, cancel.status(err)
  if state.dev_page then trace = state.dev_page.trace_of(thread, err) or trace end
  local handler = class_handler(err)
  local status = expected and err.status or ended or 500
  -- Of a client that has gone there is nothing to report.
  if not expected and not handler and ended ~= cancel.CLOSED_STATUS then
    core.report(req, trace or core.describe(err))
  end
  handler = handler or state.status_handlers[status]
  if handler then return run_handler(handler, req, err, status) end
  return unhandled_response(req, err, trace, thread)
end

return errors
