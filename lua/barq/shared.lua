-- barq.shared: memory that all workers share, by name. Sugar over barq.shared.core, which
-- is written in C. Methods call the core without a tail call (hence the parentheses), so
-- that its errors blame the line of the application.

local core = require "barq.shared.core"

local get, load, set, add, replace = core.get, core.load, core.set, core.add, core.replace
local incr, keys, now = core.incr, core.keys, core.now
local begin, finish, abandon = core.begin, core.finish, core.abandon
local awaited = core.awaited
local VALUE, LEAD, NOTHING, TIMEOUT = core.VALUE, core.LEAD, core.NOTHING, core.TIMEOUT

local BYTES_MIN, BYTES_MAX = 64 * 1024, 2 ^ 46
local WAIT_SECONDS, WAIT_SECONDS_MAX = 30, 86400
local UPDATE_TRIES = 1000

local error, next, pcall, type = error, next, pcall, type
local format = string.format

---A store: keys and values that every worker sees, each operation atomic.
---
---Keys are strings of up to 1024 bytes, or integers, which mean their digits: `s:get(1)`
---is `s:get("1")`. Values are booleans, numbers, strings, `barq.null` and tables of
---these, nested up to 64 deep; a table is copied in and out, so changing it
---afterwards changes nothing in the store. Marks of `barq.array` and `barq.object` stay,
---other metatables are dropped.
---
---The store holds no more bytes than its `bytes_max`, all overhead counted: what was used
---longest ago makes room. One entry may take three quarters of a sixteenth of it.
---
---Every method raises, at the line that called it, on a key or value that
---cannot be stored and on unknown options.
---@class barq.Store
local Store = core.methods

---@alias barq.StoreKey string|integer

---@class barq.StoreOptions
---@field ttl? number seconds until the entry expires, above 0; math.huge for never

---@class barq.StoreIncrOptions: barq.StoreOptions
---@field init? number where an absent key starts from (default 0)

---@class barq.StoreGetOrOptions: barq.StoreOptions
---@field wait? number seconds to wait for another who computes the value (default 30)

---@class barq.SharedOptions
---@field bytes_max? integer what the store may hold, at least 65536 (default 64 MiB)

local TTL = { ttl = true }
local TTL_INIT = { ttl = true, init = true }
local TTL_WAIT = { ttl = true, wait = true }
local OPEN = { bytes_max = true }

