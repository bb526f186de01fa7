-- A property: whatever a query gives and whatever a route declares, `return db:query(…)` is
-- answered as the tables are that the same query gives to who looks at them. Same seed, same cases.
local http = require "support.http"
local server = require "support.server"

local SEED, SCHEMAS, QUERIES = 20261, 48, 30

local app = ("local SEED, SCHEMAS = %d, %d\n"):format(SEED, SCHEMAS) .. [[
  local barq = require "barq"
  local t = barq.t
  math.randomseed(SEED)

  local kinds = {
    function() return t.integer end,
    function() return t.integer { min = 5, default = 7 } end,
    function() return t.int64 end,
    function() return t.number end,
    function() return t.number { below = 3, default = 1.5 } end,
    function() return t.boolean end,
    function() return t.string end,
    function() return t.string { max = 1, pattern = "^z$", default = "z" } end,
    function() return t.bytes end,
    function() return t.datetime end,
    function() return t.uuid end,
    function() return t.enum { "ann", "", 1, default = "ann" } end,
    function() return t.const(2) end,
    function() return t.any end,
    function() return t.union { t.integer, t.string } end,
    function() return t.object { a = t.any } end,
    function() return t.array(t.any) end,
  }

  local function field()
    local node = kinds[math.random(#kinds)]()
    local wrap = math.random(4)
    if wrap == 1 then return t.nullable(node) end
    if wrap == 2 then return t.optional(node) end
    if wrap == 3 then return t.optional(t.nullable(node)) end
    return node
  end

  -- Those whose number 4 divides keep what they do not declare.
  local function object(number)
    local fields = {}
    for _, name in ipairs { "a", "b", 'c"\n', "ü", "never" } do
      if math.random(3) == 1 then fields[name] = field() end
    end
    local extras = { [0] = "keep", "ignore", "forbid", "ignore" }
    return t.object(fields, { extra = extras[number % 4] })
  end

  local function database(options)
    return barq.depends {
      scope = "worker",
      open = function() return barq.sqlite.open(":memory:", options) end,
      close = function(db) db:close() end,
    }
  end

  local function pair(path, schema, db, method)
    local spec = { depends = { db = db }, returns = schema }
    barq.post("/direct" .. path, spec, function(req, deps)
      return deps.db[method](deps.db, req.body)
    end)
    barq.post("/tables" .. path, spec, function(req, deps)
      local result = deps.db[method](deps.db, req.body)
      return result
    end)
  end

  -- Number 0 declares nothing.
  for kind, db in pairs { absent = database(), nulls = database { nulls = true } } do
    for number = 0, SCHEMAS do
      local one = number > 0 and object(number) or nil
      pair(("/%s/one/%d"):format(kind, number), one, db, "one")
      pair(("/%s/query/%d"):format(kind, number), one and t.array(one), db, "query")
    end
  end
]]

describe("a random query's result", function()
  local s

  setup(function() s = server.start { app = app } end)
  teardown(server.cleanup)

  -- Most are what rows are written for without tables; the others keep them from it.
  local plain = {
    "null", "null", "null", "0", "1", "2", "-1", "9007199254740991", "-9007199254740991", "0.0",
    "-0.0", "2.0", "0.1", "1e21", "123456789012345678.0", "1e-7", "5e-324",
    "1.7976931348623157e308", "''", "'ann'", "'z'", "'12'", "'true'", "'a\nb\t\"\\'",
    "char(0, 1, 31, 127)", "'ü€😀'", "char(0x2028)", "replace(hex(zeroblob(300)), '0', '\"x')",
    "'2026-01-02T03:04:05Z'", "'00000000-0000-4000-8000-000000000000'",
  }
  local special = {
    "9007199254740992", "-9007199254740992", "9223372036854775807", "-9223372036854775807 - 1",
    "9e999", "-9e999", "cast(x'c3' as text)", "cast(x'eda080' as text)", "x''", "x'00ff'",
    "x'616e6e'", "zeroblob(3)",
  }
  local names = { "a", "b", 'c""\n', "ü", "other", "another" }

  local function pick(list) return list[math.random(#list)] end

  local function value() return pick(math.random(12) == 1 and special or plain) end

  local function statement()
    local columns = {}
    for i = 1, math.random(5) do columns[i] = pick(names) end
    local rows = {}
    for i = 1, math.random(0, 3) do
      local cells = {}
      for j, name in ipairs(columns) do cells[j] = ('%s as "%s"'):format(value(), name) end
      rows[i] = "select " .. table.concat(cells, ", ")
    end
    if #rows > 0 then return table.concat(rows, " union all ") end
    return "select 1 as a where 0"
  end

  -- The fields of a table come in no order: equal bytes in any are as much as can be asked for.
  local function sorted(text)
    local bytes = { text:byte(1, -1) }
    table.sort(bytes)
    return table.concat(bytes, " ")
  end

  -- Whether it was answered with 200.
  local function compare(path, ordered)
    local query = statement()
    local function post(way)
      return http.request(s.port, "POST", "/" .. way .. path, { body = query })
    end
    local direct, tables = post("direct"), post("tables")
    local what = path .. ": " .. query
    assert.equal(tables.status, direct.status, what)
    assert.equal(tables.headers["content-type"], direct.headers["content-type"], what)
    if ordered then
      assert.equal(tables.body, direct.body, what)
    else
      assert.equal(sorted(tables.body), sorted(direct.body), what)
    end
    return direct.status == 200
  end

  for _, kind in ipairs { "absent", "nulls" } do
    for _, method in ipairs { "query", "one" } do
      it(("is what its tables would be (%s, %s)"):format(kind, method), function()
        math.randomseed(SEED)
        local fine, refused = 0, 0
        for number = 0, SCHEMAS do
          for _ = 1, number == 0 and 4 * QUERIES or QUERIES do
            if compare(("/%s/%s/%d"):format(kind, method, number), number % 4 ~= 0) then
              fine = fine + 1
            else
              refused = refused + 1
            end
          end
        end
        -- Both happen, or this proves little.
        assert.is_true(fine > 100 and refused > 100, fine .. " fine, " .. refused .. " refused")
      end)
    end
  end
end)
