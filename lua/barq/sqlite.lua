-- barq.sqlite: databases in a file. Sugar over barq.sqlite.core, which is written in C: start
-- runs what is quick and gives its result; for the rest it gives an operation, and wait lets other
-- requests run until that is done. Errors come back as tables and are raised here, at the line
-- of the application that called.

local core = require "barq.sqlite.core"

local start, wait, result, next_row = core.start, core.wait, core.result, core.next_row
local ROWS, ROW, CHANGES, CURSOR = 1, 2, 3, 4

local error, pcall, setmetatable, tostring, type = error, pcall, setmetatable, tostring, type
local getinfo = debug.getinfo
local format = string.format

---@class barq.SqliteModule
---@field Error barq.SqliteError the class of what is raised
local sqlite = {}

---What SQLite said, or what is wrong about a call. `tostring` gives one line with everything.
---@class barq.SqliteError
---@field code string SQLite's name: "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_BUSY", …
---@field message string SQLite's text
---@field sql string the statement
---@field where? string the place of the call: "app.lua:12"
local Error = {}
Error.__index = Error
sqlite.Error = Error

local SQL_SHOWN = 300

function Error:__tostring()
  local sql = self.sql:gsub("%s+", " ")
  if #sql > SQL_SHOWN then sql = sql:sub(1, SQL_SHOWN) .. "…" end
  return format("%sbarq.sqlite: %s: %s%s", self.where and self.where .. ": " or "", self.code,
    self.message, sql ~= "" and " (in: " .. sql .. ")" or "")
end

local SOURCE = getinfo(1, "S").source

-- The nearest caller that is neither this file nor C.
local function caller()
  local level = 2
  while true do
    local info = getinfo(level, "Sl")
    if not info then return nil end
    if info.what ~= "C" and info.source ~= SOURCE then
      return format("%s:%d", info.short_src, info.currentline)
    end
    level = level + 1
  end
end

local function throw(err)
  err.where = caller()
  error(setmetatable(err, Error), 0)
end

local function misuse(text, ...)
  local where = caller()
  error(format("%sbarq.sqlite%s", where and where .. ": " or "", format(text, ...)), 0)
end

-- Waits for an operation.
local function settle(op)
  wait(op)
  local ok, first, second = result(op)
  if not ok then throw(first) end
  return first, second
end

-- The result of start, at once or later. sql is kept here as long as the operation needs it.
local function finished(sql, op, first, second)
  if op == nil then return first, second end
  if op == false then throw(first) end
  first, second = settle(op)
  return first, second, sql
end

---A connection to a database, or rather as many as it takes: one writes, one does quick reads on
---the worker's own thread, some do long ones on threads of their own. A worker that waits for a
---statement serves other requests meanwhile.
---
---Statements are prepared once. Parameters are `?`, `?1` and `:name`: `db:query(sql, 1, "x")`, or
---one table with all names, `db:query(sql, { id = 1, name = "x" })`. nil (by position) and
---`barq.null` are NULL, booleans 1 and 0, strings TEXT (they must be valid UTF-8),
---`barq.sqlite.blob(s)` BLOB, whole numbers INTEGER and others REAL.
---
---In rows, integers beyond 2^53 are decimal strings, and NULL is an absent field (or `barq.null`,
---with the option `nulls`).
---
---Every method raises a `barq.SqliteError`.
---@class barq.Sqlite
local Db = core.db_methods

---All rows. With more bytes than `result_bytes_max` it raises.
---@param sql string one statement
---@param ... any parameters
---@return table<string, any>[] rows
function Db:query(sql, ...)
  return (finished(sql, start(self, ROWS, sql, ...)))
end

---The first row, or nil.
---@param sql string one statement
---@param ... any parameters
---@return table<string, any>? row
function Db:one(sql, ...)
  return (finished(sql, start(self, ROW, sql, ...)))
end

---Runs a statement for its effect. Without parameters it may be several, one after the other (use
---`tx` to have all or nothing).
---@param sql string
---@param ... any parameters
---@return integer changes how many rows were inserted, updated or deleted
---@return integer last_id the rowid of this connection's last insert
function Db:exec(sql, ...)
  local changes, last_id = finished(sql, start(self, CHANGES, sql, ...))
  return changes, last_id
end

---Iterates: `for row in db:each(sql) do … end`. The rows are read at once, in a compact form, and
---made into tables one by one: ending the loop early is harmless, and so is any other statement
---within it.
---@param sql string one statement
---@param ... any parameters
---@return fun(cursor: userdata): table<string, any>? next
---@return userdata cursor
function Db:each(sql, ...)
  local op, err = start(self, CURSOR, sql, ...)
  if not op then throw(err) end
  finished(sql, op)
  return next_row, op
