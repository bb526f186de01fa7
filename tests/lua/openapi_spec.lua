-- The OpenAPI document: routes in, JSON out.
local cjson = require "cjson"
local json_core = require "json_core"
local modules = require "modules"

describe("openapi", function()
  local core, openapi, schema, input, t

  before_each(function()
    core = json_core()
    local fresh = modules.fresh(core)
    openapi, schema = fresh "barq.openapi", fresh "barq.schema"
    input, t = fresh "barq.input", fresh("barq.schema").t
  end)

  -- A route as the freeze gives it: the spec's parts as nodes.
  local function route(method, path, spec)
    spec = spec or {}
    spec.method, spec.path = method, path
    spec.input = input.read(spec, "route")
    if spec.returns then spec.returns = input.returns(spec.returns, "route", "returns") end
    return spec
  end

  local function text_of(routes, info)
    schema.resolve()
    return openapi.json(openapi.document(routes, info))
  end

  local function document_of(...) return cjson.decode(text_of({ ... })) end

  -- The one operation of a document with one route.
  local function operation_of(method, path, spec)
    local document = document_of(route(method, path, spec))
    local _, item = next(document.paths)
    return item[method:lower()], document
  end

  -- A node as JSON text, as the body of a route shows it.
  local function schema_of(node)
    local text = text_of { route("POST", "/x", { body = node }) }
    local body = text:match('"requestBody":{"content":{"application/json":{"schema":(.*)}},'
      .. '"required":%a+},"responses"')
    return body, text
  end

  local function components_of(text) return text:match('"components":{"schemas":(.*)}}$') end

  describe("of the whole", function()
    it("has version, title and paths even without a route", function()
      assert.equal('{"openapi":"3.1.0","info":{"title":"barq","version":"0.1.0"},"paths":{}}',
        text_of({}))
    end)

    it("says what the application is, and where it is served", function()
      local text = text_of({}, {
        title = "Shop", version = "2.0.0", description = "Sells.",
        servers = { "https://a.example", { url = "/v2", description = "here" } },
      })
      assert.equal('{"openapi":"3.1.0","info":{"title":"Shop","description":"Sells.",'
        .. '"version":"2.0.0"},"servers":[{"url":"https://a.example"},{"url":"/v2",'
        .. '"description":"here"}],"paths":{}}', text)
    end)

    it("is the same text each time, in the order of the declarations", function()
      local Item = schema.schema("Item", {
        zebra = t.string(), apple = t.integer(), mango = t.array(t.number), xxx = t.any(),
      })
      local function make()
        return text_of {
          route("POST", "/zoo", { body = Item }), route("GET", "/air", { returns = Item }),
        }
      end
      local first = make()
      for _ = 1, 5 do assert.equal(first, make()) end
      local order = {}
      for name in components_of(first):match('"properties":(.-),"required"'):gmatch('"(%w+)":{') do
        order[#order + 1] = name
      end
      assert.same({ "zebra", "apple", "mango", "items", "xxx" }, order)
      assert.is_true(first:find('"/zoo"', 1, true) < first:find('"/air"', 1, true))
    end)

    it("is a plain table whose members may be changed", function()
      local document = openapi.document({ route("GET", "/") }, {})
      document.info.contact = { name = "Ann", email = "ann@x.example" }
      document.externalDocs = { url = "https://d.example" }
      local text = openapi.json(document)
      assert.truthy(text:find('"version":"0.1.0","contact":{"email":"ann@x.example","name":"Ann"}}',
        1, true))
      assert.truthy(text:find(',"externalDocs":{"url":"https://d.example"}}$'))
    end)

    it("names the place of what is no JSON", function()
      assert.has_error(function()
        text_of { route("GET", "/x", { description = "\255" }) }
      end, "openapi: paths./x.get.description: not UTF-8")
      local deep = {}
      deep.deep = deep
      assert.has_error(function() openapi.json(deep) end,
        "openapi: the document is nested too deep")
    end)
  end)

  describe("of a schema", function()
    local function check(expected, node) assert.equal(expected, (schema_of(node))) end

    it("says the bounds and patterns of strings", function()
      check('{"type":"string","minLength":1,"maxLength":9,"pattern":"^a/b\\"$"}',
        t.string { min = 1, max = 9, pattern = '^a/b"$' })
    end)

    it("names the formats as JSON Schema does", function()
      local names = {
        email = "email", uuid = "uuid", uri = "uri", date = "date", datetime = "date-time",
        time = "time", ipv4 = "ipv4", ipv6 = "ipv6",
      }
      for label, name in pairs(names) do
        check(('{"type":"string","format":"%s"}'):format(name), t[label])
      end
      check('{"type":"string","contentEncoding":"base64","default":"AAH/"}',
        t.bytes { default = "\0\1\255" })
    end)

    it("says the bounds of numbers", function()
      check('{"type":"integer","minimum":0,"maximum":5,"multipleOf":5}',
        t.integer { min = 0, max = 5, multiple_of = 5 })
      check('{"type":"number","exclusiveMinimum":0.5,"exclusiveMaximum":2}',
        t.number { above = 0.5, below = 2 })
    end)

    it("leaves out the bounds that a double cannot hold", function()
      check('{"type":"integer","format":"int64","maximum":7,"default":6}',
        t.int64 { min = "-9223372036854775807", max = "7", default = "6" })
    end)

    it("types values that are listed", function()
      check('{"type":"string","enum":["a","b"],"default":"b"}', t.enum { "a", "b", default = "b" })
      check('{"type":"number","enum":[1,2.5]}', t.enum { 1, 2.5 })
      check('{"enum":["a",1]}', t.enum { "a", 1 })
      check('{"type":"integer","const":3}', t.const(3))
      check('{"type":"boolean","const":false}', t.const(false))
    end)

    it("of any value is empty", function() check("{}", t.any) end)

    it("says what is in arrays and maps", function()
      check('{"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":2,'
        .. '"uniqueItems":true}', t.array(t.boolean, { min = 1, max = 2, unique = true }))
      check('{"type":"object","additionalProperties":{"type":"string"},"minProperties":1,'
        .. '"maxProperties":3}', t.map(t.string, { min = 1, max = 3 }))
    end)

    it("says what an object must have and may have", function()
      check('{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"},'
        .. '"c":{"type":"integer","default":1}},"required":["a"],"additionalProperties":false}',
        t.object({ a = t.string(), b = t.optional(t.string), c = t.integer { default = 1 } },
          { extra = "forbid" }))
      check('{"type":"object","properties":{},"additionalProperties":true}',
        t.object({}, { extra = "keep" }))
    end)

    it("allows null beside whatever there is", function()
      check('{"type":["string","null"],"minLength":1}', t.nullable(t.string { min = 1 }))
      check('{"type":["string","null"],"enum":["a",null]}', t.nullable(t.enum { "a" }))
      check('{"enum":["a",null]}', t.nullable(t.enum { "a", core.null }))
      check('{"anyOf":[{"type":"string","const":"a"},{"type":"null"}]}', t.nullable(t.const "a"))
      check('{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}',
        t.nullable(t.union { t.string, t.integer }))
      check("{}", t.nullable(t.any))
      check('{"type":["integer","null"],"default":null}',
        t.nullable(t.integer, { default = core.null }))
    end)

    it("carries description, default and example", function()
      check('{"type":"string","description":"who","default":"x","examples":["y"]}',
        t.string { description = "who", default = "x", example = "y" })
    end)

    it("gives empty defaults the type of their node, and leaves the application's tables alone",
      function()
        local none = {}
        check('{"type":"array","items":{"type":"string"},"default":[]}',
          t.array(t.string, { default = none }))
        check('{"type":"object","additionalProperties":{"type":"string"},"default":{}}',
          t.map(t.string, { default = none }))
        check('{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"},'
          .. '"default":[]}},"default":{"a":[]}}',
          t.object({ a = t.array(t.string, { default = {} }) }, { default = { a = {} } }))
        assert.is_nil(getmetatable(none))
      end)
  end)

  describe("of a named schema", function()
    it("refers to a component", function()
      local Item = schema.schema("Item", { id = t.integer }, { description = "a thing" })
      local body, text = schema_of(Item)
      assert.equal('{"$ref":"#/components/schemas/Item"}', body)
      assert.truthy(components_of(text):find('{"Item":{"description":"a thing","type":"object",'
        .. '"properties":{"id":{"type":"integer"}},"required":["id"]}', 1, true))
    end)

    it("says beside the reference what is different there", function()
      local Item = schema.schema("Item", { id = t.integer }, { description = "a thing" })
      assert.equal('{"$ref":"#/components/schemas/Item","description":"the thing",'
        .. '"default":{"id":1}}', (schema_of(Item { description = "the thing",
          default = { id = 1 } })))
      assert.equal('{"anyOf":[{"$ref":"#/components/schemas/Item"},{"type":"null"}],'
        .. '"description":"a thing"}', (schema_of(t.nullable(Item))))
    end)

    it("ends where it contains itself", function()
      local Tree = schema.schema("Tree", {
        value = t.integer(), children = t.array(t.ref "Tree", { default = {} }),
      })
      local body, text = schema_of(Tree)
      assert.equal('{"$ref":"#/components/schemas/Tree"}', body)
      assert.truthy(components_of(text):find('"children":{"type":"array",'
        .. '"items":{"$ref":"#/components/schemas/Tree"},"default":[]}', 1, true))
    end)

    it("is inline when it was derived without a name", function()
      local Item = schema.schema("Item", { id = t.integer(), name = t.string() })
      assert.equal('{"type":"object","properties":{"name":{"type":"string"}},'
        .. '"required":["name"]}', (schema_of(Item:pick { "name" })))
    end)

    it("is another component where it treats undeclared fields otherwise", function()
      local Item = schema.schema("Item", { id = t.integer })
      local document = document_of(route("POST", "/a", { body = Item }),
        route("POST", "/b", { body = Item { extra = "forbid" } }),
        route("POST", "/c", { body = Item { description = "same" } }))
      assert.is_nil(document.components.schemas.Item.additionalProperties)
      assert.is_false(document.components.schemas.Item_2.additionalProperties)
      assert.is_nil(document.components.schemas.Item_3)
    end)

    it("leaves the names of the errors to the errors", function()
      local Mine = schema.schema("ValidationError", { code = t.integer })
      local _, document = operation_of("POST", "/x", { body = Mine })
      assert.truthy(document.components.schemas.ValidationError.properties.loc)
      assert.truthy(document.components.schemas.ValidationError_2.properties.code)
    end)
  end)

  describe("of a union", function()
    it("without a tag is anyOf", function()
      assert.equal('{"anyOf":[{"type":"string"},{"type":"integer"}]}',
        (schema_of(t.union { t.string, t.integer })))
    end)

    it("with a tag has a discriminator that knows the components", function()
      local Cat = schema.schema("Cat", { kind = t.const "cat" })
      local Dog = schema.schema("Dog", { kind = t.enum { "dog", "puppy" } })
      assert.equal('{"oneOf":[{"$ref":"#/components/schemas/Cat"},'
        .. '{"$ref":"#/components/schemas/Dog"}],"discriminator":{"propertyName":"kind",'
        .. '"mapping":{"cat":"#/components/schemas/Cat","dog":"#/components/schemas/Dog",'
        .. '"puppy":"#/components/schemas/Dog"}}}',
        (schema_of(t.union { Cat, t.ref "Dog", tag = "kind" })))
      assert.truthy(Dog)
    end)

    it("with a variant that has no name has none, which could not refer to it", function()
      assert.equal('{"oneOf":[{"type":"object","properties":{"kind":{"type":"string",'
        .. '"const":"a"}},"required":["kind"]}]}',
        (schema_of(t.union { t.object { kind = t.const "a" }, tag = "kind" })))
    end)
  end)

  describe("of parameters", function()
    it("takes those of the path from it, typed by schema or converter", function()
      local operation, document = operation_of("GET", "/a/{id:int}/{key:uuid}/{s:slug}/{x}/{rest*}",
        { params = { x = t.integer { min = 1, description = "the x", example = 7 } } })
      assert.truthy(document.paths["/a/{id}/{key}/{s}/{x}/{rest}"])
      assert.same({
        { name = "id", ["in"] = "path", required = true, schema = { type = "integer" } },
        { name = "key", ["in"] = "path", required = true,
          schema = { type = "string", format = "uuid" } },
        { name = "s", ["in"] = "path", required = true,
          schema = { type = "string", pattern = "^[A-Za-z0-9_-]+$" } },
        { name = "x", ["in"] = "path", required = true, description = "the x", example = 7,
          schema = { type = "integer", minimum = 1 } },
        { name = "rest", ["in"] = "path", required = true, schema = { type = "string" } },
      }, operation.parameters)
    end)

    it("says where the others are, under their names on the wire", function()
      local operation = operation_of("GET", "/", {
        query = { q = t.string(), tag = t.array(t.string, { default = {} }) },
        headers = { x_tenant = t.optional(t.string) },
        cookies = { sid = t.string { description = "session" } },
      })
      assert.same({
        { name = "q", ["in"] = "query", required = true, schema = { type = "string" } },
        { name = "tag", ["in"] = "query", required = false, style = "form", explode = true,
          schema = { type = "array", items = { type = "string" }, default = {} } },
        { name = "x-tenant", ["in"] = "header", required = false, schema = { type = "string" } },
        { name = "sid", ["in"] = "cookie", required = true, description = "session",
          schema = { type = "string" } },
      }, operation.parameters)
    end)

    it("come from a named schema too", function()
      local Page = schema.schema("Page", { limit = t.integer { default = 10 } })
      local operation, document = operation_of("GET", "/", { query = Page })
      assert.equal("limit", operation.parameters[1].name)
      assert.is_nil(document.components.schemas.Page)
    end)
  end)

  describe("of an operation", function()
    it("has a form for a body", function()
      local operation = operation_of("POST", "/x", { form = { name = t.string() } })
      assert.same({
        required = true,
        content = {
          ["application/x-www-form-urlencoded"] = {
            schema = { type = "object", properties = { name = { type = "string" } },
              required = { "name" } },
          },
        },
      }, operation.requestBody)
    end)

    it("has a body that may be missing", function()
      local operation = operation_of("POST", "/x", { body = t.optional(t.integer) })
      assert.is_false(operation.requestBody.required)
    end)

    it("answers with what it returns, under its status", function()
      local operation = operation_of("POST", "/x", { status = 201, returns = t.array(t.integer) })
      assert.same({ ["201"] = {
        description = "Successful Response",
        content = { ["application/json"] = {
          schema = { type = "array", items = { type = "integer" } },
        } },
      } }, operation.responses)
    end)

    it("answers with anything when it says nothing, and with nothing when it has no content",
      function()
        local operation = operation_of("GET", "/x")
        assert.same({ ["application/json"] = { schema = {} } }, operation.responses["200"].content)
        operation = operation_of("DELETE", "/x", { status = 204 })
        assert.same({ description = "Successful Response" }, operation.responses["204"])
        operation = operation_of("HEAD", "/x", { returns = t.integer })
        assert.is_nil(operation.responses["200"].content)
      end)

    it("has a 422 exactly when something is validated", function()
      for part, value in pairs { query = { q = t.string }, headers = { q = t.string },
        cookies = { q = t.string }, body = t.integer, form = { q = t.string } } do
        local operation, document = operation_of("POST", "/x", { [part] = value })
        assert.equal("#/components/schemas/HTTPValidationError",
          operation.responses["422"].content["application/json"].schema["$ref"])
        assert.truthy(document.components.schemas.HTTPValidationError)
      end
      local operation, document = operation_of("GET", "/x/{id:int}", { query = {} })
      assert.is_nil(operation.responses["422"])
      assert.is_nil(document.components)
    end)

    it("carries tags once, summary, description and deprecation", function()
      local operation = operation_of("GET", "/x", { tags = { "a", "b", "a" }, summary = "S",
        description = "D", deprecated = true, name = "n" })
      assert.same({ "a", "b" }, operation.tags)
      assert.equal("S D true n", table.concat({ operation.summary, operation.description,
        tostring(operation.deprecated), operation.operationId }, " "))
    end)

    it("may have tags that are described", function()
      local document = openapi.document({ route("GET", "/", { tags = { "a" } }) }, {},
        { { name = "a", description = "first" }, { name = "b", description = "second" } })
      assert.same({ { name = "a", description = "first" }, { name = "b", description = "second" } },
        cjson.decode(openapi.json(document)).tags)
      assert.is_nil(document_of(route("GET", "/")).tags)
    end)

    it("is summed up by its name", function()
      assert.equal("Get Item", operation_of("GET", "/x", { name = "get_item" }).summary)
      assert.equal("Get Items Id", operation_of("GET", "/items/{id:int}").summary)
      local umlaut = operation_of("GET", "/ümlaut/straße-nach-東京")
      assert.equal("Get ümlaut Straße Nach 東京", umlaut.summary)
      assert.equal("get_ümlaut_straße_nach_東京", umlaut.operationId)
    end)

    it("is left out when it is hidden", function()
      assert.same({}, document_of(route("GET", "/x", { hidden = true })).paths)
    end)
  end)

  describe("of operation ids", function()
    it("makes them of method and path where there is no name", function()
      assert.equal("get_root", operation_of("GET", "/").operationId)
      assert.equal("put_items_id_files_rest",
        operation_of("PUT", "/items/{id:int}/files/{rest*}").operationId)
    end)

    it("gives none twice", function()
      local paths = document_of(route("GET", "/a-b"), route("GET", "/a_b"),
        route("GET", "/c", { name = "get_a_b" })).paths
      assert.same({ "get_a_b_2", "get_a_b_3", "get_a_b" }, {
        paths["/a-b"].get.operationId, paths["/a_b"].get.operationId, paths["/c"].get.operationId,
      })
    end)

    it("tells apart the methods of ANY, which yields to those that have a route", function()
      local item = document_of(route("ANY", "/x", { name = "x", body = t.integer }),
        route("POST", "/x", { name = "mine" })).paths["/x"]
      local ids = {}
      for method, operation in pairs(item) do ids[method] = operation.operationId end
      assert.same({ get = "x_get", put = "x_put", post = "mine", delete = "x_delete",
        options = "x_options", head = "x_head", patch = "x_patch" }, ids)
      assert.equal("X", item.get.summary)
      assert.is_nil(item.get.requestBody)
      assert.truthy(item.put.requestBody)
    end)
  end)

  describe("of paths", function()
    it("takes those that differ in their parameters' names only for one", function()
      local paths = document_of(route("GET", "/u/{id:int}"),
        route("PUT", "/u/{user_id}", { params = { user_id = t.integer { min = 1 } } }),
        route("GET", "/u/{name:slug}")).paths
      assert.is_nil(paths["/u/{user_id}"])
      local item = paths["/u/{id}"]
      assert.equal("id", item.put.parameters[1].name)
      assert.equal(1, item.put.parameters[1].schema.minimum)
      assert.equal("integer", item.get.parameters[1].schema.type)
    end)
  end)

  describe("of security", function()
    local bearer = { kind = "bearer", format = "JWT", description = "a token" }
    local key = { kind = "api_key", name = "x-api-key", ["in"] = "header" }

    it("lists each scheme once, and what an operation needs", function()
      local document = document_of(route("GET", "/a", { security = { bearer, key } }),
        route("GET", "/b", { security = { { kind = "basic" }, { kind = "basic" } } }),
        route("GET", "/c"))
      assert.same({
        bearer = { type = "http", scheme = "bearer", bearerFormat = "JWT",
          description = "a token" },
        basic = { type = "http", scheme = "basic" },
        ["x-api-key"] = { type = "apiKey", name = "x-api-key", ["in"] = "header" },
      }, document.components.securitySchemes)
      assert.same({ { bearer = {}, ["x-api-key"] = {} } }, document.paths["/a"].get.security)
      assert.same({ { basic = {} } }, document.paths["/b"].get.security)
      assert.is_nil(document.paths["/c"].get.security)
    end)

    it("tells apart schemes of one kind", function()
      local document = document_of(
        route("GET", "/a", { security = { { kind = "bearer" } } }),
        route("GET", "/b", { security = { { kind = "bearer", format = "JWT" } } }),
        route("GET", "/c", { security = { { kind = "bearer", name = "Admin token" } } }))
      assert.same({ { bearer_2 = {} } }, document.paths["/b"].get.security)
      assert.same({ { Admin_token = {} } }, document.paths["/c"].get.security)
    end)

    it("offers what is optional as alternatives", function()
      local text = text_of { route("GET", "/a", { security = {
        { kind = "bearer", optional = true }, key, { kind = "basic", optional = true },
      } }) }
      assert.truthy(text:find('"security":[{"x-api-key":[],"bearer":[]},'
        .. '{"x-api-key":[],"basic":[]},{"x-api-key":[]}]', 1, true))
      text = text_of { route("GET", "/a", { security = { { kind = "bearer", optional = true } } }) }
      assert.truthy(text:find('"security":[{"bearer":[]},{}]', 1, true))
    end)

    it("does not repeat its header among the parameters", function()
      local operation = operation_of("GET", "/a", {
        security = { bearer, key },
        headers = { authorization = t.string(), x_api_key = t.string(), x_tenant = t.string() },
        query = { authorization = t.string() },
      })
      local names = {}
      for i, parameter in ipairs(operation.parameters) do names[i] = parameter.name end
      assert.same({ "authorization", "x-tenant" }, names)
      assert.equal("query", operation.parameters[1]["in"])
    end)
  end)

  describe("of comments", function()
    local name

    before_each(function() name = os.tmpname() end)
    after_each(function() os.remove(name) end)

    local function description_at(line, source, spec)
      local file = assert(io.open(name, "wb"))
      file:write(source)
      file:close()
      spec = spec or {}
      spec.place = ("%s:%d"):format(name, line)
      return operation_of("GET", "/x", spec).description
    end

    it("takes the lines directly above", function()
      assert.equal("One item.\n\n  - indented", description_at(6,
        "--- not this\n\n  --- One item.\n  ---\n  ---   - indented\nbarq.get()\n"))
    end)

    it("prefers the description, and takes no other comment", function()
      assert.equal("D", description_at(2, "--- C\nbarq.get()", { description = "D" }))
      assert.is_nil(description_at(2, "-- C\nbarq.get()"))
      assert.is_nil(description_at(2, "-------- C\nbarq.get()"))
      assert.is_nil(description_at(3, "--- C\n\nbarq.get()"))
    end)

    it("leaves annotations to the editor, and reads files of other systems", function()
      assert.equal("C", description_at(3, "--- C\r\n---@param req barq.Request\r\nbarq.get()\r\n"))
      assert.is_nil(description_at(2, "---@type fun()\nbarq.get()"))
    end)

    it("does without what cannot be read", function()
      assert.is_nil(description_at(2, "--- \255\nbarq.get()"))
      assert.is_nil(description_at(9, "--- C"))
      assert.is_nil(description_at(1, "barq.get()"))
      for _, place in ipairs { "/no/such/file.lua:3", "nothing", "/:1", '[string "x"]:1' } do
        assert.is_nil(operation_of("GET", "/x", { place = place }).description)
      end
      assert.is_nil(operation_of("GET", "/x").description)
    end)
  end)
end)
