-- The plugin for the Lua language server, by what it makes the server read.
local function plugin()
  local environment = setmetatable({}, { __index = _G })
  setfenv(assert(loadfile "lua/meta/plugin.lua"), environment)()
  return environment.OnSetText
end

local function applied(text, diffs)
  local read = {}
  local at = 1
  for _, diff in ipairs(diffs or {}) do
    read[#read + 1] = text:sub(at, diff.start - 1) .. diff.text
    at = diff.finish + 1
  end
  return table.concat(read) .. text:sub(at)
end

local app = [==[
local barq = require "barq"
local t = barq.t
local Item = barq.schema("Item", {
  name = t.string { min = 1, pattern = "^[^,}]+$" }, -- a comment, with a comma
  price = t.number,
  tags = t.optional(t.array(t.string, { max = 3 })),
  unit = t.enum { "kg", "m" }, --[[ long } ]] note = t.string { pattern = [=[}]=] },
  odd = t.enum { "a,b" },
  size = t.object { w = t.integer, h = t.nullable(t.integer) },
  parent = t.ref("Item"),
})
local StoredItem = Item:extend("StoredItem", { id = t.integer, of = t.map(Item) })
local Patch = Item:partial("ItemPatch")
barq.post("/items/{id}", {
  params = { id = t.integer },
  body = Item,
}, function(req, deps) return req.body.name end)
local group = barq.group("/g")
group.patch("/x", { body = Patch, query = { q = t.string { default = "" } } }, function(r) end)
barq.get("/", function(req) return req.path end)
barq.get("/plain", { name = "plain" }, function(req) return req.path end)
]==]

describe("the plugin for the Lua language server", function()
  local read = applied(app, plugin()("file:///home/ann/shop/app.lua", app))

  local function has(line)
    assert.truthy(("\n" .. read):find("\n" .. line .. "\n", 1, true),
      line .. "\nis not in\n" .. read)
  end

  it("writes a class for each schema", function()
    has [[
---@class barq.schemas.Item
---@field name string
---@field price number
---@field tags? (string)[]
---@field unit "kg"|"m"
---@field note string
---@field odd string
---@field size { w: integer, h: integer|lightuserdata }
---@field parent barq.schemas.Item
]]
    has [[
---@class barq.schemas.StoredItem: barq.schemas.Item
---@field id integer
---@field of table<string, barq.schemas.Item>
]]
  end)

  it("writes a class for the request of each handler with declared input", function()
    has [[
---@class barq.Request.shop_app_1: barq.Request
---@field body barq.schemas.Item
---@field params { id: integer }
]]
    has [[
---@param req barq.Request.shop_app_1
function(req, deps) return req.body.name end)]]
    has [[
---@class barq.Request.shop_app_2: barq.Request
---@field body barq.schemas.Item
---@field query { q: string }
]]
    has [[
---@param r barq.Request.shop_app_2
function(r) end)]]
    assert.is_nil(read:find("app_3", 1, true))
  end)

  it("changes no line of the program", function()
    assert.truthy(loadstring(read))
    local code = read:gsub("\n%-%-%-@param[^\n]*\n", ""):gsub("%-%-%-@[^\n]*\n+", "")
    assert.equal(app, code)
  end)

  it("knows the schemas of other files by their names", function()
    local set_text = plugin()
    set_text("file:///shop/schemas.lua", [[
      local barq = require "barq"
      local M = {}
      M.Order = barq.schema("Order", { id = barq.t.integer })
      return M
    ]])
    local text = [[
      local barq, schemas = require "barq", require "schemas"
      barq.post("/", { body = schemas.Order }, function(req) end)
      barq.put("/", { body = schemas.Absent }, function(req) end)
    ]]
    local other = applied(text, set_text("file:///shop/app.lua", text))
    assert.truthy(other:find("---@field body barq.schemas.Order\n", 1, true))
    assert.truthy(other:find("---@field body any\n", 1, true))
  end)

  it("leaves alone what is not about barq", function()
    assert.is_nil(plugin()("file:///a.lua", "local x = 1"))
    assert.is_nil(plugin()("file:///shop/.barq/barq/group.lua", app))
  end)

  it("raises on no text that somebody is typing", function()
    local set_text = plugin()
    for n = 1, #app do set_text("file:///app.lua", app:sub(1, n)) end
    for n = 1, #app do set_text("file:///app.lua", (app:sub(1, n) .. app:sub(n + 2))) end
  end)
end)
