---@meta barq.shared.core
-- luacheck: ignore 212
-- shared.lua: annotations for barq.shared.core, the C functions under barq.shared. They
-- raise on a wrong store, key, value or ttl, blaming who called the method that calls them.

---@class barq.Lead: userdata the right to compute a key; ended when it is collected

---@class barq.shared.core
---@field VALUE integer begin: the second result is the value
---@field LEAD integer begin: compute it, then finish or abandon the second result
---@field AGAIN integer begin: another is done; begin again
---@field NOTHING integer begin: another is done, and there is no value
---@field TIMEOUT integer begin: the deadline has passed
---@field methods table<string, function> what stores find by indexing
local core = {}

---@param store barq.Store
---@param key barq.StoreKey
---@param value any not nil
---@param ttl? number
---@return boolean added
function core.add(store, key, value, ttl) end

---There is no value; another may try.
---@param lead barq.Lead
function core.abandon(lead) end

---Raises what has ended the wait of begin.
---@param ... any what begin gave
---@return any ... the same
function core.awaited(...) end

---The value, or the right to compute it. Waits while another does.
---@param store barq.Store
---@param key barq.StoreKey
---@param deadline number in the seconds of now()
---@param ttl? number for finish, checked beforehand
---@return integer state
---@return any value_or_lead
function core.begin(store, key, deadline, ttl) end

---@param store barq.Store
function core.clear(store) end

---@param store barq.Store
---@return integer
function core.count(store) end

---@param store barq.Store
---@param key barq.StoreKey
---@return boolean deleted
function core.delete(store, key) end

---Stores the value (nil: there is none) and tells who waits for it.
---@param store barq.Store
---@param key barq.StoreKey
---@param lead barq.Lead
---@param value any
---@param ttl? number
function core.finish(store, key, lead, value, ttl) end

---@param store barq.Store
---@param key barq.StoreKey
---@return any value nil if absent
function core.get(store, key) end

---@param store barq.Store
---@param key barq.StoreKey
---@param delta? number
---@param init? number
---@param ttl? number
---@return number sum
function core.incr(store, key, delta, init, ttl) end

---@param store barq.Store
---@param prefix string
---@param limit number
---@return string[] keys in no order
function core.keys(store, prefix, limit) end

---@param store barq.Store
---@param key barq.StoreKey
---@return any value nil if absent
---@return integer version 0 if absent
function core.load(store, key) end

---@return number seconds monotonic
function core.now() end

---@param name string
---@param bytes_max? integer
---@return barq.Store
function core.open(name, bytes_max) end

---@param store barq.Store
---@param key barq.StoreKey
---@param version integer what load gave
---@param value any nil deletes
---@param ttl? number nil keeps the expiry
---@return boolean replaced false if the key has changed since
function core.replace(store, key, version, value, ttl) end

---@param store barq.Store
---@param key barq.StoreKey
---@param value any nil deletes
---@param ttl? number
function core.set(store, key, value, ttl) end

---@param store barq.Store
---@param key barq.StoreKey
---@return number? seconds
function core.ttl(store, key) end

return core
