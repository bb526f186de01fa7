-- barq.sqlite in a server: what is acknowledged is kept, and nobody waits for another's query.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local APP = [[
local barq = require "barq"
local t = barq.t

local database = barq.depends {
  scope = "worker",
  open = function()
    local db = barq.sqlite.open("test.db")
    barq.sqlite.migrate(db, {
      "create table items (id integer primary key, name text not null unique)",
      function(tx) tx:exec("create table counter (n integer); insert into counter values (0)") end,
      "create table child (item integer references items (id) deferrable initially deferred)",
    })
    return db
  end,
  close = function(db) db:close() end,
}

local transaction = barq.depends {
  depends = { db = database },
  open = function(_, deps) return deps.db:begin() end,
  close = function(tx, err) if err then tx:rollback() else tx:commit() end end,
}

local app = barq.group("", { depends = { db = database } })

app.get("/items", { returns = t.array(t.object { id = t.integer, name = t.string }) },
  function(_, deps) return deps.db:query("select * from items order by id") end)

app.post("/items/{name}", { status = 201 }, function(req, deps)
  return deps.db:one("insert into items (name) values (?) returning *", req.params.name)
end)

app.post("/count", function(_, deps)
  deps.db:tx(function(tx)
    local n = tx:one("select n from counter").n
    tx:exec("update counter set n = ?", n + 1)
  end)
end)

app.get("/count", function(_, deps) return deps.db:one("select n from counter") end)

app.get("/quick", function(_, deps) return deps.db:one("select 1 as one") end)

app.get("/slow/{n:int}", function(req, deps)
  return deps.db:one("with recursive c(n) as (select 1 union all select n + 1 from c where n < ?) "
    .. "select count(*) as n from c", req.params.n)
end)

app.post("/half/{name}", function(req, deps)
  deps.db:tx(function()
    deps.db:exec("insert into items (name) values (?)", req.params.name)
    error("half way")
  end)
end)

barq.post("/dependent/{item:int}", { depends = { tx = transaction } }, function(req, deps)
  deps.tx:exec("insert into child values (?)", req.params.item)
  return { items = deps.tx:one("select count(*) as n from child").n }
end)

barq.get("/children", { depends = { db = database } }, function(_, deps)
  return deps.db:one("select count(*) as n from child")
end)

barq.on_error(barq.sqlite.Error, function(_, err)
  if err.code == "SQLITE_CONSTRAINT_UNIQUE" then return { detail = "it is there" }, 409 end
  barq.log.error(tostring(err))
  return { detail = "database" }, 500
end)
]]

