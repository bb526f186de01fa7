-- A small REST API over items in a SQLite file: ITEMS_DB, or items.db in the working directory.
local barq = require "barq"
local database = require "database"
local t = barq.t

barq.info { title = "Items", version = "1.0.0" }

local Item = barq.schema("Item", {
  name = t.string { min = 1, max = 100, description = "what it is called", example = "Widget" },
  price = t.number { min = 0, example = 9.99 },
  quantity = t.integer { min = 0, default = 1 },
})
local StoredItem = Item:extend("StoredItem", { id = t.integer })

local db = barq.depends {
  scope = "worker",
  open = function() return database.open(os.getenv("ITEMS_DB") or "items.db") end,
  close = function(open) open:close() end,
}

barq.get("/", function()
  return { message = "Welcome to barq!" }
end)

barq.get("/health", function()
  return { status = "healthy" }
end)

local items = barq.group("/items", { tags = { "items" }, depends = { db = db } })

--- Every item, the oldest first.
items.get("", { name = "list_items", returns = t.array(StoredItem) }, function(_, deps)
  return deps.db:query("select id, name, price, quantity from items order by id")
end)

--- One item.
items.get("/{id}", {
  name = "get_item",
  params = { id = t.integer },
  returns = StoredItem,
}, function(req, deps)
  return deps.db:one("select id, name, price, quantity from items where id = ?", req.params.id)
    or barq.abort(404, "Item not found")
end)

--- Stores an item under a new id.
items.post("", {
  name = "create_item",
  body = Item,
  returns = StoredItem,
  status = 201,
}, function(req, deps)
  return deps.db:one([[
    insert into items (name, price, quantity) values (:name, :price, :quantity)
    returning id, name, price, quantity]], req.body)
end)

--- Forgets an item.
items.delete("/{id}", { name = "delete_item", params = { id = t.integer } }, function(req, deps)
  if deps.db:exec("delete from items where id = ?", req.params.id) == 0 then
    barq.abort(404, "Item not found")
  end
end)
