local testing = require "barq.testing"

describe("items", function()
  local client

  local function new_client()
    local new = testing.client "app.lua"
    local database = new:require "database"
    new:override("db", new:provider {
      scope = "worker",
      open = function() return database.open(":memory:") end,
      close = function(db) db:close() end,
    })
    return new
  end

  before_each(function() client = new_client() end)
  after_each(function() client:close() end)

  local function create(item) return client:post("/items", { json = item }) end

  it("begin as an empty list", function()
    local answer = client:get("/items")
    assert.equal(200, answer.status)
    assert.equal("[]", answer.body)
  end)

  it("are created, found, listed and deleted", function()
    local created = create { name = "Lamp", price = 9.5 }
    assert.equal(201, created.status)
    assert.equal(1, created.json.quantity)

    local path = "/items/" .. created.json.id
    assert.same(created.json, client:get(path).json)
    assert.same({ created.json }, client:get("/items").json)
    assert.equal(204, client:delete(path).status)
    assert.equal(404, client:get(path).status)
    assert.same({ detail = "Item not found" }, client:delete(path).json)
  end)

  it("are refused with a reason", function()
    for _, item in ipairs {
      { price = 1 }, { name = "", price = 1 }, { name = "Lamp", price = -1 },
      { name = "Lamp", price = 1, quantity = 1.5 },
    } do
      local answer = create(item)
      assert.equal(422, answer.status)
      assert.is_nil(answer.error)
      assert.is_not_nil(answer.json.detail)
    end
    assert.equal("[]", client:get("/items").body)
  end)

  it("are each client's own", function()
    create { name = "Lamp", price = 9.5 }
    local other = new_client()
    assert.equal("[]", other:get("/items").body)
    other:close()
    assert.equal(1, #client:get("/items").json)
  end)
end)
