---@meta barq.core
-- luacheck: ignore 212
-- barq.lua: annotations for what C gives to Lua: the request object and the module barq.core.
-- An editor reads it; nothing loads it.

---@class barq.Request
--- Fields are made when they are first read, and stay readable afterwards; one that was never
--- read raises once the request has been answered.
---@field method string "GET", …
---@field path string as sent, still percent-encoded, without the query
---@field target string the request target as sent (RFC 9112, section 3.2)
---@field params table<string, any> of the route's path, decoded: strings, integers of {name:int}, or what the route declares
---@field query table<string, any> decoded strings, of a repeated name the last, or what the route declares
--- Raises: 400 on a broken encoding.
---@field headers table<string, any> strings, or what the route declares; names in any letter case, "_" for "-" too; see header_list for all
--- of them. Repeated fields are joined by ", " (RFC 9110, section 5.3).
---@field cookies table<string, any> as sent (RFC 6265), of a repeated name the first, or what the route declares
---@field trailers string[][] { name, value } of a chunked body (RFC 9112, section 7.1.2)
---@field body any a string, as sent, or what the route declares as body or form
---@field host string from Host or the absolute target, or as a trusted proxy has received it
---@field ip string the client's address: the peer's, or what trusted proxies say; "" on a UNIX socket
---@field id string the request's own: X-Request-Id of a trusted proxy, or 32 hexadecimal digits
---@field traceparent string? the trace that a trusted proxy says (W3C Trace Context)
---@field scheme "http"|"https" by which the client came: "http", or what trusted proxies say
---@field version "1.0"|"1.1"
---@field route { path: string, name: string?, place: string }? what matched
local Request = {}

--- The body as JSON (RFC 8259). Raises: 400 with the byte offset on malformed JSON, invalid UTF-8,
--- a number beyond a double, or nesting deeper than 128.
---@return any value null is barq.null
function Request:json() end

--- The body as an urlencoded form (WHATWG URL). Raises: 415 on another media type, 400 on a broken
--- encoding.
---@return table<string, string> fields of a repeated name the last
function Request:form() end

--- Every value of one form field, in order. Raises: as form().
---@param name string
---@return string[]
function Request:form_all(name) end

--- Every value of one query parameter, in order. Raises: 400 on a broken encoding.
---@param name string
---@return string[]
function Request:query_all(name) end

--- All header fields in the order received.
---@return string[][] list of { name in lower case, value }
function Request:header_list() end

--- Calls fn with the arguments once the answer is sent; fn may wait. What it raises is logged.
---@param fn function
---@param ... any
function Request:after(fn, ...) end

---@class barq.core
---@field version string
---@field worker integer this worker's number, from 0
---@field null lightuserdata JSON null
local core = {}

--- Marks a table (a new one without argument) as a JSON array; it stays one when empty.
--- Raises: when the table has another metatable.
---@generic T: table
---@param t? T
---@return T
function core.array(t) end

--- Marks a table as a JSON object, "{}" when empty; number keys are sent as strings.
--- Raises: when the table has another metatable.
---@generic T: table
---@param t? T
---@return T
function core.object(t) end

--- Raises what has ended the wait of a function that C wraps not itself; else its arguments.
---@param ... any what the function gave
---@return any ... the same
function core.awaited(...) end

--- Begins a timeout of the running task: the error is raised at its waits once it has passed.
---@param seconds number
---@param err any
---@return integer depth for end_timeout
function core.begin_timeout(seconds, err) end

--- Cancels a task: the error is raised at this wait and at all that follow. The first counts.
---@param task number
---@param err any
function core.cancel(task, err) end

--- Ends a timeout, and those that were left open within it.
---@param depth integer
function core.end_timeout(depth) end

--- Seconds since some moment; unlike now() they never go back.
---@return number
function core.monotonic() end

--- Waits until another task unparks this one; look again, for the reason may be another.
---@param what string the function's name, for the error where it cannot wait
function core.park(what) end

--- Counts shields up or down; under a shield nothing ends the running task's waits.
---@param on boolean
function core.shield(on) end

--- Runs fn(argument) as a task of its own, in one of the loop's next turns. Raises: on memory
--- exhaustion.
---@param fn function
---@param argument any
---@param failed function called with the argument if fn raises
---@param joiner? number the task that goes on only once this one has ended
---@return number task
function core.spawn(fn, argument, failed, joiner) end

--- The number of the running task.
---@return number? task nil while the application loads
function core.task() end

--- Wakes a parked task in one of the loop's next turns; nothing happens to any other.
---@param task number
function core.unpark(task) end

--- The path of a pattern with its parameters filled in.
---@param pattern string
---@param params table
---@return string? path
---@return string? why when there is none
function core.build_path(pattern, params) end

--- A query string of the table's pairs, percent-encoded, in the order of names.
---@param query table
---@param names any[]
---@return string
function core.build_query(query, names) end

--- A sentence for an error value of any type.
---@param err any
---@return string
function core.describe(err) end

--- Runs a route's input, dependencies and handler below its middleware; may wait.
---@param req barq.Request
---@return boolean|integer ok true; 1 when value is JSON already; false when it failed
---@return any value what the handler returned, or the error
---@return any more its status, or the traceback
--- Raises: outside of the middleware's own task, and while the request is being handled already.
function core.enter(req) end

--- Asks to open a provider of the worker's scope, or waits for who does.
---@param provider barq.Provider
---@return true? mine the caller opens it, and calls `end_open`; nil: somebody did, look again
--- Raises: where this would wait for itself.
function core.begin_open(provider) end

--- The provider has been opened, or could not be.
---@param provider barq.Provider
function core.end_open(provider) end

--- A value held against a schema.
---@param node barq.Node
---@param value any
---@return any checked a copy with conversions and defaults; nil when it does not fit
---@return table[]? problems { type, loc, msg, ctx }
function core.schema_check(node, value) end

--- JSON text of the declared fields. Raises: on a value that does not fit, naming the field.
---@param node barq.Node
---@param value any
---@return string
function core.schema_encode(node, value) end

--- JSON text. Raises: on a value without JSON form.
---@param value any
---@return string
function core.json_encode(value) end

--- A line in the server's log.
---@param level "debug"|"info"|"warn"|"error"
---@param text string
function core.log(level, text) end

---@param level "debug"|"info"|"warn"|"error"
---@return boolean
function core.log_enabled(level) end

--- Seconds since 1970, to the microsecond.
---@return number
function core.now() end

--- Bytes of "64k", "1MiB" or a number.
---@param size string|number
---@return number? bytes nil when it is no size
function core.parse_size(size) end

--- The reason phrase of a status (RFC 9110, section 15).
---@param status integer
---@return string
function core.reason(status) end

--- An error line in the log that names the request's route.
---@param req barq.Request
---@param text string
function core.report(req, text) end

--- Whether the running task, which was spawned, rests: then nothing waits for its end.
---@param on boolean
function core.rest(on) end

--- A Set-Cookie field's value (RFC 6265bis); options as for Response:set_cookie.
---@param name string
---@param value string
---@param options? table
---@return string? field
---@return string? why when it cannot be sent
function core.set_cookie(name, value, options) end

--- Suspends the running handler, hook or req:after function; other requests go on.
--- Raises: on a negative or non-numeric argument, while the application loads, and where a C
--- function (table.sort, string.gsub, require) calls the function that waits.
---@param seconds number
function core.sleep(seconds) end

return core
