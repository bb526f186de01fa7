-- The docs page in a build that has no files for it. With files: tests/e2e/docs_spec.lua.
local modules = require "modules"

describe("docs without the UI", function()
  local docs

  before_each(function() docs = modules.fresh() "barq.docs" end)

  it("is one page that links to the document and says why", function()
    local routes = docs.ui { title = "Shop & Co" }
    assert.equal(1, #routes)
    assert.equal("/docs", routes[1].path)
    local answer = routes[1].handler()
    assert.equal(200, answer.status)
    assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
    assert.truthy(answer.body:find("<title>Shop &amp; Co</title>", 1, true))
    assert.truthy(answer.body:find('href="./openapi.json"', 1, true))
    assert.truthy(answer.body:find("BARQ_DOCS_UI", 1, true))
    assert.is_nil(answer.body:find("<script", 1, true))
  end)

  it("has a title even if the application has none", function()
    assert.truthy(docs.ui({})[1].handler().body:find("<title>barq</title>", 1, true))
  end)
end)
