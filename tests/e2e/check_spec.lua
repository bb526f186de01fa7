-- `barq-server check` and `barq-server routes`: what they say of an application without serving it.
local cjson = require "cjson"
local server = require "support.server"

describe("barq-server check", function()
  after_each(server.cleanup)

  -- Every line that it prints, and its exit status.
  local function check(source, files)
    local s = server.start { app = source, files = files, command = "check",
      expect_failure = true }
    s:expect_no_report()
    return s:log() .. s:output(), s.code
  end

  local function finds(source, wanted, files)
    local printed, code = check(source, files)
    assert.equal(table.concat(wanted, "\n") .. ("\n%d problem%s\n"):format(#wanted,
      #wanted == 1 and "" or "s"), printed)
    assert.equal(1, code)
  end

  it("says ok where nothing is wrong", function()
    local printed, code = check [[
      local barq = require "barq"
      barq.get("/{id:int}", { depends = { now = barq.now } }, function(req) return req.params end)
      local hidden = function() return os.time(), string.format, _G.maybe, rawget(_G, "x") end
      barq.post("/", hidden)
    ]]
    assert.equal("ok\n", printed)
    assert.equal(0, code)
  end)

  it("ends a recursion through string.gsub with an error", function()
    local printed, code = check [[
      local function again() return (("a"):gsub("a", again)) end
      again()
    ]]
    assert.matches("overflow", printed)
    assert.equal(1, code)
  end)

  it("tells every mistake in declarations, not only the first", function()
    finds([[
local barq = require "barq"
local t = barq.t
local Item = barq.schema("Item", { a = t.string{ mni = 1 }, b = t.strng })
local Again = barq.schema("Item", { c = t.array(t.object{}, { min = 2, max = 1 }) })
barq.get("/a", { retruns = Item }, function() end)
barq.get("/a/{id}", { params = { id = t.integer, no = t.string } }, function() end)
local user = barq.depends{ opn = function() end }
local group = barq.group("no-slash")
group.get("/b", { depends = { user = user }, body = Again:pick{ "c" } }, function() end)
group.post("/b", { name = 7 }, function() end)
group:group("/c"):get("/d", 12)
barq.use(12)
barq.on("strat", print)
barq.gett("/e", function() end)
barq.config{ prot = 80 }
]], {
      'app.lua:3: t.string: unknown option "mni" (did you mean "min"?)',
      'app.lua:3: barq.t has no "strng" (did you mean t.string?)',
      'app.lua:4: t.array: min 2 is above max 1',
      'app.lua:4: barq.schema("Item"): the name "Item" is taken: app.lua:3 declares it',
      'app.lua:5: barq.get("/a"): unknown option "retruns" (did you mean "returns"?)',
      'app.lua:7: barq.depends: unknown option "opn" (did you mean "open"?)',
      'app.lua:8: barq.group("no-slash"): a prefix begins with "/" and does not end with it, '
        .. 'as "/users"; got "no-slash"',
      'app.lua:10: barq.post("/b"): name is a string, not a number',
      'app.lua:11: barq.get("/d"): the handler is a function(req), not a number',
      'app.lua:12: barq.use: a function(req, next) expected, got number',
      'app.lua:13: barq.on: there is no event "strat" (did you mean "start"?)',
      'app.lua:14: barq has no "gett" (did you mean "get"?)',
      'app.lua:15: unknown option "prot": did you mean "port"?',
      'app.lua:6: params: the path "/a/{id}" has no {no} (there is id)',
    })
  end)

  it("tells what only shows when everything is declared", function()
    finds([[
local barq = require "barq"
local t = barq.t
local a, b
a = barq.depends{ depends = { b = function(...) return b.open(...) end }, open = function() end }
b = barq.depends{ scope = "worker", depends = { a = a }, open = function() end }
barq.get("/1/{id}", { name = "same" }, function() end)
barq.get("/1/{name}", { name = "same" }, function() end)
barq.get("/2", { depends = { b = b } }, function() end)
barq.get("/3", { returns = t.ref("Absent") }, function() end)
barq.get("/4/{id", function() end)
barq.get("/5", { query = { q = t.string{ pattern = "(" } } }, function() end)
]], {
      'app.lua:9: t.ref("Absent"): there is no schema of that name',
      'app.lua:8: depends: a provider of the worker cannot need one of the request: '
        .. '"b" (app.lua:5) needs "a" (app.lua:4)',
      'app.lua:7: the route name "same" is taken: app.lua:6 has it',
      "app.lua:11: query: app.lua:11: the pattern '(' is not a regular expression: missing closing "
        .. "parenthesis at offset 1",
      'app.lua:7: the route GET "/1/{name}" is there already: app.lua:6 declares "/1/{id}"',
      'app.lua:10: the route\'s path "/4/{id": "/4/{id", position 4: "{" without "}" in its '
        .. "segment",
    })
  end)

  it("finds accidental globals, read or set, without running what holds them", function()
    finds([[
local barq = require "barq"
local users = require "users"
barq.get("/", function() return cuont, prinf end)
barq.post("/", function() total = (total or 0) + users.one return total end)
function helper() end
barq.get("/h", function() return helper() end)
]], {
      'app.lua:3: nothing sets the global "cuont": "_G.cuont" asks for one that may be absent',
      'app.lua:3: nothing sets the global "prinf": did you mean "print"?',
      'app.lua:4: the global "total" is set: write "local total", or "_G.total" where that is '
        .. "meant",
      'app.lua:5: the global "helper" is set: write "local helper", or "_G.helper" where that is '
        .. "meant",
      './users.lua:2: the global "one" is set: write "local one", or "_G.one" where that is meant',
    }, { ["users.lua"] = 'return { one = function()\n one = 1 end }', ["unused.lua"] = "x = 1" })
  end)

  it("leaves modules with an environment of their own alone", function()
    local printed = check('require("old").f()', {
      ["old.lua"] = 'module("old", package.seeall)\nfunction f() return g end\ng = 1',
    })
    assert.equal("ok\n", printed)
  end)

  it("goes on to what was declared before an error ended the load", function()
    finds([[
local barq = require "barq"
barq.get("/a/{x", function() retrun() end)
local db = nil
db.open()
barq.get("/never", { bdoy = 1 }, function() end)
]], {
      "app.lua:4: attempt to index local 'db' (a nil value)",
      'app.lua:2: the route\'s path "/a/{x": "/a/{x", position 4: "{" without "}" in its segment',
      'app.lua:2: nothing sets the global "retrun": "_G.retrun" asks for one that may be absent',
    })
  end)

  it("names the place of what does not compile", function()
    finds("local x = = 1", { "app.lua:1: unexpected symbol near '='" })
    finds('require "broken"', { "./broken.lua:1: unexpected symbol near '='" },
      { ["broken.lua"] = "local x = = 1" })
    finds("error { code = 7 }", { "an error object that is a table" })
  end)

  it("tells the same mistake once", function()
    finds([[
local barq = require "barq"
for i = 1, 3 do barq.get("/" .. i, { tgas = 1 }, 12) barq.on("strat", print) end
]], {
      'app.lua:2: barq.get("/1"): the handler is a function(req), not a number',
      'app.lua:2: barq.on: there is no event "strat" (did you mean "start"?)',
      'app.lua:2: barq.get("/2"): the handler is a function(req), not a number',
      'app.lua:2: barq.get("/3"): the handler is a function(req), not a number',
    })
  end)
end)

describe("barq-server routes", function()
  after_each(server.cleanup)

  local app = [[
local barq = require "barq"
local function user() end
local db = barq.depends{ scope = "worker", open = function() return {} end }
local api = barq.group("/api", { depends = { db = db } })
api.get("/größe", { name = "size", depends = { user = user, function() end } }, function() end)
api.delete("/{id}", function() end)
]]

  local function routes(...)
    local s = server.start { app = app, command = "routes", args = { "--docs=false", ... },
      expect_failure = true }
    s:expect_no_report()
    assert.equal(0, s.code, s:log())
    return s:output()
  end

  it("prints aligned columns", function()
    assert.equal([[
METHOD  PATH        NAME  DEPENDS                PLACE
GET     /api/größe  size  db, (app.lua:5), user  app.lua:5
DELETE  /api/{id}   -     db                     app.lua:6
]], routes())
  end)

  it("prints JSON, a route in each line", function()
    local text = routes("--json")
    assert.equal(4, select(2, text:gsub("\n", "")))
    local list = cjson.decode(text)
    assert.same({ method = "DELETE", path = "/api/{id}", name = cjson.null, depends = { "db" },
      file = "app.lua", line = 6 }, list[2])
    assert.same({ "db", "(app.lua:5)", "user" }, list[1].depends)
  end)
end)