end

-- Commits or rolls back by what pcall says of the function.
local function end_tx(tx, ok, ...)
  if not ok then
    core.roll_back(tx)
    error((...), 0)
  end
  local committed, err = pcall(settle, core.commit(tx))
  if not committed then
    core.roll_back(tx)
    error(err, 0)
  end
  return ...
end

-- A task that is ended does this nevertheless, or what fn has left half done would be committed
-- with the rest. Where it fails, as on an error that rolled back all of it, nothing is left.
local function end_savepoint(tx, ok, ...)
  core.shield(true)
  local ended, err = pcall(tx.exec, tx, ok and "release barq" or "rollback to barq; release barq")
  core.shield(false)
  if not ended then core.roll_back(tx) end
  if not ok then error((...), 0) end
  if not ended then error(err, 0) end
  return ...
end

---Runs `fn(tx)` in a transaction: all that the task does with the database in it, and what others
---do with `tx`, is committed when `fn` returns, and rolled back when it raises (which is raised
---again) or when the commit fails. It is a writing one from its beginning (`begin immediate`), so
---it never fails in the middle for another's lock.
---
---Within another it is a savepoint: what it raises rolls back to there.
---@param fn fun(tx: barq.SqliteTx): any
---@return any ... what fn returned
function Db:tx(fn)
  if type(fn) ~= "function" then misuse(": tx takes a function, not %s", type(fn)) end
  local outer = core.current(self)
  if outer then
    outer:exec("savepoint barq")
    return end_savepoint(outer, pcall(fn, outer))
  end
  local tx, op = core.begin(self)
  settle(op)
  core.own(tx)
  return end_tx(tx, pcall(fn, tx))
end

---Begins a transaction that ends with `tx:commit()` or `tx:rollback()`: for a provider, whose open
---begins and whose close ends it. Only what is done with `tx` is in it. One that is forgotten
---holds up all who write, until it is collected.
---@return barq.SqliteTx
function Db:begin()
  local tx, op = core.begin(self)
  settle(op)
  return tx
end

---Closes the database: what runs ends with an error, open transactions are rolled back. Closing
---again is harmless.
function Db:close()
  core.close(self)
end

---A transaction: `query`, `one`, `exec`, `each` and `tx` as a database has them, all in it.
---@class barq.SqliteTx: barq.Sqlite
local Tx = core.tx_methods
Tx.query, Tx.one, Tx.exec, Tx.each, Tx.tx = Db.query, Db.one, Db.exec, Db.each, Db.tx

---Makes all of it last. If that fails, it is rolled back and the error raised.
function Tx:commit()
  settle(core.commit(self))
end

---Undoes all of it. Harmless if it is over.
function Tx:rollback()
  core.roll_back(self)
end

---@class barq.SqliteOptions
---@field journal? "wal"|"delete"|"truncate"|"persist"|"memory"|"off" default "wal"
---@field synchronous? "off"|"normal"|"full"|"extra" default "normal": with WAL, a crash of the process loses nothing; one of the machine may lose the last commits
---@field busy_timeout? number seconds to wait for the locks of other workers and processes (default 5)
---@field wait? number seconds to wait for other statements of this worker (default 30)
---@field foreign_keys? boolean default true
---@field read_only? boolean default false
---@field create? boolean make the file if there is none (default true)
---@field readers? integer threads for long reads (default 2); 0: one connection does everything, so temporary tables and attached files are seen by all statements
---@field statements? integer prepared ones to keep for each connection (default 64)
---@field result_bytes_max? integer what one statement may read (default 64 MiB)
---@field nulls? boolean rows have `barq.null` where NULL is (default false: the field is absent)

local JOURNALS = { wal = 0, delete = 1, truncate = 2, persist = 3, memory = 4, off = 5 }
local SYNCHRONOUS = { off = 0, normal = 1, full = 2, extra = 3 }

