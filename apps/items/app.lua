-- A small REST API over items, kept in memory that all workers share.
local barq = require "barq"
local t = barq.t

barq.info { title = "Items", version = "1.0.0" }

local Item = barq.schema("Item", {
  name = t.string { min = 1, max = 100, description = "what it is called", example = "Widget" },
  price = t.number { min = 0, example = 9.99 },
  quantity = t.integer { min = 0, default = 1 },
})
local StoredItem = Item:extend("StoredItem", { id = t.integer })

local store = barq.depends {
  scope = "worker",
  open = function() return barq.shared("items") end,
}

barq.on("start", function()
  barq.shared("items"):set("next_id", 0)
  barq.log.info("the items store is ready")
end)

local function key(id) return ("item:%d"):format(id) end

barq.get("/", function()
  return { message = "Welcome to barq!" }
end)

barq.get("/health", function()
  return { status = "healthy" }
end)

local items = barq.group("/items", { tags = { "items" }, depends = { items = store } })

--- Every item, the oldest first.
items.get("", { name = "list_items", returns = t.array(StoredItem) }, function(_, deps)
  local list = {}
  for _, name in ipairs(deps.items:keys("item:")) do
    -- Another worker may have deleted it since.
    list[#list + 1] = deps.items:get(name)
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end)

--- One item.
items.get("/{id}", {
  name = "get_item",
  params = { id = t.integer },
  returns = StoredItem,
}, function(req, deps)
  return deps.items:get(key(req.params.id)) or barq.abort(404, "Item not found")
end)

--- Stores an item under a new id.
items.post("", {
  name = "create_item",
  body = Item,
  returns = StoredItem,
  status = 201,
}, function(req, deps)
  local item = req.body
  item.id = deps.items:incr("next_id")
  deps.items:set(key(item.id), item)
  return item
end)

--- Forgets an item.
items.delete("/{id}", { name = "delete_item", params = { id = t.integer } }, function(req, deps)
  if not deps.items:delete(key(req.params.id)) then barq.abort(404, "Item not found") end
end)