describe("an application with a database", function()
  local s

  before_each(function() s = server.start { app = APP, args = { "--workers=2" } } end)
  after_each(server.cleanup)

  local function post(path) return http.request(s.port, "POST", path) end

  it("keeps rows, which all workers see", function()
    assert.equal("[]", http.get(s.port, "/items").body)
    assert.same({ id = 1, name = "a" }, post("/items/a"):json())
    for _ = 1, 20 do
      assert.equal('[{"id":1,"name":"a"}]', http.get(s.port, "/items").body)
    end
  end)

  it("tells the application of errors by their class and code", function()
    assert.equal(201, post("/items/a").status)
    local second = post("/items/a")
    assert.equal(409, second.status)
    assert.equal('{"detail":"it is there"}', second.body)
  end)

  it("rolls back what raises", function()
    assert.equal(500, post("/half/a").status)
    assert.equal("[]", http.get(s.port, "/items").body)
    assert.equal(201, post("/items/a").status)
  end)

  it("turns a commit that fails in a provider's close into a 500", function()
    assert.equal(500, post("/dependent/1").status)
    s:wait_for_log("SQLITE_CONSTRAINT_FOREIGNKEY: FOREIGN KEY constraint failed %(in: (commit)%)")
    assert.equal('{"n":0}', http.get(s.port, "/children").body)
    post("/items/a")
    assert.equal('{"items":1}', post("/dependent/1").body)
    assert.equal('{"n":1}', http.get(s.port, "/children").body)
  end)

  it("loses no update of concurrent transactions", function()
    local connections = {}
    for i = 1, 16 do
      connections[i] = raw.connect(s.port)
      connections[i]:send(("POST /count HTTP/1.1\r\nHost: x\r\n\r\n"):rep(10))
    end
    for i = 1, 16 do
      for _ = 1, 10 do assert.equal(204, http.read(connections[i], { timeout = 30 }).status) end
    end
    assert.same({ n = 160 }, http.get(s.port, "/count"):json())
  end)

  it("answers others while a query takes its time", function()
    local slow = {}
    for i = 1, 3 do
      slow[i] = raw.connect(s.port)
      slow[i]:send("GET /slow/2000000 HTTP/1.1\r\nHost: x\r\n\r\n")
    end
    local began = clock.now()
    for _ = 1, 50 do assert.equal('{"one":1}', http.get(s.port, "/quick").body) end
    assert.equal(201, post("/items/a").status)
    local took = clock.now() - began
    local took_slow
    for i = 1, 3 do
      assert.same({ n = 2000000 }, http.read(slow[i], { timeout = 60 }):json())
      took_slow = clock.now() - began
    end
    assert.is_true(took < took_slow, ("%g s, and the slow ones %g s"):format(took, took_slow))
  end)

  it("ends while a query runs that would never end", function()
    local slow = raw.connect(s.port)
    slow:send("GET /slow/1000000000 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.equal('{"one":1}', http.get(s.port, "/quick").body)
    s:signal("TERM")
    s:wait_for_log("(stopping)")
    s:signal("TERM")
    assert.equal(143, s:wait(20)) -- a second signal ends it at once, with the query
    s:expect_no_report()
  end)

  it("has every acknowledged item after kill -9 in the middle of writes", function()
    local acknowledged = {}
    local connections = {}
    for i = 1, 4 do
      connections[i] = raw.connect(s.port)
      for n = 1, 200 do
        connections[i]:send(("POST /items/c%d-%d HTTP/1.1\r\nHost: x\r\n\r\n"):format(i, n))
      end
    end
    for i = 1, 4 do
      for _ = 1, 10 * i do
        local answer = http.read(connections[i], { timeout = 30 })
        assert.equal(201, answer.status)
        acknowledged[#acknowledged + 1] = answer:json()
      end
    end
    s:signal("KILL")
    s:wait()
    -- A new process on the same file.
    local again = server.start { app = (APP:gsub("test%.db", s.directory .. "/test.db")) }
    local there = {}
    for _, item in ipairs(http.get(again.port, "/items"):json()) do there[item.id] = item.name end
    for _, item in ipairs(acknowledged) do assert.equal(item.name, there[item.id]) end
    again:stop()
  end)
end)

describe("a statement whose time is over", function()
  after_each(server.cleanup)

  it("is ended, with the transaction it is in", function()
    local s = server.start { app = [[
      local barq = require "barq"
      local SLOW = "with recursive c(n) as (select 1 union all select n + 1 from c where "
        .. "n < 1000000000) select count(*) as n from c"
      local database = barq.depends {
        scope = "worker",
        open = function()
          local db = barq.sqlite.open("test.db")
          db:exec("create table a (v)")
          return db
        end,
        close = function(db) db:close() end,
      }
      barq.get("/", { depends = { db = database } }, function(_, deps)
        local db, out = deps.db, barq.array {}
        local function try(fn)
          local ok, err = pcall(barq.with_timeout, 0.05, fn)
          assert(not ok and tostring(err):find("timeout", 1, true), tostring(err))
          out[#out + 1] = db:one("select count(*) as n from a").n
        end
        try(function() db:one(SLOW) end)
        try(function()
          db:tx(function() db:exec("insert into a values (1)") db:one(SLOW) end)
        end)
        try(function()
          db:tx(function() db:exec("insert into a values (1)") barq.sleep(9) end)
        end)
        db:exec("insert into a values (2)")
        out[#out + 1] = coroutine.wrap(function()
          return db:one("update a set v = 3 returning v").v
        end)()
        return out
      end)]] }
    assert.equal("[0,0,0,3]", http.get(s.port, "/").body)
  end)

  it("ends a transaction within another alone where it sleeps", function()
    local s = server.start { app = [[
      local barq = require "barq"
      local database = barq.depends {
        scope = "worker",
        open = function()
          local db = barq.sqlite.open("test.db")
          db:exec("create table a (v)")
          return db
        end,
        close = function(db) db:close() end,
      }
      barq.get("/", { depends = { db = database } }, function(_, deps)
        local db = deps.db
        db:tx(function()
          db:exec("insert into a values ('outer')")
          pcall(barq.with_timeout, 0.02, db.tx, db, function()
            db:exec("insert into a values ('inner')")
            barq.sleep(9)
          end)
          db:exec("insert into a values ('after')")
        end)
        return db:query("select v from a")
      end)]] }
    assert.equal('[{"v":"outer"},{"v":"after"}]', http.get(s.port, "/").body)
  end)

  it("keeps what a transaction within another has done when its time is over at its end", function()
    local s = server.start { app = [[
      local barq = require "barq"
      local database = barq.depends {
        scope = "worker",
        open = function()
          local db = barq.sqlite.open("test.db")
          db:exec("create table a (v)")
          return db
        end,
        close = function(db) db:close() end,
      }
      barq.get("/", { depends = { db = database } }, function(_, deps)
        local db = deps.db
        return db:tx(function()
          return (barq.with_timeout(0.02, db.tx, db, function()
            db:exec("insert into a values (1)")
            pcall(barq.sleep, 9)
            return "whole"
          end))
        end) .. db:one("select count(*) as n from a").n
      end)]] }
    assert.equal("whole1", http.get(s.port, "/").body)
  end)
end)

describe("what would wait for the transaction around it is refused at once:", function()
  local s

  setup(function()
    s = server.start { app = [[
      local barq = require "barq"
      local database = barq.depends {
        scope = "worker",
        open = function()
          local db = barq.sqlite.open("test.db")
          db:exec("create table if not exists a (v)")
          db:exec("delete from a")
          return db
        end,
        close = function(db) db:close() end,
      }
      local memory = barq.depends {
        scope = "worker",
        open = function() return barq.sqlite.open(":memory:") end,
        close = function(db) db:close() end,
      }
      local function get(path, fn)
        barq.get(path, { depends = { db = database, memory = memory } }, fn)
      end
      local function count(db) return db:one("select count(*) as n from a").n end

      -- What barq.all raises in a transaction that has written, and what is left of that.
      local function attempt(db, ...)
        local ok, err = pcall(function(...)
          local members = { ... }
          db:tx(function()
            db:exec("insert into a values (1)")
            barq.all(unpack(members))
          end)
        end, ...)
        return { ok = ok, code = not ok and err.code, message = not ok and err.message,
          where = not ok and err.where, sql = not ok and err.sql, left = count(db) }
      end

      get("/write", function(_, deps)
        local db = deps.db
        return attempt(db, function() db:exec("insert into a values (2)") end)
      end)
      get("/begin", function(_, deps)
        local db = deps.db
        return attempt(db, function() db:tx(function() end) end)
      end)
      get("/deep", function(_, deps)
        local db = deps.db
        return attempt(db, function()
          barq.all(function() db:exec("insert into a values (2)") end)
        end)
      end)
      get("/memory", function(_, deps)
        local db = deps.memory
        db:exec("create table if not exists a (v)")
        return attempt(db, function() return count(db) end)
      end)

      get("/through", function(_, deps)
        local db = deps.db
        db:tx(function(tx)
          barq.all(function() tx:exec("insert into a values (1)") end,
            function() tx:exec("insert into a values (2)") end)
        end)
        local n = count(db)
        db:exec("delete from a")
        return { n }
      end)
      get("/reading", function(_, deps)
        local db = deps.db
        return db:tx(function()
          db:exec("insert into a values (1)")
          local n = barq.all(function() return count(db) end)
          db:exec("delete from a")
          return { n }
        end)
      end)
      get("/apart", function(_, deps)
        local db = deps.db
        barq.all(
          function()
            db:tx(function() barq.sleep(0.05); db:exec("insert into a values (1)") end)
          end,
          function() barq.sleep(0.01); db:exec("insert into a values (2)") end)
        local n = count(db)
        db:exec("delete from a")
        return { n }
      end)
      get("/later", function(_, deps)
        local db = deps.db
        local task
        db:tx(function()
          task = barq.spawn(function() return db:exec("delete from a where v = 9") end)
          barq.sleep(0.02)
        end)
        return { (task:wait()) }
      end)]] }
  end)
  teardown(server.cleanup)

  local function refused(path)
    local answer = http.get(s.port, path):json()
    assert.is_false(answer.ok)
    assert.equal("SQLITE_MISUSE", answer.code)
    assert.truthy(answer.message:find("a member of barq.all would wait here for the transaction",
      1, true))
    assert.truthy(answer.where:find("app.lua:%d+"))
    assert.equal(0, answer.left)
    return answer
  end

  it("a member's statement on the database whose transaction is around it", function()
    assert.equal("insert into a values (2)", refused("/write").sql)
  end)

  it("its own transaction", function() assert.equal("begin immediate", refused("/begin").sql) end)

  it("a member's member's", function() refused("/deep") end)

  it("even a read where one connection does everything", function() refused("/memory") end)

  it("but nothing that comes to an end", function()
    assert.equal("[2]", http.get(s.port, "/through").body)
    assert.equal("[0]", http.get(s.port, "/reading").body)
    assert.equal("[2]", http.get(s.port, "/apart").body)
    assert.equal("[0]", http.get(s.port, "/later").body)
  end)
end)
