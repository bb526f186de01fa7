---@meta barq.sqlite.core
-- luacheck: ignore 212
-- sqlite.lua: annotations for barq.sqlite.core, the C functions under barq.sqlite.

---@class barq.SqliteOp: userdata a statement, or the beginning or end of a transaction

---@class barq.sqlite.core
---@field db_methods table<string, function> what databases find by indexing
---@field tx_methods table<string, function> what transactions find by indexing
---@field blob_type table the metatable of what is bound as BLOB
local core = {}

---@param db barq.Sqlite
---@return barq.SqliteTx tx
---@return barq.SqliteOp op when it is done, the transaction has begun
function core.begin(db) end

---@param db barq.Sqlite
function core.close(db) end

---The transaction that a statement would be in now.
---@param db barq.Sqlite
---@return barq.SqliteTx?
function core.current(db) end

---@param tx barq.SqliteTx
---@return barq.SqliteOp op when it is done, the transaction is over
function core.commit(tx) end

---Ends a transaction without waiting. Harmless if it is over.
---@param tx barq.SqliteTx
function core.roll_back(tx) end

---The next row of an operation that is done.
---@param op barq.SqliteOp
---@return table<string, any>?
function core.next_row(op) end

---@param path string
---@param options table whole, and checked
---@return barq.Sqlite db
---@return barq.SqliteOp op when it is done, the database is open
function core.open(path, options) end

---The statements that the running task gives to the database are in the transaction.
---@param tx barq.SqliteTx
function core.own(tx) end

---@param op barq.SqliteOp one that is done
---@return boolean ok
---@return any first what was wanted, or the error { code, message, sql }
---@return any second
function core.result(op) end

--- Counts shields up or down; under a shield nothing ends the running task's waits.
---@param on boolean
function core.shield(on) end

---Runs a statement if it is quick.
---@param db barq.Sqlite
---@param want integer 1 rows, 2 the first row, 3 changes and last id, 4 a cursor
---@param sql string
---@param ... any
---@return barq.SqliteOp|false|nil op to wait for; false: the next is an error; nil: done
---@return any first
---@return any second
function core.start(db, want, sql, ...) end

---Waits until the operation is done; outside of a task, runs it.
---@param op barq.SqliteOp
function core.wait(op) end

return core
