-- middleware.lua: chains of functions around handlers, composed once, before serving.
--
-- `next` and all the rest are prebuilt here, because a closure made per request would end
-- every trace that the compiler has begun. An error below a middleware reaches it as a
-- Response: `next` does not raise.
local core = require "barq.core"
local errors = require "barq.errors"
local place = require "barq.place"
local response = require "barq.response"
local state = require "barq.state"

local middleware = {}

--- Runs around every route (and around the server's own 404 and 405): the first that is
--- registered is the outermost.
---@param fn fun(req: barq.Request, next: fun(req: barq.Request): barq.Response): any
function middleware.use(fn)
  state.check_open("barq.use")
  if type(fn) ~= "function" then
    place.fail("barq.use: a function(req, next) expected, got %s", type(fn))
  end
  state.middleware[#state.middleware + 1] = fn
end

local warned = setmetatable({}, { __mode = "k" })

-- Nothing was returned, and most likely not on purpose: in development that is an error, else it is
-- told once, and the answer is what nothing means everywhere, 204.
local function nothing(fn, req)
  local problem = ("%s: the middleware returned nothing: `return next(req)` passes the answer on, "
    .. "`return nil, 204` is an answer without content"):format(place.of(fn) or "?")
  if state.dev then return errors.respond(req, problem) end
  if not warned[fn] then core.log("warn", problem) end
  warned[fn] = true
  return response.of(nil, 204)
end

-- fn(req, inner) with errors turned into Responses.
local function guarded(fn, inner, default_status)
  return function(req)
    local ok, body, status = xpcall(fn, errors.traced, req, inner)
    if not ok then return errors.respond(req, errors.untrace(body)) end
    -- Mostly what `next` gave.
    if inner and not status and getmetatable(body) == response.Response then return body end
    if body == nil and status == nil then return nothing(fn, req) end
    return response.of(body, status, default_status)
  end
end

local function around(list, innermost)
  local chain = innermost
  for i = #list, 1, -1 do chain = guarded(list[i], chain) end
  return chain
end

--- The functions of `list`, the first outermost, around what C does for a route: its input, its
--- dependencies and its handler. nil for an empty list.
---@param list function[]
---@param default_status? integer of the route
---@return function? chain
function middleware.chain(list, default_status)
  if #list == 0 then return nil end
  return around(list, function(req)
    local ok, value, more = core.enter(req)
    if ok == true then return response.of(value, more, default_status) end
    -- What the route's `returns` encoded.
    if ok then return response.new(more, { ["content-type"] = "application/json" }, value) end
    return errors.respond(req, value, more or nil)
  end)
end

--- For requests without a route: the answer that the server has for them, inside the
--- application's middleware and error handlers. nil when it has neither.
---@return function?
function middleware.fallback()
  if #state.middleware == 0 and not next(state.status_handlers) then return nil end
  local function answer(req)
    local status, allow = req[2], req[3]
    local headers = allow and { allow = allow }
    if status < 400 then return response.new(status, headers or {}, nil) end
    local res = errors.respond(req, errors.new_abort(status, nil, headers))
    -- Whatever an error handler answers: a 405 says what is allowed (RFC 9110, section 15.5.6).
    return allow and res:header("allow", allow) or res
  end
  local chain = around(state.middleware, answer)
  return function(req, status, allow)
    req[2], req[3] = status, allow
    return chain(req)
  end
end

return middleware
