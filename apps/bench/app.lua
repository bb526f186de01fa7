-- What bench/ measures: the same routes stand in the peers' applications.
local barq = require "barq"
local ffi = require "ffi"
local t = barq.t

ffi.cdef "int usleep(unsigned int microseconds);"

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

local Item = barq.schema("Item", {
  name = t.string { min = 1, max = 100 },
  price = t.number { min = 0 },
  quantity = t.integer { min = 0, default = 1 },
  tags = t.array(t.string, { max = 10, default = {} }),
  dimensions = t.optional(t.object { w = t.number, h = t.number }),
})

local NumberedItem = barq.schema("NumberedItem", {
  id = t.integer, name = t.string, price = t.number,
})

barq.get("/items/{id}", { params = { id = t.integer }, returns = NumberedItem }, function(req)
  local id = req.params.id
  return { id = id, name = "Item " .. id, price = id * 1.5 }
end)

barq.post("/items", { body = Item, returns = Item, status = 201 }, function(req)
  return req.body
end)

barq.get("/cpu", function()
  local total = 0
  for i = 1, 100000 do
    total = total + i * i
  end
  return { total = total }
end)

-- Each worker's own, so that what is measured is the query and not the file system.
local users = barq.depends {
  scope = "worker",
  open = function()
    local db = barq.sqlite.open(":memory:")
    db:exec("create table users (id integer primary key, name text not null, email text not null)")
    db:tx(function()
      for i = 1, 100 do
        db:exec("insert into users (name, email) values (?, ?)", "User " .. i,
          ("user%d@example.com"):format(i))
      end
    end)
    return db
  end,
  close = function(db) db:close() end,
}

local User = barq.schema("User", { id = t.integer, name = t.string, email = t.string })

barq.get("/db", { depends = { db = users }, returns = t.array(User) }, function(_, deps)
  local first = math.random(1, 91)
  return deps.db:query("select id, name, email from users where id between ? and ? order by id",
    first, first + 9)
end)

-- Handlers that do not wait: blocked in a C library, and computing.
local Hold = { query = { ms = t.integer { min = 0, max = 5000, default = 500 } } }

barq.get("/block", Hold, function(req)
  ffi.C.usleep(req.query.ms * 1000)
  return { ms = req.query.ms }
end)

barq.get("/spin", Hold, function(req)
  local till = barq.now() + req.query.ms / 1000
  repeat until barq.now() >= till
  return { ms = req.query.ms }
end)
