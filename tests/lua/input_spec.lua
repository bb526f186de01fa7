-- What routes and providers declare about their requests.
local modules = require "modules"

local input, schema, t, node, null

local function fresh()
  null = newproxy()
  local barq = modules.fresh(modules.stand_in { null = null })
  input, schema, node = barq "barq.input", barq "barq.schema", barq "barq.schema.node"
  t = schema.t
end

local function try(code)
  return modules.run_app(code, {
    t = t, schema = schema.schema, null = null,
    read = function(spec) return (input.read(spec, 'barq.get("/x")')) end,
    merge = function(own, ...)
      local more = {}
      for i, one in ipairs { ... } do
        more[i] = { input = input.read(one, "barq.depends"), place = "app.lua:90" }
      end
      return (input.merge(input.read(own, 'barq.get("/x")'), more, "app.lua:80"))
    end,
    match = function(path, params, complete)
      local n = params and input.read({ params = params }, "r").params
      input.match_path(n, path, "app.lua:80", complete ~= false)
    end,
  })
end

local function run(code)
  local ok, result = try(code)
  assert(ok, result)
  return result
end

local function expect_error(code, ...)
  local ok, message = try(code)
  assert.is_false(ok, "no error: " .. code)
  for _, part in ipairs { ... } do
    assert.truthy(message:find(part, 1, true), ("%s\nlacks: %s"):format(message, part))
  end
end

local function order(n)
  local list = {}
  for i, field in ipairs(n.fields) do list[i] = field[1] end
  return table.concat(list, " ")
end