local function choice(choices)
  local names = {}
  for name in pairs(choices) do names[#names + 1] = '"' .. name .. '"' end
  table.sort(names)
  return function(value) return choices[value] end, "one of " .. table.concat(names, ", ")
end

local function in_range(low, high, whole)
  return function(value)
    return type(value) == "number" and value >= low and value <= high
      and not (whole and value % 1 ~= 0) and value or nil
  end, format("a %s from %g to %g", whole and "whole number" or "number", low, high)
end

local function flag(value)
  if type(value) == "boolean" then return value end
end

-- name → { what it is without being said, check, what is expected }
local OPTIONS = {
  journal = { "wal", choice(JOURNALS) },
  synchronous = { "normal", choice(SYNCHRONOUS) },
  busy_timeout = { 5, in_range(0, 3600) },
  wait = { 30, in_range(0, 3600) },
  foreign_keys = { true, flag, "true or false" },
  read_only = { false, flag, "true or false" },
  create = { true, flag, "true or false" },
  readers = { 2, in_range(0, 16, true) },
  statements = { 64, in_range(1, 1000, true) },
  result_bytes_max = { 64 * 1024 * 1024, in_range(1024, 2 ^ 40, true) },
  nulls = { false, flag, "true or false" },
}

local function check_options(opts)
  local checked = {}
  for name in pairs(opts) do
    if not OPTIONS[name] then
      local names = {}
      for known in pairs(OPTIONS) do names[#names + 1] = known end
      table.sort(names)
      misuse(".open: unknown option %q; there is: %s", tostring(name), table.concat(names, ", "))
    end
  end
  for name, option in pairs(OPTIONS) do
    local value = opts[name]
    if value == nil then value = option[1] end
    checked[name] = option[2](value)
    if checked[name] == nil then
      misuse(".open: %s is %s, not %s", name, option[3], tostring(value))
    end
  end
  return checked
end

---Opens a database file, in WAL mode if nothing else is said. Open it in a worker-scoped provider:
---`barq.depends { scope = "worker", open = function() return barq.sqlite.open("shop.db") end }`.
---@param path string relative to the working directory; ":memory:" is this worker's alone, and gone when it is closed
---@param opts? barq.SqliteOptions
---@return barq.Sqlite
--- Raises: a `barq.SqliteError` where it cannot be opened, an error on unknown options.
function sqlite.open(path, opts)
  if type(path) ~= "string" or path:find("%z") then
    misuse(".open: the path is a string, not %s", type(path))
  end
  if opts ~= nil and type(opts) ~= "table" then
    misuse(".open: the options are a table, not %s", type(opts))
  end
  local options = check_options(opts or {})
  -- Each connection would have a database of its own.
  if path == ":memory:" or path == "" then options.readers = 0 end
  local db, op = core.open(path, options)
  settle(op)
  return db
end

---Bytes to bind as BLOB. Columns of bytes come back as strings.
---@param bytes string
---@return table
function sqlite.blob(bytes)
  if type(bytes) ~= "string" then misuse(".blob: a string expected, got %s", type(bytes)) end
  return setmetatable({ bytes }, core.blob_type)
end

local MADE = [[create table if not exists barq_migrations (
  number integer primary key, step text not null, run_at text not null default current_timestamp)]]

local function recorded(step)
  return type(step) == "function" and "(function)" or step
end

-- Whether it was run before; raises if that was another one.
local function was_run(db, number, step)
  local row = db:one("select step, run_at from barq_migrations where number = ?", number)
  if row and row.step ~= recorded(step) then
    misuse(".migrate: migration %d is not what was run on %s: add a new one instead of changing it",
      number, row.run_at)
  end
  return row ~= nil
end

local function run_step(db, number, step)
  return db:tx(function(tx)
    tx:exec(MADE)
    -- Another worker may have been faster.
    if was_run(tx, number, step) then return 0 end
    if type(step) == "function" then step(tx) else tx:exec(step) end
    tx:exec("insert into barq_migrations (number, step) values (?, ?)", number, recorded(step))
    return 1
  end)
end

---Brings a database up to date: runs those steps, in their order, that have not been run on it,
---each once and in a transaction of its own, however many workers and processes start at
---once. What was run is in the table `barq_migrations`.
---@param db barq.Sqlite
---@param steps (string|fun(tx: barq.SqliteTx))[] statements, or functions; only ever add to the end
---@return integer count how many were run now
--- Raises: what a step raised (it is rolled back, the ones before it stay), and if a step is not
--- the one that was run.
function sqlite.migrate(db, steps)
  if type(steps) ~= "table" then
    misuse(".migrate: a list of steps expected, got %s", type(steps))
  end
  for number, step in ipairs(steps) do
    if type(step) ~= "string" and type(step) ~= "function" then
      misuse(".migrate: step %d is a string or a function, not %s", number, type(step))
    end
  end
  local count = 0
  local made = db:one("select 1 from sqlite_master where name = 'barq_migrations'")
  for number, step in ipairs(steps) do
    if not (made and was_run(db, number, step)) then count = count + run_step(db, number, step) end
  end
  return count
end

return sqlite
