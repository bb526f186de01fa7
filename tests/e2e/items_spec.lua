-- The applications that come with barq, answer by answer.
local cjson = require "cjson"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

describe("apps/items", function()
  local s

  before_each(function()
    s = server.start { file = "apps/items/app.lua", args = { "--workers=2" } }
  end)
  after_each(server.cleanup)

  local function post(item) return http.post_json(s.port, "/items", item) end

  local function detail(response, status)
    assert.equal(status, response.status)
    assert.equal("application/json", response.headers["content-type"])
    return response:json().detail
  end

  it("welcomes, and is healthy", function()
    assert.equal('{"message":"Welcome to barq!"}', http.get(s.port, "/").body)
    assert.equal('{"status":"healthy"}', http.get(s.port, "/health").body)
  end)

  it("begins with no items, which is an empty array", function()
    local response = http.get(s.port, "/items")
    assert.equal("[]", response.body)
    assert.equal("application/json", response.headers["content-type"])
  end)

  it("creates, gives, lists and deletes", function()
    local created = post { name = "Lamp", price = 9.5 }
    assert.equal(201, created.status)
    assert.same({ id = 1, name = "Lamp", price = 9.5, quantity = 1 }, created:json())
    assert.equal(2, post({ name = "Chair", price = 20, quantity = 0 }):json().id)
    assert.same({ id = 2, name = "Chair", price = 20, quantity = 0 },
      http.get(s.port, "/items/2"):json())
    local ids = {}
    for i, item in ipairs(http.get(s.port, "/items"):json()) do ids[i] = item.id end
    assert.same({ 1, 2 }, ids)

    local deleted = http.request(s.port, "DELETE", "/items/1")
    assert.equal(204, deleted.status)
    assert.equal("", deleted.body)
    assert.equal("Item not found", detail(http.request(s.port, "DELETE", "/items/1"), 404))
    assert.equal('{"detail":"Item not found"}', http.get(s.port, "/items/1").body)
  end)

  it("lists in the order of ids, not of digits", function()
    for i = 1, 11 do post { name = "item " .. i, price = i } end
    local list = http.get(s.port, "/items"):json()
    for i = 1, 11 do assert.equal(i, list[i].id) end
  end)

  it("shows every worker the same items", function()
    post { name = "Lamp", price = 1 }
    -- The kernel spreads connections over the workers: with forty, no worker goes without
    -- but for once in 2^39.
    for _ = 1, 40 do assert.equal("Lamp", http.get(s.port, "/items/1"):json().name) end
  end)

  it("names the field of an item that it refuses", function()
    local refused = {
      name = {
        { price = 1 }, { name = "", price = 1 }, { name = 5, price = 1 },
        { name = ("x"):rep(101), price = 1 },
      },
      price = { { name = "x" }, { name = "x", price = -1 }, { name = "x", price = "1" } },
      quantity = {
        { name = "x", price = 1, quantity = -1 }, { name = "x", price = 1, quantity = 1.5 },
        { name = "x", price = 1, quantity = "1" },
      },
      body = { 5, "x", true },
    }
    for field, values in pairs(refused) do
      for _, value in ipairs(values) do
        local problem = detail(post(value), 422)[1]
        assert.equal("body", problem.loc[1])
        assert.equal(field ~= "body" and field or nil, problem.loc[2])
      end
    end
    assert.equal("[]", http.get(s.port, "/items").body)
  end)

  it("refuses what is no JSON with its position", function()
    local response = http.request(s.port, "POST", "/items", { body = '{"name":' })
    assert.truthy(detail(response, 400):find("byte 8", 1, true))
  end)

  it("knows no item that is not a number", function()
    for _, id in ipairs { "x", "1.5", "-", "1x", "99999999999999999999" } do
      assert.same({ "path", "id" }, detail(http.get(s.port, "/items/" .. id), 422)[1].loc)
    end
  end)
end)

describe("apps/hello", function()
  after_each(server.cleanup)

  it("greets", function()
    local s = server.start { file = "apps/hello/app.lua" }
    assert.equal('{"message":"Hello, World!"}', http.get(s.port, "/").body)
  end)
end)

