-- Benchmarks compare what they measure: these answers are the same in every peer's application.
local testing = require "barq.testing"

describe("the measured routes", function()
  local client

  setup(function() client = testing.client "app.lua" end)
  teardown(function() client:close() end)

  it("answer a text", function()
    local answer = client:get("/plaintext")
    assert.equal("Hello, World!", answer.text)
    assert.equal("text/plain; charset=utf-8", answer.headers["content-type"])
  end)

  it("answer a small and a larger JSON", function()
    assert.same({ message = "Hello, World!" }, client:get("/hello").json)
    local value = client:get("/json").json
    assert.equal(20, #value.items)
    assert.same({ id = 20, value = 200 }, value.items[20])
    assert.equal("deep", value.nested.level1.level2.level3)
  end)

  it("answer an item by its id", function()
    assert.same({ id = 7, name = "Item 7", price = 10.5 }, client:get("/items/7").json)
    assert.is_true(client:get("/items/seven").status >= 400)
  end)

  it("take an item", function()
    local item = {
      name = "Widget", price = 9.99, quantity = 3, tags = { "a", "b" },
      dimensions = { w = 1.5, h = 2 },
    }
    local answer = client:post("/items", { json = item })
    assert.equal(201, answer.status)
    assert.same(item, answer.json)
  end)

  it("compute", function()
    assert.same({ total = 333338333350000 }, client:get("/cpu").json)
  end)

  it("hold their worker for as long as they are told", function()
    for _, path in ipairs { "/block", "/spin" } do
      assert.same({ ms = 20 }, client:get(path .. "?ms=20").json)
      assert.equal(422, client:get(path .. "?ms=5001").status)
    end
  end)
end)
