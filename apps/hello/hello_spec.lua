local testing = require "barq.testing"

describe("hello", function()
  it("greets", function()
    local client = testing.client "app.lua"
    local answer = client:get("/")
    assert.equal(200, answer.status)
    assert.same({ message = "Hello, World!" }, answer.json)
    client:close()
  end)
end)
