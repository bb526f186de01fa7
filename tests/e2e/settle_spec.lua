-- What lives in a worker that serves: each cycle of Lua's collector goes through it, so what only
-- the declarations needed is gone, and nobody notices.
local http = require "support.http"
local server = require "support.server"

-- What there is after a collection.
local HELD = [[
barq.get("/held", { hidden = true }, function()
  local modules = {}
  for name in pairs(package.loaded) do
    if name:find "^barq" then modules[#modules + 1] = name end
  end
  table.sort(modules)
  for _ = 1, 8 do collectgarbage() end -- Lua halves its buffers in each
  return { kib = collectgarbage "count", modules = modules }
end)
]]

-- What requests are answered with.
local SERVING = {
  "barq", "barq.cancel", "barq.core", "barq.errors", "barq.place", "barq.response", "barq.state",
}
local KIB_MAX = 140 -- a state of LuaJIT's alone holds 45, barq with all of its modules 410

describe("an application that serves", function()
  after_each(server.cleanup)

  local function start(source, ...)
    return server.start { app = 'local barq = require "barq"\n' .. source .. HELD, args = { ... } }
  end

  local function held(s) return http.get(s.port, "/held"):json() end

  it("holds little, and none of what its declarations needed", function()
    local s = start [[
      local t = barq.t
      local Item = barq.schema("Item", { name = t.string, size = t.integer{ min = 1 } })
      local user = barq.depends{ open = function() return "ann" end }
      local items = barq.group("/items", { depends = { user = user } })
      items.post("", { body = Item, returns = Item }, function(req) return req.body end)
      barq.use(function(req, next) return next(req) end)
      barq.on_error(404, function() return { detail = "not here" }, 404 end)
      barq.get("/", function() return { message = "Hello, World!" } end)
    ]]
    assert.equal(200, http.request(s.port, "POST", "/items", {
      body = '{"name":"a","size":1}', headers = { ["content-type"] = "application/json" },
    }).status)
    local now = held(s)
    assert.same(SERVING, now.modules)
    assert.is_true(now.kib < KIB_MAX, now.kib .. " KiB")
  end)

  it("holds as little in every worker, and after a reload", function()
    local s = start("", "--workers=3")
    for _ = 1, 12 do assert.same(SERVING, held(s).modules) end
    s:signal "HUP"
    s:wait_for_log "reloaded"
    local now = held(s)
    assert.same(SERVING, now.modules)
    assert.is_true(now.kib < KIB_MAX, now.kib .. " KiB")
  end)

  it("keeps what it uses, and loads it when it does", function()
    local s = start [[
      barq.every(60, function() end)
      barq.get("/store", function() return { barq.shared("s"):incr("n") } end)
      barq.get("/beside", function() return { (barq.all(function() return 7 end)) } end)
    ]]
    assert.same({ 1 }, http.get(s.port, "/store"):json())
    assert.same({ 7 }, http.get(s.port, "/beside"):json())
    local modules = table.concat(held(s).modules, " ")
    assert.truthy(modules:find("barq.shared", 1, true))
    assert.is_nil(modules:find("barq.schema", 1, true))
    assert.is_nil(modules:find("barq.sqlite", 1, true))
    s:signal "TERM"
    assert.equal(0, s:wait(5)) -- the timer ends, too
  end)

  it("describes itself as before, once and for all", function()
    local source = [[
      --- Says hello.
      barq.get("/hello/{name}", { params = { name = barq.t.string }, name = "hello" },
        function(req) return { barq.url_for("hello", { name = req.params.name }) } end)
    ]]
    local s = start(source)
    local file = assert(io.open(s.directory .. "/app.lua", "w"))
    file:write("-- another file by now")
    file:close()
    local document = http.get(s.port, "/openapi.json").body
    assert.truthy(document:find("Says hello.", 1, true))
    assert.equal(document, http.get(s.port, "/openapi.json").body)
    assert.equal(200, http.get(s.port, "/docs").status)
    assert.same({ "/hello/ann" }, http.get(s.port, "/hello/ann"):json())
    assert.same(SERVING, held(s).modules)
    local told = server.start {
      app = 'local barq = require "barq"\n' .. source .. HELD, command = "openapi",
      args = { "--port=0" }, expect_failure = true,
    }
    assert.equal(document .. "\n", told:output())
  end)

  it("tells who asks what is wrong with its description", function()
    local s = start [[
      barq.get("/", { summary = "\255" }, function() return "here" end)
    ]]
    assert.equal("here", http.get(s.port, "/").body)
    for _ = 1, 2 do
      assert.equal(500, http.get(s.port, "/openapi.json").status)
      s:wait_for_log "UTF%-8"
    end
  end)

  it("has all of barq at hand nevertheless", function()
    local s = start [[
      local t = barq.t
      local Node = barq.schema("Node", {
        name = t.string{ min = 2 }, next = t.optional(t.ref "Node"),
      })
      local opened = 0
      local database = barq.depends{
        scope = "worker", open = function() opened = opened + 1 return { name = "db" } end,
      }
      local items = barq.group "/items"
      local function said(fn, ...)
        local ok, err = pcall(fn, ...)
        return ok and "nothing" or err
      end
      barq.get("/check", function()
        local value, errors = Node:check{ name = "ab", next = { name = "c" } }
        return { value == nil, errors[1].msg, Node:encode{ name = "ab" }, tostring(Node) }
      end)
      barq.get("/with", { depends = { db = database } }, function(_, deps)
        return barq.with({ db = database }, function(again)
          return { again.db == deps.db, opened }
        end)
      end)
      barq.get("/late", function()
        return {
          said(barq.get, "/x", function() end), said(items.post, "", function() end),
          said(Node.extend, Node, "More", { id = t.integer }),
          said(function() return barq.gett end), said(function() return t.string{ mim = 1 } end),
        }
      end)
    ]]
    for _ = 1, 2 do
      assert.same({ true, "String should have at least 2 characters", '{"name":"ab"}',
        "schema Node" }, http.get(s.port, "/check"):json())
      assert.same({ true, 1 }, http.get(s.port, "/with"):json())
      local late = http.get(s.port, "/late"):json()
      for i, pattern in ipairs {
        '^app.lua:%d+: barq.get%("/x"%): routes, middleware and settings are declared while',
        '^app.lua:%d+: barq.post%(""%): routes, middleware',
        "^app.lua:%d+: Node:extend: routes, middleware",
        '^app.lua:%d+: barq has no "gett" %(did you mean "get"%?%)$',
        '^app.lua:%d+: t.string: unknown option "mim" %(did you mean "min"%?%)$',
      } do assert.truthy(late[i]:find(pattern), late[i]) end
    end
  end)

  it("leaves the application's globals to it, whatever they are called", function()
    local s = start [[
      local loaded = package.loaded
      package, jit = { id = 7, loaded = loaded }, "just in time" -- what HELD looks at, too
      barq.get("/globals", function()
        return { package.id, jit, rawequal(loaded["barq.state"], require "barq.state") }
      end)
    ]]
    assert.same({ 7, "just in time", true }, http.get(s.port, "/globals"):json())
    assert.same(SERVING, held(s).modules)
  end)

  it("starts though a finaliser fails on the way", function()
    local s = start [[
      getmetatable(newproxy(true)).__gc = function() error("cannot close", 0) end
    ]]
    s:wait_for_log "a finaliser failed: cannot close"
    assert.same(SERVING, held(s).modules)
  end)
end)
