-- Providers: how they are declared, and the plan in which they are resolved.
local modules = require "modules"

local barq, depends, schema

local function fresh()
  barq = modules.fresh(modules.stand_in { null = newproxy() })
  depends, schema = barq "barq.depends", barq "barq.schema"
end

local function f() end

local function try(code)
  return modules.run_app(code, {
    t = schema.t, depends = depends.depends, flatten = depends.flatten, join = depends.join, f = f,
    check = function(value) return (depends.check(value, 'barq.get("/x")')) end,
  })
end

local function expect_error(code, ...)
  local ok, message = try(code)
  assert.is_false(ok, "no error: " .. code)
  for _, part in ipairs { ... } do
    assert.truthy(message:find(part, 1, true), ("%s\nlacks: %s"):format(message, part))
  end
end

local function provider(needs, more)
  local spec = more or {}
  spec.open, spec.depends = spec.open or function() end, needs
  return depends.depends(spec)
end

-- The providers of a plan, in order.
local function providers(plan)
  local list = {}
  for i, entry in ipairs(plan) do
    assert.equal(i, entry.slot)
    list[i] = entry.provider
  end
  return list
end

describe("a provider", function()
  before_each(fresh)

  it("has a scope and a cache by default", function()
    local p = depends.depends { open = f, description = "x" }
    assert.equal("request", p.scope)
    assert.is_true(p.cache)
    assert.equal(f, p.open)
    assert.equal("x", p.description)
    assert.same({}, p.input)
  end)

  it("keeps what is declared", function()
    local p = depends.depends { open = f, close = f, scope = "worker" }
    assert.equal(f, p.close)
    assert.equal("worker", p.scope)
    assert.is_false(depends.depends { open = f, cache = false }.cache)
  end)

  it("has input as a route has", function()
    local _, p = try "return depends{ open = f, headers = { x_token = t.string }, body = t.any }"
    assert.equal("x-token", p.input.headers.fields[1].wire)
    assert.equal("any", p.input.body.kind)
  end)

  it("remembers where it was declared", function()
    local _, p = try "\nlocal p = depends{ open = f }\nreturn p"
    assert.equal("app.lua:2", p.place)
  end)

  it("is the same for the same function", function()
    assert.equal(depends.depends(f), depends.depends(f))
    assert.is_true(depends.is(depends.depends(f)))
    assert.is_false(depends.is(f))
  end)

  it("is declared while the application loads", function()
    barq "barq.state".frozen = true
    expect_error("depends{ open = f }", "while the application loads")
  end)

  local mistakes = {
    { "an unknown option",
      "depends{ open = f, colse = f }", 'app.lua:1: barq.depends: unknown option',
      '(did you mean "close"?)' },
    { "an option of another framework",
      "depends{ open = f, teardown = f }", '(did you mean "close"?)' },
    { "no open", "depends{ close = f }", "open is missing" },
    { "an open that is no function", "depends{ open = 1 }", "open is a function, not 1" },
    { "a close that is no function", "depends{ open = f, close = {} }", "close is a function" },
    { "an unknown scope", 'depends{ open = f, scope = "app" }', 'scope is "request" or "worker"' },
    { "a cache that is no boolean", "depends{ open = f, cache = 1 }", "cache is a boolean" },
    { "a worker's provider without a cache", 'depends{ open = f, scope = "worker", cache = false }',
      "one value per worker" },
    { "input for the worker", 'depends{ open = f, scope = "worker", query = { q = t.string } }',
      "declares no query" },
    { "input that is wrong", 'depends{ open = f, query = { q = "string" } }',
      'barq.depends: query: field "q"' },
    { "text for a provider", 'depends("database")', "a function expected", '"database"' },
    { "a type for a provider", "depends(t.string)", "got t.string" },
    { "a dependency that is none", 'depends{ open = f, depends = { db = "db" } }',
      'depends["db"]: a provider', 'got "db"' },
    { "a dependency that is a bare table", "depends{ open = f, depends = { db = { open = f } } }",
      "a provider, as barq.depends{ open = … }" },
    { "a provider for the table", "depends{ open = f, depends = depends(f) }",
      "depends is a table, as { db = database }, not a provider" },
    { "a dependency with an odd name",
      "depends{ open = f, depends = { [true] = f } }", "has a name" },
    { "a route's dependency that is none",
      "check{ db = 5 }", 'barq.get("/x"): depends["db"]', "got 5" },
    { "a route's dependencies as text", 'check("db")', 'depends is a table', '"db"' },
  }
  for _, mistake in ipairs(mistakes) do
    it("is refused: " .. mistake[1], function()
      expect_error(mistake[2], unpack(mistake, 3))
    end)
  end
end)