-- Blames the caller of the method (or of barq.shared) that calls it.
local function check_options(opts, known, what)
  if type(opts) ~= "table" then
    error(format("barq.shared: the options of %s are a table, not %s", what, type(opts)), 3)
  end
  for name in next, opts do
    if not known[name] then
      local names = {}
      for n in next, known do names[#names + 1] = n end
      table.sort(names)
      error(format("barq.shared: unknown option %q of %s; there is: %s",
        tostring(name), what, table.concat(names, ", ")), 3)
    end
  end
end

---The value of a key.
---@param key barq.StoreKey
---@param default? any what an absent key gives (default nil)
---@return any value
function Store:get(key, default)
  local value = get(self, key)
  if value == nil then return default end
  return value
end

---Stores a value, whatever was there. Without `ttl` it does not expire, even if the old
---one did. A nil value deletes.
---@param key barq.StoreKey
---@param value any
---@param opts? barq.StoreOptions
function Store:set(key, value, opts)
  local ttl
  if opts ~= nil then
    check_options(opts, TTL, "set")
    ttl = opts.ttl
  end
  set(self, key, value, ttl)
end

---Stores a value if the key is absent.
---@param key barq.StoreKey
---@param value any not nil
---@param opts? barq.StoreOptions
---@return boolean added false if the key is there; its value stays
function Store:add(key, value, opts)
  local ttl
  if opts ~= nil then
    check_options(opts, TTL, "add")
    ttl = opts.ttl
  end
  return (add(self, key, value, ttl))
end

---Adds to a number. An absent key starts from `init` and gets `ttl`; one that is there
---keeps its expiry. Raises if the value is no number.
---@param key barq.StoreKey
---@param delta? number default 1
---@param opts? barq.StoreIncrOptions
---@return number sum
function Store:incr(key, delta, opts)
  local init, ttl
  if opts ~= nil then
    check_options(opts, TTL_INIT, "incr")
    init, ttl = opts.init, opts.ttl
  end
  return (incr(self, key, delta, init, ttl))
end

---@param key barq.StoreKey
---@return boolean deleted false if it was absent
function Store:delete(key)
  return (core.delete(self, key))
end

---@param key barq.StoreKey
---@return number? seconds until it expires; nil if it does not, or is absent
function Store:ttl(key)
  return (core.ttl(self, key))
end

---The keys, sorted by their bytes. It walks through the whole store: for inspection, not
---for every request.
---@param prefix? string only keys that start with it
---@param limit? integer stop after so many; which ones these are is not defined
---@return string[] keys
function Store:keys(prefix, limit)
  if prefix ~= nil and type(prefix) ~= "string" then
    error("barq.shared: the prefix of keys is a string, not " .. type(prefix), 2)
  end
  if limit ~= nil and not (type(limit) == "number" and limit >= 0) then
    error("barq.shared: the limit of keys is a number from 0", 2)
  end
  local found = keys(self, prefix or "", limit or math.huge)
  table.sort(found)
  return found
end

---How many keys there are. In a store with expiring entries it walks through all.
---@return integer count
function Store:count()
  return (core.count(self))
end

---Deletes all keys.
function Store:clear()
  core.clear(self)
end

---Changes a value atomically: stores what `fn(old)` returns; nil deletes. Without `ttl` the
---expiry stays as it is.
---
---No lock is held while `fn` runs. If the key has changed meanwhile, `fn` runs again with the
---newer value: it should do nothing but compute. Raises what `fn` raises (the
---store is unchanged then), and when others were faster 1000 times in a row.
---@generic T
---@param key barq.StoreKey
---@param fn fun(old: T?): T?
---@param opts? barq.StoreOptions
---@return T? new
function Store:update(key, fn, opts)
  local ttl
  if opts ~= nil then
    check_options(opts, TTL, "update")
    ttl = opts.ttl
  end
  if type(fn) ~= "function" then
    error("barq.shared: update takes a function, not " .. type(fn), 2)
  end
  for _ = 1, UPDATE_TRIES do
    local old, version = load(self, key)
    local new = fn(old)
    if replace(self, key, version, new, ttl) then return new end
  end
  error(format("barq.shared: %q was changed by others during each of %d updates: "
    .. "is the function slow?", tostring(key), UPDATE_TRIES), 2)
end

local function wait_seconds(wait)
  if wait == nil then return WAIT_SECONDS end
  if type(wait) ~= "number" or not (wait >= 0 and wait <= WAIT_SECONDS_MAX) then
    error("barq.shared: wait is a number of seconds from 0 to 86400", 3)
  end
  return wait
end

---The value of a key, computed if it is absent: `fn(key)` runs once however many ask, in
---all workers together; the others wait, letting other requests run, and get what it
---returned (each its own copy). If it returns nil, nothing is stored and all get nil.
---
---If `fn` raises, the one who ran it gets the error, and one of those who wait runs its own.
---Raises after `wait` seconds without a value, when `fn` asks for its own key, and
---where it would have to wait but cannot: while the application loads.
---@param key barq.StoreKey
---@param fn fun(key: barq.StoreKey): any
---@param opts? barq.StoreGetOrOptions
---@return any value
function Store:get_or(key, fn, opts)
  local value = get(self, key)
  if value ~= nil then return value end
  local ttl, wait
  if opts ~= nil then
    check_options(opts, TTL_WAIT, "get_or")
    ttl, wait = opts.ttl, opts.wait
  end
  if type(fn) ~= "function" then
    error("barq.shared: get_or takes a function, not " .. type(fn), 2)
  end
  local deadline = now() + wait_seconds(wait)
  while true do
    local state, found = awaited(begin(self, key, deadline, ttl))
    if state == VALUE then
      return found
    elseif state == LEAD then
      local ok, computed = pcall(fn, key)
      if not ok then
        abandon(found)
        error(computed, 0)
      end
      finish(self, key, found, computed, ttl)
      return computed
    elseif state == NOTHING then
      return nil
    elseif state == TIMEOUT then
      error(format("barq.shared: waited for %q, which somebody else is still computing",
        tostring(key)), 2)
    end
  end
end

local opened = {} ---@type table<string, barq.Store>

---The store of that name, the same in every worker; made at first use. Raises if it is open with
---another `bytes_max`.
---@param name string up to 255 bytes
---@param opts? barq.SharedOptions
---@return barq.Store
local function shared(name, opts)
  if opts == nil and opened[name] then return opened[name] end
  if type(name) ~= "string" then
    error("barq.shared: the name of a store is a string, not " .. type(name), 2)
  end
  local bytes_max
  if opts ~= nil then
    check_options(opts, OPEN, "barq.shared")
    bytes_max = opts.bytes_max
  end
  if bytes_max ~= nil and not (type(bytes_max) == "number" and bytes_max >= BYTES_MIN
      and bytes_max <= BYTES_MAX and bytes_max % 1 == 0) then
    error("barq.shared: bytes_max is a whole number of bytes, at least 65536", 2)
  end
  local store = core.open(name, bytes_max)
  opened[name] = store
  return store
end

return shared
