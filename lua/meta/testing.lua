---@meta barq.testing.core
-- testing.lua: annotations for barq.testing.core, the C functions under barq.testing.

---@class barq.testing.core
local core = {}

---@class barq.testing.App an application under test
local App = {}

--- A JSON text's value.
---@param text string
---@return any value nil when it is not JSON
function core.decode(text) end

--- A value as JSON.
---@param value any
---@return string text
--- Raises: on a value that has no JSON form.
function core.encode(value) end

--- Loads an application and starts it.
---@param path string
---@param config table<string, string|number|boolean> options, which win over barq.config
---@return barq.testing.App? app
---@return string? reason when it does not load
--- Raises: on an unknown option or a bad value.
function core.open(path, config) end

--- Ends it; twice is harmless.
function App:close() end

--- Sends a request over a new connection, until the application closes that.
---@param request string its bytes, with "connection: close"
---@param seconds number
---@return string? answer its bytes
---@return string report what the log was told of errors meanwhile, or the reason why there is no answer
function App:exchange(request, seconds) end

--- Takes up which providers are replaced.
---@return boolean? done
---@return string? reason
function App:refreeze() end

--- Calls fn as a task of the application.
---@param seconds number
---@param fn function
---@param ... any
---@return boolean? ok nil and a reason when it did not end in time
---@return any ... what fn returned, or the error
function App:run(seconds, fn, ...) end

return core
