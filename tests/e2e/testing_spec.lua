-- `barq-server test`, and barq.testing as the specs of an application use it.
local server = require "support.server"

-- What the specs below are about.
local service = [[
local barq = require "barq"
local t = barq.t
local store = require "store"

local current_user = barq.depends{
  headers = { authorization = t.string },
  depends = { db = store.database },
  open = function(req, deps) return deps.db.name .. " " .. req.headers.authorization end,
}
barq.get("/me", { depends = { user = current_user } }, function(_, deps)
  barq.sleep(0.001)
  return deps.user
end)
barq.get("/db", { depends = { db = store.database } }, function(_, deps) return deps.db.name end)
barq.get("/closed", { depends = { n = store.counting } }, function() return {} end)
barq.get("/other", { depends = { user = function() return "other" end } },
  function(_, deps) return deps.user end)
barq.any("/echo", function(req)
  local headers = {}
  for _, name in ipairs{ "x-one", "x-all", "content-type", "cookie" } do
    headers[name] = req.headers[name]
  end
  return { method = req.method, query = req:query_all "q", headers = headers, body = req.body }
end)
barq.get("/cookies", function()
  return barq.response{ status = 200, body = "", headers = {
    ["set-cookie"] = { "a=1; Path=/", "b=2; HttpOnly" } } }
end)
barq.get("/boom", function() local function deep() error "kaboom" end deep() end)
barq.get("/slow", function() barq.sleep(60) end)
barq.get("/lazy", function() return require("store").database == store.database end)
accidental = "global"
]]

local store = [[
local barq = require "barq"
local store = { closed = 0 }
store.database = barq.depends{
  scope = "worker", open = function() return { name = "real" } end,
}
store.counting = barq.depends{
  open = function() return 1 end, close = function() store.closed = store.closed + 1 end,
}
return store
]]

local head = [[
local testing = require "barq.testing"
local client = testing.client("service.lua", { timeout = 2 })
]]

