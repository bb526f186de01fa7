---@meta barq.docs.core
-- luacheck: ignore 212
-- docs.lua: annotations for barq.docs.core, the files of the docs page.

---@class barq.docs.File
---@field name string "start.js"
---@field hashed string "start-0123456789ab.js": changes with the content
---@field type string for Content-Type

---@class barq.docs.core
---@field files barq.docs.File[] empty in a build without them
local core = {}

---The bytes of a file.
---@param index integer in files
---@param gzip? boolean compressed
---@return string
--- Raises: where there is no such file.
function core.read(index, gzip) end

return core
