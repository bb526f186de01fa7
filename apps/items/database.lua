-- database.lua: where the items are, and how that came to look as it does.
local barq = require "barq"

local database = {}

-- Only ever add to the end: what has run on a database does not run there again.
local steps = {
  [[create table items (
      id       integer primary key autoincrement,
      name     text not null,
      price    real not null,
      quantity integer not null
    ) strict]],
}

--- The database in that file, which is made if need be.
---@param path string
function database.open(path)
  local db = barq.sqlite.open(path)
  barq.sqlite.migrate(db, steps)
  return db
end

return database