describe("barq-server test", function()
  after_each(server.cleanup)

  -- The outcome of specs about the service; the lines of the counts come first.
  local function run(specs, options)
    local all = {
      app = specs, files = { ["service.lua"] = service, ["store.lua"] = store }, command = "test",
      expect_failure = true,
    }
    for key, value in pairs(options or {}) do all[key] = value end
    local s = server.start(all)
    s:expect_no_report()
    return s, s:output()
  end

  -- Statements that must hold, as the body of one spec.
  local function holds(statements)
    local s, output = run(head .. 'it("holds", function()\n' .. statements .. "\nend)")
    assert.equal(0, s.code, output .. s:log())
    assert.truthy(output:find("1 success / 0 failures / 0 errors", 1, true), output)
  end

  for name, count in pairs { hello = 1, items = 4, bench = 6 } do
    it("passes the specs of apps/" .. name, function()
      local s, output = run(nil, { file = "apps/" .. name })
      assert.equal(0, s.code, output .. s:log())
      assert.truthy(output:find(count .. " success", 1, true), output)
    end)
  end

  it("passes the example of the guide", function()
    local file = assert(io.open("docs/testing.md"))
    local blocks = {}
    for name, text in file:read("*a"):gmatch("```lua\n%-%- (%S+)\n(.-)\n```") do
      blocks[name] = text
    end
    file:close()
    local specs = blocks["orders_spec.lua"]:gsub('"app.lua"', '"service.lua"')
    local s, output = run(specs, {
      files = { ["service.lua"] = blocks["app.lua"] },
    })
    assert.equal(0, s.code, output .. s:log())
    assert.truthy(output:find("3 successes / 0 failures / 0 errors", 1, true), output)
  end)

  it("fails with a failing spec, and tells where", function()
    local s, output = run(head .. [[
it("is wrong", function() assert.equal(404, client:get("/db").status) end)
it("is right", function() assert.equal(200, client:get("/db").status) end)]])
    assert.equal(1, s.code)
    assert.truthy(output:find("1 success / 1 failure / 0 errors", 1, true), output)
    assert.truthy(output:find("app.lua:3", 1, true), output)
  end)

  it("fails with a spec that does not load", function()
    local s, output = run("it(")
    assert.equal(1, s.code)
    assert.truthy(output:find("app.lua:1", 1, true), output .. s:log())
  end)

  it("says when there are no specs", function()
    local s = run(nil, { file = "nowhere" })
    assert.equal(1, s.code)
    assert.truthy(s:log():find('there are no specs at ".*/nowhere"\n$'), s:log())
  end)

  it("says when busted is missing", function()
    local s = run("", { env = { LUA_PATH = "/nowhere/?.lua" } })
    assert.equal(1, s.code)
    assert.truthy(s:log():find("busted is missing", 1, true), s:log())
  end)

  it("is needed: elsewhere there is no barq.testing", function()
    local s = server.start { app = 'require "barq.testing"', expect_failure = true }
    assert.equal(1, s.code)
    assert.truthy(s:log():find('run them by "barq-server test"', 1, true), s:log())
  end)

  it("sends what a spec describes", function()
    holds [[
      local one = client:post("/echo?q=0", {
        query = { q = { "a b", "c&d" } }, headers = { ["X-One"] = 1, ["x-all"] = { "a", "b" } },
        cookies = { session = "s" }, json = { list = {}, t = true },
      }).json
      assert.same({ "0", "a b", "c&d" }, one.query)
      assert.same({ ["x-one"] = "1", ["x-all"] = "a, b", cookie = "session=s",
        ["content-type"] = "application/json" }, one.headers)
      assert.equal('POST', one.method)
      assert.truthy(one.body:find('"list":[]', 1, true) and one.body:find('"t":true', 1, true))
      local form = client:put("/echo", { form = { a = "1 2", b = "ä" } }).json
      assert.equal("a=1%202&b=%C3%A4", form.body)
      assert.equal("application/x-www-form-urlencoded", form.headers["content-type"])
      local raw = client:request("PATCH", "/echo", { body = "raw" }).json
      assert.equal("raw", raw.body)
      assert.is_nil(raw.headers["content-type"])]]
  end)

  it("reads answers of every form", function()
    holds [[
      local answer = client:get("/cookies")
      assert.same({ a = "1", b = "2" }, answer.cookies)
      assert.same({ "a=1; Path=/", "b=2; HttpOnly" }, answer:header_all("Set-Cookie"))
      assert.equal("", answer.body)
      assert.is_false((pcall(function() return answer.json end)))
      local head = client:head("/db")
      assert.equal(200, head.status)
      assert.equal("4", head.headers["content-length"])
      assert.equal("", head.body)
      assert.equal(405, client:post("/db").status)
      assert.equal("GET, HEAD, OPTIONS", client:options("/db").headers.allow)
      assert.equal(404, client:get("/none").status)]]
  end)

  it("blames the spec for what is no request", function()
    holds [[
      local function refused(text, ...)
        local ok, err = pcall(client.get, client, ...)
        assert.is_false(ok)
        assert.truthy(err:find(text, 1, true), err)
      end
      refused('unknown option "jsno"', "/", { jsno = {} })
      refused("exclude each other", "/", { json = {}, body = "" })
      refused("line break", "/", { headers = { a = "b\r\nc: d" } })
      refused('a path begins with "/"', "db")
      refused("has no JSON form", "/", { json = print })]]
  end)

  it("gives a handler's traceback", function()
    holds [[
      local answer = client:get("/boom")
      assert.equal(500, answer.status)
      assert.truthy(answer.error:find("service.lua:%d+: kaboom"))
      assert.truthy(answer.error:find("in function 'deep'", 1, true))
      assert.is_nil(client:get("/db").error)]]
  end)

  it("gives up on an answer that does not come", function()
    holds [[
      local hasty = testing.client("service.lua", { timeout = 0.05 })
      local ok, err = pcall(hasty.get, hasty, "/slow")
      assert.is_false(ok)
      assert.truthy(err:find("GET /slow: no answer in time", 1, true), err)
      assert.equal("real", hasty:get("/db").text)
      hasty:close()]]
  end)

  it("replaces providers by what a spec gives, and what they need with them", function()
    holds [[
      assert.equal(422, client:get("/me").status)
      assert.equal("real X", client:get("/me", { headers = { Authorization = "X" } }).text)
      local mine = { name = "mine" }
      client:override("db", mine)
      assert.equal("mine X", client:get("/me", { headers = { authorization = "X" } }).text)
      client:override(client:require("store").database, function() return { name = "made" } end)
      assert.equal("made", client:get("/db").text)
      client:override("db", nil)
      assert.equal("real", client:get("/db").text)]]
  end)

  it("replaces what routes demand of a request", function()
    holds [[
      local ok, err = pcall(client.override, client, "user", "me")
      assert.is_false(ok)
      assert.truthy(err:find('"user" means several providers', 1, true), err)
      ok, err = pcall(client.override, client, "bd", "me")
      assert.is_false(ok)
      assert.truthy(err:find('did you mean "db"', 1, true), err)

      local state = client:require "barq.state"
      for provider in pairs(state.providers.user) do
        client:override(provider, function(req) return "you at " .. req.path end)
      end
      assert.equal("you at /me", client:get("/me").text)]]
  end)

  it("closes what a provider of the spec opened", function()
    holds [[
      local closed = 0
      client:override("n", client:provider{
        open = function() return 2 end, close = function() closed = closed + 1 end,
      })
      client:get("/closed")
      assert.equal(1, closed)
      assert.equal(0, client:require("store").closed)
      client:override("n", nil)
      client:get("/closed")
      assert.equal(1, closed)
      assert.equal(1, client:require("store").closed)]]
  end)

  it("keeps the old ones where a replacement does not fit", function()
    holds [[
      local late = client:provider{ depends = { db = client:require("store").database },
        open = function(_, deps) return { name = deps.db.name } end }
      local ok, err = pcall(client.override, client, "db", late)
      assert.is_false(ok)
      assert.truthy(err:find("cycle", 1, true), err)
      assert.equal("real", client:get("/db").text)]]
  end)

  it("runs code inside the application, which may wait", function()
    holds [[
      local barq, store = client:require "barq", client:require "store"
      local a, b = client:run(function(x)
        barq.sleep(0.001)
        return barq.with({ db = store.database }, function(deps) return deps.db.name end), x
      end, 7)
      assert.equal("real", a)
      assert.equal(7, b)
      local many = {}
      for i = 1, 7000 do many[i] = i end
      assert.equal(7000, select("#", client:run(unpack, many)))
      local ok, err = pcall(client.run, client, function() error "inner" end)
      assert.is_false(ok)
      assert.truthy(err:find("inner.-traceback"), err)]]
  end)

  it("is the spec's, also in its coroutines, and not the application's", function()
    holds [[
      local text = coroutine.wrap(function()
        local inner = testing.client "service.lua"
        local text = inner:get("/db").text
        inner:override("db", { name = "inner" })
        text = text .. inner:get("/db").text
        inner:close()
        return text
      end)()
      assert.equal("realinner", text)
      for _, use in ipairs {
        function() return client:get "/db" end, function() client:close() end,
        function() return testing.client "service.lua" end,
      } do
        local asking = testing.client "service.lua"
        asking:override("db", use)
        local answer = asking:get "/db"
        assert.equal(500, answer.status)
        assert.truthy(answer.error:find("the application under test cannot use it", 1, true))
        asking:close()
      end]]
  end)

  it("keeps applications apart from each other and from the spec", function()
    holds [[
      local other = testing.client "service.lua"
      assert.are_not_equal(client:require "store", other:require "store")
      assert.equal("true", client:get("/lazy").text)
      assert.equal("true", other:get("/lazy").text)
      other:override("db", { name = "theirs" })
      assert.equal("real", client:get("/db").text)
      other:close()
      other:close()
      assert.is_nil(rawget(_G, "accidental"))
      local ok, err = pcall(other.get, other, "/db")
      assert.truthy(not ok and err:find("the client is closed", 1, true), err)
      ok, err = pcall(require, "barq")
      assert.truthy(not ok and err:find('client:require("barq")', 1, true), err)
      assert.equal("true", client:get("/lazy").text)]]
  end)

  it("tells why an application does not load", function()
    local s = run([[
local testing = require "barq.testing"
it("holds", function()
  local function refused(text, ...)
    local ok, err = pcall(testing.client, ...)
    assert.is_false(ok)
    assert.truthy(err:find(text, 1, true), err)
  end
  refused("broken.lua:1: mistaken", "broken.lua")
  refused('there is no "absent.lua"', "absent.lua")
  refused('option "confg" is unknown', "service.lua", { confg = {} })
  refused('"body_maxx"', "service.lua", { config = { body_maxx = 1 } })
  refused("body_max", "service.lua", { config = { body_max = true } })
end)]], { files = {
      ["service.lua"] = service, ["store.lua"] = store, ["broken.lua"] = 'error "mistaken"',
    } })
    assert.equal(0, s.code, s:output())
  end)

  it("survives the collector at any moment", function()
    holds [[
      client:close()
      for round = 1, 12 do
        local one, two = testing.client "service.lua", testing.client "service.lua"
        collectgarbage "step"
        assert.equal("real", one:get("/db").text)
        two:override("db", { name = tostring(round) })
        collectgarbage()
        assert.equal(tostring(round), two:get("/db").text)
        one:close()
        assert.equal(tostring(round), two:get("/db").text)
        two:close()
      end]]
  end)
end)
