-- app.lua: the routes of apps/bench/app.lua for nginx's Lua module; nginx.conf calls its functions.
-- Validation is what people write by hand there, with lua-cjson for the text.
local cjson = require "cjson.safe"
local dbi = require "DBI"
local ffi = require "ffi"

ffi.cdef "int usleep(unsigned int microseconds);"

local app = {}

local function send(text)
  ngx.header.content_length = #text
  ngx.print(text)
end

local function refuse(status, detail)
  ngx.status = status
  send(cjson.encode { detail = detail })
end

function app.plaintext()
  send("Hello, World!")
end

function app.hello()
  send(cjson.encode { message = "Hello, World!" })
end

function app.json()
  local items = {}
  for i = 1, 20 do
    items[i] = { id = i, value = i * 10 }
  end
  send(cjson.encode {
    message = "Hello, World!",
    items = items,
    nested = { level1 = { level2 = { level3 = "deep" } } },
  })
end

function app.item(text)
  local id = tonumber(text)
  send(cjson.encode { id = id, name = "Item " .. text, price = id * 1.5 })
end

local function is_number(value, min)
  return type(value) == "number" and value >= (min or -math.huge)
end

-- The tags as an array of their own, or nil.
local function check_tags(tags)
  if tags == nil then return setmetatable({}, cjson.empty_array_mt) end
  if type(tags) ~= "table" or #tags > 10 then return nil end
  local count = 0
  for _, tag in pairs(tags) do
    if type(tag) ~= "string" then return nil end
    count = count + 1
  end
  return count == #tags and tags or nil
end

-- Whether the dimensions are right, and they without what was not declared.
local function check_dimensions(value)
  if value == nil then return true end
  if type(value) ~= "table" or not (is_number(value.w) and is_number(value.h)) then return false end
  return true, { w = value.w, h = value.h }
end

-- The item without what was not declared, or nil and what is wrong.
local function check_item(value)
  if type(value) ~= "table" then return nil, "not an object" end
  local name, quantity = value.name, value.quantity
  if type(name) ~= "string" or #name < 1 or #name > 100 then return nil, "name" end
  if not is_number(value.price, 0) then return nil, "price" end
  if quantity == nil then quantity = 1 end
  if not is_number(quantity, 0) or quantity % 1 ~= 0 then return nil, "quantity" end
  local tags = check_tags(value.tags)
  if not tags then return nil, "tags" end
  local right, dimensions = check_dimensions(value.dimensions)
  if not right then return nil, "dimensions" end
  return { name = name, price = value.price, quantity = quantity, tags = tags,
    dimensions = dimensions }
end

function app.create()
  if ngx.req.get_method() ~= "POST" then return refuse(405, "method not allowed") end
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local value, problem = cjson.decode(body or "")
  if value == nil then return refuse(400, problem) end
  local item, wrong = check_item(value)
  if not item then return refuse(422, wrong) end
  ngx.status = 201
  send(cjson.encode(item))
end

function app.cpu()
  local total = 0
  for i = 1, 100000 do
    total = total + i * i
  end
  send(cjson.encode { total = total })
end

-- Each worker's own. A statement does not keep its database.
local database, some

local function prepare()
  database = assert(dbi.Connect("SQLite3", ":memory:"))
  assert(dbi.Do(database, [[create table users
    (id integer primary key, name text not null, email text not null)]]))
  local insert = assert(database:prepare("insert into users (name, email) values (?, ?)"))
  for i = 1, 100 do
    assert(insert:execute("User " .. i, ("user%d@example.com"):format(i)))
  end
  assert(database:commit())
  return assert(database:prepare(
    "select id, name, email from users where id between ? and ? order by id"))
end

function app.db()
  some = some or prepare()
  local first = math.random(1, 91)
  assert(some:execute(first, first + 9))
  local users = {}
  for row in some:rows(true) do
    users[#users + 1] = { id = row.id, name = row.name, email = row.email }
  end
  send(cjson.encode(users))
end

local function milliseconds()
  return math.min(tonumber(ngx.var.arg_ms) or 500, 5000)
end

function app.block()
  local ms = milliseconds()
  ffi.C.usleep(ms * 1000)
  send(cjson.encode { ms = ms })
end

function app.spin()
  local ms = milliseconds()
  ngx.update_time()
  local stop = ngx.now() + ms / 1000
  repeat ngx.update_time() until ngx.now() >= stop
  send(cjson.encode { ms = ms })
end

return app