describe("apps/bench", function()
  local s

  setup(function() s = server.start { file = "apps/bench/app.lua" } end)
  teardown(server.cleanup)

  it("answers /plaintext", function()
    local response = http.get(s.port, "/plaintext")
    assert.equal("Hello, World!", response.body)
    assert.equal("text/plain; charset=utf-8", response.headers["content-type"])
  end)

  it("answers /json with twenty items and a nest", function()
    local expected = {
      message = "Hello, World!",
      items = {},
      nested = { level1 = { level2 = { level3 = "deep" } } },
    }
    for i = 1, 20 do expected.items[i] = { id = i, value = i * 10 } end
    assert.same(expected, http.get(s.port, "/json"):json())
    assert.equal('{"message":"Hello, World!"}', http.get(s.port, "/hello").body)
  end)

  it("answers /items", function()
    assert.same({ id = 3, name = "Item 3", price = 4.5 }, http.get(s.port, "/items/3"):json())
    local created = http.post_json(s.port, "/items", {
      name = "x", price = 2, tags = { "a" }, dimensions = { w = 1, h = 2 },
    })
    assert.equal(201, created.status)
    assert.same({
      name = "x", price = 2, quantity = 1, tags = { "a" }, dimensions = { w = 1, h = 2 },
    }, created:json())
  end)

  it("answers /cpu with the sum of squares", function()
    local n = 100000
    assert.equal(n * (n + 1) * (2 * n + 1) / 6, cjson.decode(http.get(s.port, "/cpu").body).total)
  end)

  it("answers /db with ten users in a row", function()
    local list = http.get(s.port, "/db"):json()
    assert.equal(10, #list)
    for i, user in ipairs(list) do
      local id = list[1].id + i - 1
      assert.same({ id = id, name = "User " .. id, email = "user" .. id .. "@example.com" }, user)
    end
  end)
end)

describe("apps/items, killed in the middle of writes,", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local KILLS, WRITERS = 4, 8

  local function request(name)
    local body = cjson.encode { name = name, price = 1 }
    return ("POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" ..
      "Content-Length: %d\r\n\r\n%s"):format(#body, body)
  end

  -- What the server acknowledges until it is killed: item names by id.
  local function write_and_kill(s, acknowledged, round)
    local writers, sent = {}, 0
    local function send(writer)
      sent = sent + 1
      writer.name = ("%d-%d"):format(round, sent)
      return writer.connection:send(request(writer.name))
    end
    for i = 1, WRITERS do
      writers[i] = { connection = raw.connect(s.port) }
      send(writers[i])
    end
    for turn = 1, 20 do
      for _, writer in ipairs(writers) do
        local answer = http.read(writer.connection)
        assert.equal(201, answer.status)
        acknowledged[answer:json().id] = writer.name
        send(writer)
      end
      if turn == 20 then s:signal("KILL") end
    end
    s:wait()
    -- What was answered before the kill, and not read yet.
    for _, writer in ipairs(writers) do
      local ok, answer = pcall(http.read, writer.connection)
      if ok then acknowledged[answer:json().id] = writer.name end
    end
  end

  it("loses no item that it has acknowledged", function()
    local file = os.tmpname()
    local options = { file = "apps/items/app.lua", args = { "--workers=2" },
      env = { ITEMS_DB = file } }
    local acknowledged = {}
    for round = 1, KILLS do
      write_and_kill(server.start(options), acknowledged, round)
    end
    local s = server.start(options)
    local stored, seen = {}, {}
    for _, item in ipairs(http.get(s.port, "/items"):json()) do
      stored[item.id] = item.name
      assert.is_nil(seen[item.name])
      seen[item.name] = true
    end
    local n = 0
    for id, name in pairs(acknowledged) do
      assert.equal(name, stored[id])
      n = n + 1
    end
    assert.is_true(n >= KILLS * WRITERS * 20)
    s:stop()
    for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(file .. suffix) end
  end)
end)