describe("the input of a route", function()
  before_each(fresh)

  it("becomes nodes with fields in order", function()
    local found = run [[return read{
      params = { id = t.integer, at = t.date },
      query = { q = t.string, page = t.integer{ default = 1 }, tag = t.array(t.string) },
    }]]
    assert.equal("object", found.params.kind)
    assert.is_true(node.is(found.params))
    assert.equal("id at", order(found.params))
    assert.equal("q page tag", order(found.query))
    assert.equal("ignore", found.query.extra)
    assert.is_nil(found.body)
  end)

  it("leaves alone what else a spec says", function()
    assert.same({}, run 'return read{ name = "x", status = 201, returns = t.string }')
  end)

  it("names headers and cookies on the wire", function()
    local found = run [[return read{
      headers = { x_tenant = t.string, Accept = t.string, ["x-other"] = t.array(t.string) },
      cookies = { session_id = t.uuid },
    }]]
    assert.equal("x_tenant", found.headers.fields[1][1])
    assert.equal("x-tenant", found.headers.fields[1].wire)
    assert.equal("accept", found.headers.fields[2].wire)
    assert.equal("x-other", found.headers.fields[3].wire)
    assert.equal("session-id", found.cookies.fields[1].wire)
  end)

  it("takes a schema for fields, and leaves it as it is", function()
    local Filter = schema.schema("Filter", { x_a = t.string }, { extra = "forbid" })
    local found = input.read({ query = Filter, cookies = Filter }, "r")
    assert.equal("forbid", found.query.extra)
    assert.equal("x-a", found.cookies.fields[1].wire)
    assert.is_nil(Filter.node.fields[1].wire)
    assert.is_nil(found.query.name)
  end)

  it("takes an object for fields, with its check", function()
    local function check() return true end
    local found = input.read({ form = t.object({ a = t.string }, { check = check }) }, "r")
    assert.equal("a", order(found.form))
    assert.equal(check, found.form.check)
  end)

  it("takes any type for a body", function()
    local Item = schema.schema("Item", { a = t.string })
    assert.equal(Item.node, input.read({ body = Item }, "r").body)
    assert.equal("array", input.read({ body = t.array(Item) }, "r").body.kind)
    assert.is_true(input.read({ body = t.optional(Item) }, "r").body.optional)
  end)

  it("takes unions, nullables and enums of simple types as strings", function()
    assert.equal("a b c d e", order(run [[return read{ query = {
      a = t.union{ t.integer, t.const("all") }, b = t.nullable(t.number), c = t.enum{ "x" },
      d = t.optional(t.array(t.union{ t.uuid, t.integer })), e = t.any } }.query]]))
  end)

  it("is refused with the line of the application", function()
    local env = { read = input.read }
    local ok, message = modules.run_app("\nread({ query = 5 }, 'r')", env)
    assert.is_false(ok)
    assert.equal(1, message:find("app.lua:2: r: query: ", 1, true))
  end)

  it("says what is returned as a node", function()
    local Item = schema.schema("Item", { a = t.string })
    assert.equal(Item.node, input.returns(Item, "r", "returns"))
    assert.equal("array", input.returns(t.array(Item), "r", "returns").kind)
    assert.error_matches(function() input.returns(t.optional(Item), "r", "returns") end, "absent")
    assert.error_matches(function() input.returns("Item", "r", "returns") end, 'r: returns: a type')
  end)

  local mistakes = {
    { "a type's name as text", 'read{ query = { id = "integer" } }',
      'barq.get("/x"): query: field "id"', "did you mean t.integer?" },
    { "a type for fields", "read{ query = t.string }", "query: fields expected", "t.string" },
    { "text for fields", 'read{ query = "q" }', 'query: a table of fields expected', '"q"' },
    { "an object as a string", "read{ query = { a = t.object{ b = t.string } } }",
      'field "a" comes as a string, and t.object cannot' },
    { "a map as a string", "read{ query = { a = t.map(t.string) } }", "t.map cannot" },
    { "a schema as a string", 'read{ headers = { a = schema("A", { b = t.string }) } }',
      "t.object cannot" },
    { "a reference as a string", 'read{ query = { a = t.ref("A") } }', "t.ref cannot" },
    { "an array of arrays",
      "read{ query = { a = t.array(t.array(t.string)) } }", "t.array cannot" },
    { "an array in a union", "read{ query = { a = t.union{ t.string, t.array(t.string) } } }",
      "t.array cannot" },
    { "an array in a path", "read{ params = { a = t.array(t.string) } }", "t.array cannot" },
    { "an array in a cookie", "read{ cookies = { a = t.array(t.string) } }", "t.array cannot" },
    { "an optional parameter of the path", "read{ params = { a = t.optional(t.string) } }",
      'params: "a" is a part of the path' },
    { "a default in the path",
      'read{ params = { a = t.string{ default = "" } } }', "never absent" },
    { "a nullable parameter of the path",
      "read{ params = { a = t.nullable(t.string) } }", "or null" },
    { "two names for a header", 'read{ headers = { x_a = t.string, ["X-A"] = t.string } }',
      'both mean "x-a"' },
    { "a header that cannot be", 'read{ headers = { ["a b"] = t.string } }', '"a b"' },
    { "headers without strangers",
      'read{ headers = t.object({ a = t.string }, { extra = "forbid" }) }', "would refuse all" },
    { "an optional object of fields", "read{ query = t.optional(t.object{ a = t.string }) }",
      "make the fields optional" },
    { "a body and a form",
      "read{ body = t.string, form = { a = t.string } }", "exclude each other" },
    { "a table for a body", "read{ body = { a = t.string } }", "body: a type", "t.object{ … }" },
    { "text for a body", 'read{ body = "string" }', "did you mean t.string?" },
  }
  for _, mistake in ipairs(mistakes) do
    it("is refused: " .. mistake[1], function()
      expect_error(mistake[2], unpack(mistake, 3))
    end)
  end
end)

describe("the params of a route", function()
  before_each(fresh)

  it("are those of its path, converters and the rest included", function()
    run [[
      match("/a/{id:int}/{name}/{path*}", { id = t.integer, name = t.string, path = t.string })
      match("/a/{id}", nil)
    ]]
  end)

  it("may leave out some when only providers declare them", function()
    run 'match("/a/{id}/{other}", { id = t.integer }, false)'
  end)

  it("cannot have more than the path", function()
    expect_error('match("/a/{id}", { id = t.integer, idd = t.integer })',
      'app.lua:80: params: the path "/a/{id}" has no {idd} (did you mean "id"?)')
    expect_error('match("/a", { id = t.integer })', 'the path "/a" has no {id}')
    expect_error('match("/a/{b}", { id = t.integer }, false)', "has no {id}")
  end)

  it("cannot have less than the path", function()
    expect_error('match("/a/{id:int}/{name}", { id = t.integer })',
      'app.lua:80: params: "name" of the path "/a/{id:int}/{name}" is missing')
  end)
end)

