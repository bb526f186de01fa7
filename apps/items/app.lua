-- A small REST API over items, kept in memory that all workers share.
local barq = require "barq"

local items = barq.shared("items")

barq.on("start", function()
  items:set("next_id", 0)
  barq.log.info("the items store is ready")
end)

local function key(id) return ("item:%d"):format(id) end

local function find(id)
  return items:get(key(id)) or barq.abort(404, "Item not found")
end

-- What a client may send as an item; anything else is a 422 that names the field.
local function check_item(value)
  local function refuse(field, what) barq.abort(422, ("%s: %s"):format(field, what)) end
  if type(value) ~= "table" then refuse("body", "an object expected") end
  local name, price, quantity = value.name, value.price, value.quantity
  if quantity == nil then quantity = 1 end
  if type(name) ~= "string" or name == "" or #name > 100 then
    refuse("name", "a string of 1 to 100 characters expected")
  end
  if type(price) ~= "number" or price < 0 then refuse("price", "a number from 0 expected") end
  if type(quantity) ~= "number" or quantity < 0 or quantity % 1 ~= 0 then
    refuse("quantity", "an integer from 0 expected")
  end
  return { name = name, price = price, quantity = quantity }
end

barq.get("/", function()
  return { message = "Welcome to barq!" }
end)

barq.get("/health", function()
  return { status = "healthy" }
end)

barq.get("/items", { name = "list_items" }, function()
  local list = barq.array {}
  for _, name in ipairs(items:keys("item:")) do
    -- Another worker may have deleted it since.
    list[#list + 1] = items:get(name)
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end)

barq.get("/items/{id:int}", { name = "get_item" }, function(req)
  return find(req.params.id)
end)

barq.post("/items", { name = "create_item", status = 201 }, function(req)
  local item = check_item(req:json())
  item.id = items:incr("next_id")
  items:set(key(item.id), item)
  return item
end)

barq.delete("/items/{id:int}", { name = "delete_item" }, function(req)
  if not items:delete(key(req.params.id)) then barq.abort(404, "Item not found") end
end)