describe("a plan", function()
  before_each(fresh)

  it("is empty without dependencies", function()
    local plan, deps = depends.flatten(nil)
    assert.same({}, plan)
    assert.same({}, deps)
  end)

  it("has providers before those that need them", function()
    local a = provider()
    local b = provider { a = a }
    local c = provider { b = b, again = a }
    local plan, deps = depends.flatten { c = c }
    assert.same({ a, b, c }, providers(plan))
    assert.same({ c = 3 }, deps)
    assert.same({}, plan[1].deps)
    assert.same({ a = 1 }, plan[2].deps)
    assert.same({ again = 1, b = 2 }, plan[3].deps)
  end)

  it("has each provider once, under as many names as it is given", function()
    local a = provider()
    local plan, deps = depends.flatten { one = a, two = a, b = provider { a = a } }
    assert.equal(2, #plan)
    assert.equal(deps.one, deps.two)
    assert.equal(plan[2].deps.a, deps.one)
  end)

  it("resolves a diamond once", function()
    local root = provider()
    local left, right = provider { root = root }, provider { root = root }
    local plan = depends.flatten { top = provider { left = left, right = right } }
    assert.equal(4, #plan)
    assert.equal(root, plan[1].provider)
  end)

  it("has a slot for each use of what is not cached, but one of what that needs", function()
    local db = provider()
    local fresh_one = provider({ db = db }, { cache = false })
    local user = provider { x = fresh_one }
    local plan, deps = depends.flatten { a = fresh_one, b = fresh_one, c = user }
    assert.equal(5, #plan)
    assert.equal(db, plan[1].provider)
    assert.is_true(deps.a ~= deps.b)
    local third = plan[deps.c].deps.x
    assert.is_true(third ~= deps.a and third ~= deps.b)
    assert.equal(1, plan[third].deps.db)
  end)

  it("resolves in the order of declaration, not of names", function()
    local early = provider()
    local late = provider()
    assert.same({ early, late }, providers((depends.flatten { a = late, z = early })))
  end)

  it("runs what has no name first, and gives it none", function()
    local named, guard, second = provider(), provider(), provider()
    local plan, deps = depends.flatten { named = named, guard, second }
    assert.same({ guard, second, named }, providers(plan))
    assert.same({ named = 3 }, deps)
  end)

  it("takes functions for providers", function()
    local plan, deps = depends.flatten { user = f, again = f }
    assert.equal(1, #plan)
    assert.equal(f, plan[1].provider.open)
    assert.same({ user = 1, again = 1 }, deps)
  end)

  it("lets a request need the worker, and the worker the worker", function()
    local pool = provider(nil, { scope = "worker" })
    local cache = provider({ pool = pool }, { scope = "worker" })
    assert.equal(3, #depends.flatten { user = provider { cache = cache } })
  end)

  it("sees what was added to a table of dependencies later", function()
    local needs = {}
    local a = provider(needs)
    needs.b = provider()
    assert.equal(2, #depends.flatten { a = a })
  end)

  it("does not grow with the number of ways", function()
    local top = provider()
    for _ = 1, 60 do top = provider { left = top, right = top } end
    assert.equal(61, #depends.flatten { top = top })
  end)

  local mistakes = {
    { "a cycle, by its path",
      "local needs = {}\nlocal a = depends{ open = f, depends = needs }\n" ..
      "needs.b = depends{ open = f, depends = { c = a } }\nflatten({ a = a }, 'app.lua:80')",
      'app.lua:80: depends: a cycle: "a" (app.lua:2) needs "b" (app.lua:3) needs "c" (app.lua:2)' },
    { "a cycle of one, below others",
      "local needs = {}\nneeds.me = depends{ open = f, depends = needs }\n" ..
      "flatten{ top = depends{ open = f, depends = needs } }",
      'a cycle: "me" (app.lua:2) needs "me" (app.lua:2)' },
    { "a cycle of what is not cached",
      "local needs = {}\nneeds.me = depends{ open = f, cache = false, depends = needs }\n" ..
      "flatten(needs)",
      "a cycle" },
    { "a worker that needs a request, by its path",
      "local user = depends{ open = f }\n" ..
      'local pool = depends{ open = f, scope = "worker", depends = { user = user } }\n' ..
      "flatten({ top = depends{ open = f, depends = { pool = pool } } }, 'app.lua:80')",
      "app.lua:80: depends: a provider of the worker cannot need one of the request: " ..
      '"top" (app.lua:3) needs "pool" (app.lua:2) needs "user" (app.lua:1)' },
    { "a worker that needs a request that was resolved before",
      'local user = depends{ open = f }\nlocal pool = depends{ open = f, scope = "worker", ' ..
      "depends = { user = user } }\nflatten{ a = user, b = pool }",
      '"b" (app.lua:2) needs "user" (app.lua:1)' },
    { "a worker that needs a function",
      'flatten{ p = depends{ open = f, scope = "worker", depends = { g = f } } }',
      "of the request" },
    { "what was added later and is no provider",
      "local needs = {}\nlocal a = depends{ open = f, depends = needs }\nneeds.b = 5\n" ..
      "flatten{ a = a }",
      'depends["b"]', "got 5" },
  }
  for _, mistake in ipairs(mistakes) do
    it("is refused: " .. mistake[1], function()
      expect_error(mistake[2], unpack(mistake, 3))
    end)
  end
end)

describe("dependencies of a group and a route", function()
  before_each(fresh)

  it("are resolved together, the group's first", function()
    local own = provider()
    local late_group = provider()
    local plan, deps = depends.flatten(depends.join({ zone = late_group }, { own = own }))
    assert.same({ late_group, own }, providers(plan))
    assert.same({ zone = 1, own = 2 }, deps)
  end)

  it("may share a name for the same provider", function()
    local db = provider()
    local plan = depends.flatten(depends.join({ db = db }, { db = db, other = f }))
    assert.equal(2, #plan)
  end)

  it("join over several levels, with what has no name", function()
    local guard, check, db = provider(), provider(), provider()
    local joined = depends.join(depends.join({ guard }, { check }), { db = db })
    assert.same({ guard, check, db }, providers((depends.flatten(joined))))
  end)

  it("may both be missing", function()
    assert.same({}, (depends.flatten(depends.join(nil, nil))))
  end)

  it("cannot hide one behind another's name", function()
    expect_error("local a = depends{ open = f }\nlocal b = depends{ open = f }\n" ..
      "join({ user = a }, { user = b }, 'app.lua:80')",
      'app.lua:80: depends: "user" is another provider (app.lua:2) than in the group around it ' ..
      "(app.lua:1)")
  end)
end)
