-- app_spec.lua: run by `barq-server test`.
local testing = require "barq.testing"

describe("{{name}}", function()
  local client

  before_each(function() client = testing.client "app.lua" end)
  after_each(function() client:close() end)

  it("greets", function()
    assert.same({ message = "Hello from {{name}}!" }, client:get("/").json)
  end)

  it("keeps notes", function()
    local created = client:post("/notes", { json = { text = "buy milk" } })
    assert.equal(201, created.status)
    assert.same({ id = 1, text = "buy milk", done = false }, created.json)
    assert.same(created.json, client:get("/notes/1").json)
  end)

  it("refuses a note without a text", function()
    local answer = client:post("/notes", { json = { text = "" } })
    assert.equal(422, answer.status)
    assert.same({ "body", "text" }, answer.json.detail[1].loc)
  end)

  it("knows no other notes", function()
    assert.equal(404, client:get("/notes/7").status)
  end)

  it("asks its dependency, which a spec can replace", function()
    client:override("notes", { get = function(_, id) return { id = id, text = "mine" } end })
    assert.equal("mine", client:get("/notes/7").json.text)
  end)
end)
