-- Results of queries that go from the rows straight into the answer, and those that do not: the
-- application sees no difference.
local cjson = require "cjson"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  local t = barq.t

  local function database(options)
    return barq.depends {
      scope = "worker",
      open = function()
        local db = barq.sqlite.open(":memory:", options)
        db:exec [=[
          create table users (id integer primary key, name text, score real, note text);
          insert into users values (1, 'ann', 1.5, null), (2, 'b"ob', 2, 'x'), (3, 'ü', -0.25, '')
        ]=]
        return db
      end,
      close = function(db) db:close() end,
    }
  end

  local statements = {
    plain = "select * from users order by id",
    none = "select * from users where id > 9",
    one = "select * from users where id = 2",
    order = "select note, id, name from users order by id desc",
    expressions = "select 1 as a, 1.0 as b, 'x' as c, null as d, 1e300 as e, -9e15 as f",
    big = "select 9223372036854775807 as id, 'x' as name",
    blob = "select x'616263' as name, 1 as id",
    bytes = "select cast(x'ff' as text) as name, 1 as id",
    twice = "select 1 as id, 2 as id, 'x' as name",
    nothing = "select null as id",
    infinite = "select 9e999 as id, 'x' as name",
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000)"
      .. " select max(i) as id, 'x' as name from n",
    insert = "insert into users (name) values ('new') returning id, name",
    wrong = "selec 1",
    many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)"
      .. " select i as id, 'name ' || i as name from n",
  }

  local User = barq.schema("User", {
    name = t.optional(t.string), id = t.integer, note = t.optional(t.string),
    score = t.nullable(t.number),
  })
  local Loose = t.array(t.object { id = t.any, name = t.nullable(t.any) })
  local Int64 = t.array(t.object { id = t.int64 })
  local Default = t.array(t.object { id = t.integer, note = t.string { default = "-" } })
  local Keep = t.array(t.object({ id = t.integer }, { extra = "keep" }))
  local schemas = { [""] = false, user = t.array(User), loose = Loose, int64 = Int64,
    default = Default, keep = Keep, map = t.array(t.map(t.any)), any = t.any }

  for kind, options in pairs { absent = {}, nulls = { nulls = true } } do
    local deps = { db = database(options) }
    for name, schema in pairs(schemas) do
      local spec = { depends = deps, returns = schema or nil }
      barq.get("/" .. kind .. "/direct/" .. name, spec, function(req, d)
        return d.db:query(statements[req.query.q])
      end)
      barq.get("/" .. kind .. "/tables/" .. name, spec, function(req, d)
        local rows = d.db:query(statements[req.query.q])
        return rows
      end)
    end
    local spec = { depends = deps, returns = User }
    barq.get("/" .. kind .. "/one/direct", spec, function(req, d)
      return d.db:one(statements[req.query.q])
    end)
    barq.get("/" .. kind .. "/one/tables", spec, function(req, d)
      local row = d.db:one(statements[req.query.q])
      return row
    end)
  end

  local db = { db = database() }
  local count = statements.plain

  -- Tail calls, but somebody looks at what they give.
  local function query(d) return d.db:query(count) end
  barq.get("/spawned", { depends = db }, function(_, d) return { #barq.spawn(query, d):wait() } end)
  barq.get("/all", { depends = db }, function(_, d)
    local a, b = barq.all(function() return query(d) end, function() return query(d) end)
    return { #a, #b }
  end)
  barq.get("/wrapped", { depends = db }, function(_, d)
    return { #coroutine.wrap(function() return query(d) end)() }
  end)
  barq.get("/pcalled", { depends = db }, function(_, d)
    return select(2, pcall(query, d))
  end)
  barq.get("/protected", { depends = db }, function(_, d) return pcall(d.db.query, d.db, count) end)
  barq.get("/provided", {
    depends = { rows = barq.depends { depends = db, open = function(_, d) return query(d) end } },
  }, function(_, d) return { #d.rows } end)
  barq.get("/through", { depends = db }, function(_, d) return query(d) end)
  barq.get("/status", { depends = db }, function(_, d) return d.db:query(count), 202 end)
  barq.get("/created", { depends = db, status = 201 }, function(_, d) return query(d) end)
  barq.get("/meta", { depends = db }, function(_, d)
    local lazy = setmetatable({}, { __index = function() return query(d) end })
    return { #lazy.x }
  end)
  barq.get("/tx", { depends = db }, function(_, d)
    return d.db:tx(function() return query(d) end)
  end)
  barq.get("/within", { depends = {
    tx = barq.depends { depends = db, open = function(_, d) return d.db:begin() end,
      close = function(tx) tx:rollback() end },
  } }, function(_, d)
    return d.tx:query("insert into users (name) values ('no') returning name")
  end)

  local wrapped = barq.group("/wrapped-by", { middleware = { function(req, next)
    local res = next(req)
    res.headers["x-body"] = #tostring(res.body)
    return res
  end } })
  wrapped.get("/any", { depends = db }, function(_, d) return query(d) end)
  wrapped.get("/declared", { depends = db, returns = t.array(User) },
    function(_, d) return query(d) end)
]]

describe("a query's result that is the handler's", function()
  local s

  setup(function() s = server.start { app = app } end)
  teardown(server.cleanup)

  local statements = { "plain", "none", "order", "expressions", "big", "blob", "bytes", "twice",
    "nothing", "infinite", "slow", "wrong", "many" }

  local function get(target) return http.get(s.port, target) end

  for _, kind in ipairs { "absent", "nulls" } do
    for _, schema in ipairs { "", "user", "loose", "int64", "default", "keep", "map", "any" } do
      it(("is what its tables would be (%s, %s)"):format(kind, schema), function()
        for _, statement in ipairs(statements) do
          local path = ("/%s/%%s/%s?q=%s"):format(kind, schema, statement)
          local direct, tables = get(path:format("direct")), get(path:format("tables"))
          assert.equal(tables.status, direct.status, path)
          assert.equal(tables.headers["content-type"], direct.headers["content-type"])
          assert.same(cjson.decode(tables.body), cjson.decode(direct.body), path)
          local ordered = schema ~= "" and schema ~= "keep" and schema ~= "map" and schema ~= "any"
          if ordered then assert.equal(tables.body, direct.body, path) end
        end
      end)
    end

    it(("is what its table would be, where it is one row (%s)"):format(kind), function()
      for _, statement in ipairs(statements) do
        local path = ("/%s/one/%%s?q=%s"):format(kind, statement)
        local direct, tables = get(path:format("direct")), get(path:format("tables"))
        assert.equal(tables.status, direct.status, path)
        assert.equal(tables.body, direct.body, path)
      end
    end)
  end

  it("is a table wherever somebody looks at it", function()
    assert.equal("[3]", get("/spawned").body)
    assert.equal("[3,3]", get("/all").body)
    assert.equal("[3]", get("/wrapped").body)
    assert.equal(3, #get("/pcalled"):json())
    assert.equal(500, get("/protected").status) -- true, rows: rows are no status
    assert.equal("[3]", get("/provided").body)
    assert.equal("[3]", get("/meta").body)
    assert.equal(3, #get("/tx"):json())
  end)

  it("has the status that is said", function()
    assert.equal(200, get("/through").status)
    assert.equal(202, get("/status").status)
    assert.equal(201, get("/created").status)
    assert.equal(3, #get("/created"):json())
  end)

  it("goes through middleware", function()
    for _, path in ipairs { "/wrapped-by/any", "/wrapped-by/declared" } do
      local answer = get(path)
      assert.equal(3, #answer:json())
      assert.is_truthy(answer.headers["x-body"])
    end
  end)

  it("can be of a transaction that ends before the answer", function()
    assert.equal('[{"name":"no"}]', get("/within").body)
    assert.equal(3, #get("/through"):json())
  end)

  it("stays right when all of it is compiled", function()
    local first = get("/absent/direct/user?q=plain").body
    for _ = 1, 400 do
      assert.equal(first, get("/absent/direct/user?q=plain").body)
      assert.equal(first, get("/absent/tables/user?q=plain").body)
    end
  end)

  it("is of each request its own, quick and slow ones mixed", function()
    local connections = {}
    for i = 1, 20 do
      connections[i] = raw.connect(s.port)
      local q = i % 2 == 0 and "slow" or "many"
      connections[i]:send(("GET /absent/direct/loose?q=%s HTTP/1.1\r\nHost: a\r\n\r\n"):format(q))
    end
    for i, connection in ipairs(connections) do
      local rows = http.read(connection):json()
      assert.equal(i % 2 == 0 and 1 or 5000, #rows)
      connection:close()
    end
  end)
end)
