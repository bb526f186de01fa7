---@meta barq.offload.core
-- luacheck: ignore 212
-- offload.lua: annotations for barq.offload.core, the C functions under barq.offload.

---@class barq.OffloadCall: userdata abandoned when it is collected

---@class barq.offload.core
local core = {}

---Once, when wait has returned.
---@param call barq.OffloadCall
---@return boolean ok
---@return integer n of values; 0 with not ok: not enough memory
---@return any[] values or the error alone
function core.result(call) end

---@param module string
---@param name string
---@param n integer of arguments
---@param arguments any[]
---@return barq.OffloadCall?
---@return string? message why not
function core.start(module, name, n, arguments) end

---Raises what ends the wait.
---@param call barq.OffloadCall
function core.wait(call) end

return core
