-- Declarations of schemas: the nodes that they make, and the mistakes that are found at load.
local modules = require "modules"

local barq, schema, t, null

-- Every test has an application of its own.
local function fresh()
  null = newproxy() -- a userdata, as barq.null is
  local core = modules.stand_in { null = null }
  function core.schema_check(node, value) return "checked", { node = node, value = value } end
  function core.schema_encode(node, value) return node.name .. ":" .. tostring(value) end
  barq = modules.fresh(core)
  schema = barq "barq.schema"
  t = schema.t
end

local function try(code)
  return modules.run_app(code, {
    t = t, schema = schema.schema, null = null, resolve = schema.resolve,
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

-- The names of an object's fields, in order.
local function order(n)
  local list = {}
  for i, field in ipairs((n.node or n).fields) do list[i] = field[1] end
  return table.concat(list, " ")
end

local function field(n, name)
  for _, one in ipairs((n.node or n).fields) do
    if one[1] == name then return one[2] end
  end
end

describe("a type", function()
  before_each(fresh)

  it("is a node by its name alone", function()
    local n = t.string
    assert.equal("string", n.kind)
    assert.is_nil(n.min)
  end)

  it("is new at every access", function()
    assert.is_false(rawequal(t.string, t.string))
    assert.is_true(t.string.seq < t.string.seq)
  end)

  it("takes options when it is called", function()
    local n = t.string { min = 1, max = 100, pattern = "^a", trim = true, lower = true }
    assert.equal(1, n.min)
    assert.equal(100, n.max)
    assert.equal("^a", n.pattern)
    assert.is_true(n.trim)
    assert.is_true(n.lower)
  end)

  it("does not change when it is called", function()
    local n = t.string { min = 1 }
    local longer = n { max = 5 }
    assert.is_nil(n.max)
    assert.equal(1, longer.min)
    assert.equal(5, longer.max)
  end)

  it("remembers where it was written", function()
    assert.equal("app.lua:2", run("\nlocal n = t.string\nreturn n").place)
  end)

  for _, format in ipairs { "email", "uuid", "uri", "date", "datetime", "time", "ipv4", "ipv6",
    "bytes" } do
    it("t." .. format .. " is a string of that format", function()
      local n = t[format] { max = 80 }
      assert.equal("string", n.kind)
      assert.equal(format, n.format)
      assert.equal(80, n.max)
      assert.equal(format, t.string { format = format }.format)
    end)
  end

  for _, kind in ipairs { "integer", "number" } do
    it("t." .. kind .. " has bounds", function()
      local n = t[kind] { min = 1, max = 9, above = 0, below = 10, multiple_of = 2, default = 4 }
      assert.equal(kind, n.kind)
      assert.same({ 1, 9, 0, 10, 2, 4 },
        { n.min, n.max, n.above, n.below, n.multiple_of, n.default })
    end)
  end

  it("t.int64 takes text where numbers end, and has text for a default", function()
    local n = t.int64 { min = "-9223372036854775808", max = "9223372036854775807", default = 5 }
    assert.equal("int64", n.kind)
    assert.equal("5", n.default)
  end)

  it("t.boolean and t.any are what they say", function()
    assert.equal("boolean", t.boolean.kind)
    assert.equal("any", t.any.kind)
    assert.is_false(t.boolean { default = false }.default)
  end)

  it("t.enum parts values from options", function()
    local n = t.enum { "eur", "usd", 3, true, null, default = "eur", description = "money" }
    assert.equal("enum", n.kind)
    assert.same({ "eur", "usd", 3, true, null }, n.values)
    assert.equal("eur", n.default)
    assert.equal("money", n.description)
  end)

  it("t.const keeps its value", function()
    assert.equal("const", t.const("x").kind)
    assert.equal("x", t.const("x").value)
    assert.is_false(t.const(false).value)
    assert.equal("only", t.const(1, { description = "only" }).description)
  end)

  it("t.array and t.map have a type inside", function()
    local list = t.array(t.string, { min = 1, max = 3, unique = true, default = { "a" } })
    assert.equal("array", list.kind)
    assert.equal("string", list.of.kind)
    assert.is_true(list.unique)
    local map = t.map(t.integer, { max = 3 })
    assert.equal("map", map.kind)
    assert.equal("integer", map.of.kind)
  end)

  it("t.union keeps its variants in order", function()
    local n = t.union { t.string, t.integer, description = "either" }
    assert.equal("union", n.kind)
    assert.equal("string", n.variants[1].kind)
    assert.equal("integer", n.variants[2].kind)
    assert.equal("either", n.description)
  end)

  it("t.optional and t.nullable mark a copy, and take options", function()
    local n = t.string { min = 1 }
    local both = t.optional(t.nullable(n), { description = "maybe" })
    assert.is_nil(n.optional)
    assert.is_true(both.optional)
    assert.is_true(both.nullable)
    assert.equal(1, both.min)
    assert.equal("maybe", both.description)
  end)

  it("may default to null once it is nullable", function()
    assert.equal(null, t.nullable(t.string, { default = null }).default)
    assert.equal(null, t.nullable(t.string) { default = null }.default)
  end)

  it("takes a check, an example and a description", function()
    local function check() return true end
    local n = t.number { check = check, example = 2.5, description = "price" }
    assert.equal(check, n.check)
    assert.equal(2.5, n.example)
    assert.equal("price", n.description)
  end)

  it("does not change the table that it is given", function()
    local values = { "a", default = "a" }
    local variants = { t.string }
    t.enum(values)
    t.union(variants)
    assert.same({ "a", default = "a" }, values)
    assert.equal(1, #variants)
  end)
end)

describe("an object", function()
  before_each(fresh)

  it("keeps its fields as written", function()
    local n = t.object { zeta = t.string, alpha = t.integer { min = 1 }, mid = t.array(t.string),
      omega = t.optional(t.nullable(t.boolean)), beta = t.enum { "x" } }
    assert.equal("zeta alpha mid omega beta", order(n))
    assert.equal("ignore", n.extra)
  end)

  it("keeps the order of a hundred fields", function()
    local lines, names = {}, {}
    for i = 1, 100 do
      names[i] = ("f%d"):format(i * 7919 % 1000)
      lines[i] = names[i] .. " = t.string,"
    end
    local n = run("return t.object{" .. table.concat(lines) .. "}")
    assert.equal(table.concat(names, " "), order(n))
  end)

  it("orders one node under several names by name", function()
    local n = t.string
    assert.equal("a b c", order(t.object { c = n, a = n, b = n }))
  end)

  it("puts a copy without options where it is written", function()
    local n = t.string
    assert.equal("n id", order(t.object { id = t.integer, n = n }))
    assert.equal("id n", order(t.object { id = t.integer, n = n() }))
  end)

  it("takes options behind its fields, or in a call", function()
    assert.equal("forbid", t.object({ a = t.string }, { extra = "forbid" }).extra)
    assert.equal("keep", t.object { a = t.string } { extra = "keep" }.extra)
  end)
end)

describe("a schema", function()
  before_each(fresh)

  it("stands for its node wherever a type is expected", function()
    local Item = schema.schema("Item", { name = t.string })
    assert.equal("Item", Item.node.name)
    assert.equal(Item.node, t.array(Item).of)
    assert.equal(Item.node, t.map(Item).of)
    assert.equal(Item.node, t.union { Item, t.string }.variants[1])
    assert.equal(Item.node, field(t.object { item = Item }, "item"))
    assert.is_true(t.optional(Item).optional)
    assert.equal("Item", t.nullable(Item).name)
  end)

  it("has options", function()
    local Item = schema.schema("Item", { name = t.string }, { extra = "forbid", description = "x" })
    assert.equal("forbid", Item.node.extra)
    assert.equal("x", Item.node.description)
  end)

  it("called, is a younger node with options", function()
    local Item = schema.schema("Item", { name = t.string })
    local n = t.object { id = t.integer, item = Item { description = "bought" } }
    assert.equal("id item", order(n))
    assert.equal("bought", field(n, "item").description)
    assert.equal("Item", field(n, "item").name)
    assert.is_nil(Item.node.description)
  end)

  it("shows its name", function()
    assert.equal("schema Item", tostring(schema.schema("Item", { name = t.string })))
  end)

  it("asks the core to check and to encode", function()
    local Item = schema.schema("Item", { name = t.string }, { check = function() return true end })
    local value, errors = Item:check("v")
    assert.equal("checked", value)
    assert.equal(Item.node, errors.node)
    assert.equal("v", errors.value)
    assert.equal("Item:5", Item:encode(5))
  end)

  it("is found by its name", function()
    local Item = schema.schema("Item", { name = t.string })
    assert.equal(Item, schema.named.Item)
  end)
end)

describe("a derived schema", function()
  local Item
  before_each(function()
    fresh()
    Item = schema.schema("Item", {
      name = t.string, price = t.number, quantity = t.integer { default = 1 },
    }, { extra = "forbid", description = "an item", check = function() return true end })
  end)

  it("extends with fields behind", function()
    local Stored = Item:extend("StoredItem", { id = t.integer, at = t.datetime })
    assert.equal("name price quantity id at", order(Stored))
    assert.equal("StoredItem", Stored.node.name)
    assert.equal("name price quantity", order(Item))
  end)

  it("extends by replacing where the field stands", function()
    local Other = Item:extend("Other", { price = t.int64, id = t.integer })
    assert.equal("name price quantity id", order(Other))
    assert.equal("int64", field(Other, "price").kind)
  end)

  it("extends with what was asked of the whole", function()
    local Other = Item:extend("Other", { id = t.integer })
    assert.equal("forbid", Other.node.extra)
    assert.equal(Item.node.check, Other.node.check)
    assert.is_nil(Other.node.description)
    assert.equal("keep", Item:extend("Third", {}, { extra = "keep" }).node.extra)
  end)

  it("picks", function()
    local Name = Item:pick("ItemName", { "quantity", "name" })
    assert.equal("name quantity", order(Name))
    assert.equal("ItemName", Name.name)
    assert.equal("forbid", Name.node.extra)
    assert.is_nil(Name.node.check)
  end)

  it("picks without a name", function()
    local some = Item:pick({ "name" }, { description = "short" })
    assert.is_nil(some.name)
    assert.is_nil(some.node.name)
    assert.equal("short", some.node.description)
    assert.equal("name", order(some))
  end)

  it("omits", function()
    assert.equal("name quantity", order(Item:omit("Priceless", { "price" })))
    assert.equal("price", order(Item:omit { "name", "quantity" }))
  end)

  it("is partial without defaults", function()
    local Patch = Item:partial("ItemPatch")
    assert.equal("name price quantity", order(Patch))
    assert.is_true(field(Patch, "name").optional)
    assert.is_true(field(Patch, "quantity").optional)
    assert.is_nil(field(Patch, "quantity").default)
    assert.equal(1, field(Item, "quantity").default)
  end)

  it("is partial without a name, with options", function()
    local patch = Item:partial { extra = "ignore" }
    assert.is_nil(patch.name)
    assert.equal("ignore", patch.node.extra)
  end)

  it("can be derived from", function()
    assert.equal("name id", order(Item:pick { "name" }:extend("Two", { id = t.integer })))
  end)
end)

describe("a reference", function()
  before_each(fresh)

  it("finds a schema that is declared later", function()
    local Order = schema.schema("Order", { item = t.ref("Item") })
    local Item = schema.schema("Item", { name = t.string })
    schema.resolve()
    assert.equal(Item.node, field(Order, "item").target)
  end)

  it("finds the schema around it, through copies too", function()
    local Tree = schema.schema("Tree", {
      left = t.optional(t.ref("Tree")), right = t.nullable(t.ref("Tree")),
      more = t.array(t.ref("Tree")), named = t.map(t.ref("Tree")),
    })
    schema.resolve()
    assert.equal(Tree.node, field(Tree, "left").target)
    assert.equal(Tree.node, field(Tree, "right").target)
    assert.equal(Tree.node, field(Tree, "more").of.target)
  end)

  it("is resolved before a schema is used alone", function()
    local Tree = schema.schema("Tree", { left = t.optional(t.ref("Tree")) })
    schema.schema("Other", { missing = t.optional(t.ref("Later")) })
    Tree:check({})
    assert.equal(Tree.node, field(Tree, "left").target)
  end)

  it("to nothing is an error when a schema is used alone", function()
    local Other = schema.schema("Other", { missing = t.optional(t.ref("Later")) })
    assert.error_matches(function() Other:encode({}) end, "no schema of that name")
  end)

  it("ends through a default, a nullable field or a union with a way out", function()
    schema.schema("A", { a = t.ref("A", { default = {} }) })
    schema.schema("B", { b = t.nullable(t.ref("B")) })
    schema.schema("C", { c = t.union { t.ref("C"), t.string } })
    schema.schema("D", { d = t.array(t.ref("D"), { max = 3 }) })
    assert.has_no_error(schema.resolve)
  end)

  it("in a tagged union is judged when it is resolved", function()
    run [[
      schema("Shape", { shape = t.union{ t.ref("Circle"), t.ref("Square"), tag = "kind" } })
      schema("Circle", { kind = t.const("circle"), r = t.number })
      schema("Square", { kind = t.enum{ "square", "box" }, a = t.number })
      resolve()
    ]]
  end)
end)

-- sentence, code, parts of the message
local mistakes = {
  { "an unknown option",
    't.string{ mni = 1 }', 'app.lua:1: t.string: unknown option "mni"', '"min"' },
  { "the line of the mistake",
    'local n = t.object{\n  a = t.string,\n  b = t.integer{ mim = 1 },\n}',
    "app.lua:3: t.integer" },
  { "an option of another library", "t.string{ minLength = 1 }", '(did you mean "min"?)' },
  { "an option of a number on a string", "t.string{ ge = 1, }", '(did you mean "min"?)' },
  { "an option that another type has", "t.boolean{ min = 1 }", 'unknown option "min"' },
  { "optional as an option", "t.string{ optional = true }", "write t.optional(…)" },
  { "nullable as an option", "t.string{ nullable = true }", "write t.nullable(…)" },
  { "required as an option", "t.string{ required = true }", "t.optional(…) for what is not" },
  { "a list for options", 't.string{ "x" }', 'unknown option "1"' },
  { "options that are no table", 't.string("x")', "options are a table", '"x"' },
  { "a node for options", "t.array(t.string, t.string)", "options are a table", "t.string" },
  { "a bound of another type", 't.string{ min = "1" }', 'min is an integer from 0; got "1"' },
  { "a negative length", "t.string{ min = -1 }", "min is an integer from 0; got -1" },
  { "a broken length", "t.array(t.string, { max = 1.5 })", "max is an integer from 0; got 1.5" },
  { "an infinite length", "t.string{ max = math.huge }", "max is an integer from 0" },
  { "min above max of a string", "t.string{ min = 3, max = 2 }", "min 3 is above max 2" },
  { "min above max of an array",
    "t.array(t.string, { min = 3, max = 2 })", "min 3 is above max 2" },
  { "min above max of a map", "t.map(t.string, { min = 3, max = 2 })", "min 3 is above max 2" },
  { "min above max in two calls", "t.string{ min = 3 }{ max = 2 }", "min 3 is above max 2" },
  { "min above max of a number", "t.number{ min = 3, max = 2.5 }", "min is 3 and max is 2.5" },
  { "an empty open range", "t.number{ above = 2, below = 2 }", "above is 2 and below is 2" },
  { "a half open range without values",
    "t.number{ min = 2, below = 2 }", "min is 2 and below is 2" },
  { "the other half open range", "t.number{ above = 2, max = 2 }", "above is 2 and max is 2" },
  { "no integer between bounds", "t.integer{ above = 1, below = 2 }", "no integer lies above 1" },
  { "a broken bound of an integer",
    "t.integer{ min = 0.5 }", "min is an integer within 2^53; got 0.5" },
  { "a bound beyond 2^53", "t.integer{ max = 2^53 }", "max is an integer within 2^53" },
  { "a NaN bound", "t.number{ min = 0/0 }", "min is a finite number" },
  { "a multiple of 0", "t.integer{ multiple_of = 0 }", "multiple_of is above 0" },
  { "a negative multiple", "t.number{ multiple_of = -0.5 }", "multiple_of is above 0" },
  { "int64 bounds the wrong way", 't.int64{ min = "9007199254740993", max = "9007199254740992" }',
    "min is 9007199254740993" },
  { "a bound beyond 64 bits", 't.int64{ max = "9223372036854775808" }', "max is a 64-bit integer" },
  { "an int64 with leading zeros", 't.int64{ max = "007" }', "max is a 64-bit integer" },
  { "an int64 default beyond its bound", 't.int64{ min = "10", default = 9 }', "at least 10" },
  { "a pattern for bytes", 't.bytes{ pattern = "a" }', "bytes are no text" },
  { "a pattern for a format of bytes", 't.string{ format = "bytes", pattern = "a" }', "no text" },
  { "a default with too many bytes", 't.bytes{ max = 2, default = "äö" }', "at most 2 bytes" },
  { "an empty pattern", 't.string{ pattern = "" }', "pattern is a string" },
  { "a flag that is none", "t.string{ trim = 1 }", "trim is a boolean; got 1" },
  { "an unknown format", 't.string{ format = "emial" }', '(did you mean "email"?)' },
  { "a format of a format", 't.email{ format = "uri" }', 'unknown option "format"' },
  { "a check that is no function", "t.string{ check = 1 }", "check is a function; got 1" },
  { "a description that is no text", "t.string{ description = {} }", "description is a string" },
  { "a default of another type",
    't.integer{ default = "1" }', 'default should be an integer', '"1"' },
  { "a number for a string", "t.string{ default = 1 }", "default should be a string, not 1" },
  { "a default that is too short", 't.string{ min = 2, default = "a" }', "at least 2 characters" },
  { "a default that is too long in code points", 't.string{ max = 2, default = "äöü" }',
    "at most 2 characters" },
  { "a default below its bound", "t.number{ min = 0, default = -1 }", "should be at least 0" },
  { "a default above its bound", "t.number{ max = 0, default = 1 }", "should be at most 0" },
  { "a default at an open bound", "t.number{ above = 0, default = 0 }", "should be above 0" },
  { "a default at the other open bound",
    "t.number{ below = 0, default = 0 }", "should be below 0" },
  { "a default that is no multiple",
    "t.integer{ multiple_of = 3, default = 4 }", "a multiple of 3" },
  { "a broken default of an integer", "t.integer{ default = 1.5 }", "should be an integer" },
  { "a default that is no member",
    't.enum{ "a", "b", default = "c" }', 'should be one of "a", "b"' },
  { "a default that is another constant", 't.const(1, { default = 2 })', "should be 1, not 2" },
  { "a default that is no boolean", "t.boolean{ default = 1 }", "should be true or false" },
  { "a default that is no array", 't.array(t.string, { default = "a" })', "should be an array" },
  { "a default array with names", "t.array(t.string, { default = { a = 1 } })", "without names" },
  { "a default item that does not fit", "t.array(t.string, { default = { 1 } })",
    "default [1] should be a string" },
  { "a default array that is too long", 't.array(t.string, { max = 1, default = { "a", "b" } })',
    "at most 1 items" },
  { "a default map with indexes", "t.map(t.string, { default = { 'a' } })", "names for keys" },
  { "a default object that lacks a field", "t.object({ a = t.string }, { default = {} })",
    'default lacks the field "a"' },
  { "a default object with an unknown field",
    't.object({ a = t.string }, { extra = "forbid", default = { a = "", b = 1 } })', '"b"' },
  { "a default that no variant takes", "t.union{ t.string, t.boolean, default = 1 }",
    "default fits no variant" },
  { "a default that JSON has not", "t.any{ default = print }", "should be a JSON value" },
  { "a default without an end",
    "local a = {}; a.a = a; local n = t.any{ default = a }", "too deep" },
  { "null for what is not nullable", "t.string{ default = null }", "t.nullable(t.string, { … })" },
  { "an example that does not fit", 't.integer{ example = "x" }', "example should be an integer" },
  { "a default of t.optional that does not fit", "t.optional(t.string, { default = 1 })",
    "t.optional: default should be a string" },
  { "an option of the type on t.optional", "t.optional(t.string, { min = 1 })",
    't.optional: unknown option "min"' },
  { "an empty enum", "t.enum{}", "t.enum has no values" },
  { "options of an enum beside its table", 't.enum({ "a", "b" }, { default = "a" })',
    't.enum takes one table, options are in it, as t.enum{ "a", "b" }' },
  { "a tag of a union beside its table", 't.union({ t.string, t.integer }, { tag = "kind" })',
    't.union takes one table, options are in it, as t.union{ A, B, tag = "kind" }' },
  { "an enum of values one by one", 't.enum("a", "b")', "t.enum takes a table" },
  { "an enum as a name", "t.array(t.enum)", 'it is called, as t.enum{ "a", "b" }' },
  { "an enum with a value twice",
    't.enum{ "a", "b", "a" }', '"a" is listed twice, as values 1 and 3' },
  { "an enum with a hole", 't.enum{ [1] = "a", [3] = "b" }', "hole" },
  { "an enum of tables", "t.enum{ {} }", "t.enum: a value is a string", "a table" },
  { "an enum with an unknown option", 't.enum{ "a", defualt = "a" }', '(did you mean "default"?)' },
  { "a constant that is a table", "t.const({})", "t.const: a value is a string", "a table" },
  { "a constant of nothing", "t.const()", "t.const: a value is a string" },
  { "a constant NaN", "t.const(0/0)", "finite number" },
  { "an empty union", "t.union{}", "t.union has no variants" },
  { "a union of one node", "t.union(t.string)", "t.union takes a table" },
  { "an optional variant", "t.union{ t.optional(t.string) }", "variant 1 cannot be absent" },
  { "a tag that a variant lacks",
    't.union{ t.object{ kind = t.const("a") }, t.object{ b = t.string }, tag = "kind" }',
    'variant 2 has no field "kind"' },
  { "a tag that is no constant", 't.union{ t.object{ kind = t.string }, tag = "kind" }',
    'variant 1 has a field "kind" that is t.string' },
  { "a tag that two variants share",
    't.union{ t.object{ k = t.const("a") }, t.object{ k = t.enum{ "b", "a" } }, tag = "k" }',
    'variants 1 and 2 share the tag "a"' },
  { "a tag that may be absent",
    't.union{ t.object{ kind = t.const("a", { default = "a" }) }, tag = "kind" }',
    "may be absent" },
  { "a tag that is a number", 't.union{ t.object{ kind = t.const(1) }, tag = "kind" }',
    "a tag that is no string: 1" },
  { "a tag of what is no object", 't.union{ t.string, tag = "kind" }', "variant 1 is t.string" },
  { "a nullable variant of a tagged union",
    't.union{ t.nullable(t.object{ kind = t.const("a") }), tag = "kind" }',
    "make the union nullable" },
  { "an optional item", "t.array(t.optional(t.string))", "t.array: the item cannot be absent" },
  { "an item with a default", 't.array(t.string{ default = "a" })', "the item cannot be absent" },
  { "an optional value of a map",
    "t.map(t.optional(t.string))", "t.map: the value cannot be absent" },
  { "an array of nothing", "t.array()", "t.array: the item: a type", "got nil" },
  { "an array of options", "t.array{ min = 1 }", "t.array: the item", "got a table" },
  { "a reference by schema", 't.ref(schema("A", { a = t.string }))', 't.ref("Item")' },
  { "an unknown type", "t.strnig", 'barq.t has no "strnig" (did you mean t.string?)' },
  { "a type of another language", "t.dict", "(did you mean t.map?)" },
  { "a type of one's own in t", "t.money = t.number", 'keep "money" in a local' },
  { "a type's name as text",
    't.object{ id = "integer" }', 'field "id"', "did you mean t.integer?" },
  { "another name as text", 't.object{ id = "int" }', "(did you mean t.integer?)" },
  { "Lua's string for a type", "t.object{ id = string }", "(did you mean t.string?)" },
  { "a table for an object",
    "t.object{ size = { w = t.number } }", "an object inside is t.object{ … }" },
  { "a value for a type", "t.object{ version = 5 }", "did you mean t.const(5)?" },
  { "a constructor for a type",
    "t.object{ list = t.array }", "it is called, as t.array(t.string)" },
  { "a function for a type", "t.object{ list = print }", "got a function" },
  { "an option among the fields", 't.object{ a = t.string, extra = "forbid" }',
    '"extra" is an option, not a field' },
  { "fields without names", "t.object{ t.string }", "a field has a name", "[1]" },
  { "an object of a node", "t.object(t.string)", "a table of fields expected", "t.string" },
  { "an unknown way with extra fields", 't.object({ a = t.string }, { extra = "deny" })',
    'extra is "ignore", "forbid" or "keep"; got "deny"' },
  { "a schema without a name", "schema({ a = t.string })", "a name is letters" },
  { "a schema's name with a blank", 'schema("My Item", { a = t.string })', '"My Item"' },
  { "a schema's name that begins with a digit", 'schema("1st", { a = t.string })', '"1st"' },
  { "a schema without fields", 'schema("Item")', 'barq.schema("Item"): a table of fields' },
  { "a schema of a schema", 'schema("B", schema("A", { a = t.string }))', "the schema A" },
  { "a name that is taken, with both places",
    'schema("Item", { a = t.string })\nschema("Item", { a = t.string })',
    'app.lua:2: barq.schema("Item"): the name "Item" is taken: app.lua:1 declares it' },
  { "a derived name that is taken", 'local A = schema("A", { a = t.string })\nA:extend("A", {})',
    'app.lua:2: A:extend: the name "A" is taken: app.lua:1' },
  { "a wrong option of a schema", 'schema("A", { a = t.string }, { exrta = "keep" })', '"extra"' },
  { "an unknown field to pick", 'schema("A", { name = t.string }):pick{ "nmae" }',
    'A:pick: there is no field "nmae" (did you mean "name"?)' },
  { "nothing to pick", 'schema("A", { name = t.string }):pick("B")', "a list of field names" },
  { "an empty pick",
    'schema("A", { name = t.string }):pick{}', "the list of field names is empty" },
  { "a pick by type",
    'schema("A", { name = t.string }):pick{ name = t.string }', 'the key "name"' },
  { "an unknown field to omit", 'schema("A", { name = t.string }):omit{ "nmae" }', '"name"' },
  { "an extension without a name", 'schema("A", { name = t.string }):extend{ b = t.string }',
    "A:extend: a name is letters" },
  { "a dot for a colon", 'schema("A", { name = t.string }).check({})', "check is a method" },
  { "a reference to nothing",
    'schema("Item", { a = t.string })\nschema("Box", { item = t.ref("Itme") })\nresolve()',
    'app.lua:2: t.ref("Itme"): there is no schema of that name (did you mean "Item"?)' },
  { "a reference with a second check",
    'schema("A", { b = t.string }, { check = print })\n' ..
    'local n = t.ref("A", { check = print })\nresolve()', 'app.lua:2: t.ref("A"): the schema has' },
  { "a reference to nothing at all", 'local n = t.ref("X")\nresolve()', "no schema of that name" },
  { "a schema that needs itself", 'schema("A", { a = t.ref("A") })\nresolve()',
    "app.lua:1: a value of this schema would never end: A.a needs another one" },
  { "schemas that need each other",
    'schema("A", { b = t.ref("B") })\n' ..
    'schema("B", { list = t.array(t.ref("A"), { min = 1 }) })\nresolve()',
    "A.b.list[] needs another one" },
  { "a copy that needs the original",
    'schema("A", { b = t.ref("B") })\n' ..
    'schema("B", { a = schema("C", { b = t.ref("B") })() })\nresolve()',
    "would never end" },
  { "a union without a way out",
    'schema("A", { a = t.union{ t.ref("A"), t.ref("A") } })\nresolve()',
    "would never end" },
  { "a tag that a referred variant lacks",
    'schema("A", { a = t.string })\nlocal u = t.union{ t.ref("A"), tag = "kind" }\nresolve()',
    'app.lua:2: t.union: variant 1 has no field "kind"' },
}

describe("a mistake in a schema", function()
  before_each(fresh)

  for _, mistake in ipairs(mistakes) do
    it("is told: " .. mistake[1], function()
      local code = mistake[2]
      if code:find("^t%.") and not code:find("^t%.money") then code = "local n = " .. code end
      expect_error(code, unpack(mistake, 3))
    end)
  end

  it("is told once the application serves", function()
    barq "barq.state".frozen = true
    expect_error('schema("A", { a = t.string })', "while the application loads")
  end)
end)

-- sentence, code
local fine = {
  { "a default in code points", 't.string{ max = 3, default = "äöü" }' },
  { "a length of exactly one", "t.string{ min = 1, max = 1 }" },
  { "a range of one number", "t.number{ min = 1, max = 1, default = 1 }" },
  { "a decimal multiple", "t.number{ multiple_of = 0.1, default = 0.3 }" },
  { "negative 64-bit bounds", 't.int64{ min = "-10", max = "-9", default = "-9" }' },
  { "nested defaults that fit",
    't.object({ a = t.array(t.integer), b = t.any{ default = 1 } }, { default = { a = { 1 } } })' },
  { "null among the variants", "t.union{ t.const(null), t.string, default = null }" },
  { "null in anything", "t.any{ default = { a = null } }" },
  { "null of a nullable item", "t.array(t.nullable(t.string), { default = { null } })" },
  { "a map by default", "t.map(t.integer, { default = { a = 1 } })" },
  { "an empty object", "t.object{}" },
}

describe("a schema that is right", function()
  before_each(fresh)

  for _, case in ipairs(fine) do
    it("is accepted: " .. case[1], function()
      assert.is_true((barq "barq.schema.node".is(run("return " .. case[2]))))
    end)
  end
end)
