-- What bench/ measures: the same routes stand in the peers' applications.
local barq = require "barq"

barq.get("/plaintext", function()
  return "Hello, World!"
end)

barq.get("/hello", function()
  return { message = "Hello, World!" }
end)

-- Built fresh for each request: what an application's answer costs, not a cached text's.
barq.get("/json", function()
  local items = {}
  for i = 1, 20 do
    items[i] = { id = i, value = i * 10 }
  end
  return {
    message = "Hello, World!",
    items = items,
    nested = { level1 = { level2 = { level3 = "deep" } } },
  }
end)

barq.get("/items/{id:int}", function(req)
  local id = req.params.id
  return { id = id, name = "Item " .. id, price = id * 1.5 }
end)

barq.post("/items", { status = 201 }, function(req)
  local item = req:json()
  return {
    name = item.name, price = item.price, quantity = item.quantity or 1,
    tags = item.tags, dimensions = item.dimensions,
  }
end)

barq.get("/cpu", function()
  local total = 0
  for i = 1, 100000 do
    total = total + i * i
  end
  return { total = total }
end)