describe("the input of a route and its providers", function()
  before_each(fresh)

  it("is one", function()
    local merged = run [[return merge({ query = { q = t.string } },
      { query = { page = t.integer }, headers = { authorization = t.string } },
      { cookies = { session = t.uuid } })]]
    assert.equal("q page", order(merged.query))
    assert.equal("authorization", order(merged.headers))
    assert.equal("session", order(merged.cookies))
    assert.is_nil(merged.params)
  end)

  it("has once what is declared alike", function()
    local merged = run [[return merge(
      { query = { q = t.string{ min = 1, description = "mine" } }, headers = { x_a = t.string } },
      { query = { q = t.string{ min = 1 } }, headers = { x_a = t.string } })]]
    assert.equal("q", order(merged.query))
    assert.equal("mine", merged.query.fields[1][2].description)
    assert.equal("x_a", order(merged.headers))
  end)

  it("leaves the inputs it is made of as they were", function()
    local own = input.read({ query = { q = t.string } }, "r")
    local other = input.read({ query = { page = t.integer } }, "d")
    local first = input.merge(own, { { input = other } })
    assert.equal("q page", order(first.query))
    assert.equal("q", order(own.query))
    assert.equal("page", order(other.query))
    assert.equal("q page", order(input.merge(own, { { input = other } }).query))
  end)

  it("is as strict as the strictest", function()
    local merged = run [[return merge({ query = t.object({ a = t.string }, { extra = "keep" }) },
      { query = t.object({ b = t.string }, { extra = "forbid" }) }, { query = { c = t.string } })]]
    assert.equal("forbid", merged.query.extra)
  end)

  it("runs the checks of all", function()
    local merged = run [[return merge(
      { query = t.object({ a = t.string }, { check = function(v) return v.a == "1", "a" end }) },
      { query = t.object({ b = t.string }, { check = function(v) return v.b == "2", "b" end }) })]]
    local check = merged.query.check
    assert.is_true((check { a = "1", b = "2" }))
    assert.same({ false, "a" }, { check { a = "0", b = "0" } })
    assert.same({ false, "b" }, { check { a = "1", b = "0" } })
  end)

  it("takes the body of a provider", function()
    assert.equal("any", run("return merge({}, { body = t.any })").body.kind)
    assert.equal("string", run("return merge({ body = t.string }, { body = t.string })").body.kind)
  end)

  it("agrees on recursive schemas", function()
    local merged = run [[
      local Tree = schema("Tree", { left = t.optional(t.ref("Tree")) })
      return merge({ body = Tree }, { body = Tree() })]]
    assert.equal("Tree", merged.body.name)
  end)

  local mistakes = {
    { "types that differ", "merge({ query = { q = t.string } },\n { query = { q = t.integer } })",
      'app.lua:80: query: "q" is declared differently at app.lua:1 and at app.lua:2' },
    { "options that differ",
      "merge({ query = { q = t.string } }, { query = { q = t.string{ min = 1 } } })",
      '"q" is declared differently' },
    { "an option that only the first has",
      "merge({ query = { q = t.string{ min = 1 } } }, { query = { q = t.string } })", '"q"' },
    { "a default that differs",
      "merge({ query = { q = t.any{ default = 1 } } }, { query = { q = t.any{ default = 2 } } })",
      '"q"' },
    { "values that differ",
      'merge({ query = { q = t.enum{ "a" } } }, { query = { q = t.enum{ "a", "b" } } })', '"q"' },
    { "names that differ on the same wire",
      'merge({ headers = { x_a = t.string } }, { headers = { ["x-a"] = t.string } })', '"x-a"' },
    { "providers that differ", "merge({}, { query = { q = t.string } }, { query = { q = t.any } })",
      '"q"' },
    { "bodies that differ", "merge({ body = t.string }, { body = t.any })",
      "body: declared differently" },
    { "a body beside a provider's form", "merge({ body = t.string }, { form = { a = t.string } })",
      "a request has one body" },
  }
  for _, mistake in ipairs(mistakes) do
    it("is refused: " .. mistake[1], function()
      expect_error(mistake[2], unpack(mistake, 3))
    end)
  end
end)
