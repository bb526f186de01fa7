-- Accidental globals, in a table of globals of the test's own.
local modules = require "modules"

describe("strict.watch", function()
  local globals, lines

  before_each(function()
    lines = {}
    globals = setmetatable({ known = 1 }, nil)
  end)

  local function watch(dev)
    local core = modules.stand_in {
      log = function(level, text) lines[#lines + 1] = level .. " " .. text end,
    }
    local strict = modules.fresh(core)("barq.strict")
    setfenv(strict.watch, setmetatable({ _G = globals }, { __index = _G }))
    strict.watch(dev)
  end

  local function app(source)
    return pcall(setfenv(assert(loadstring(source, "@app.lua")), globals))
  end

  it("warns of a new one once, and lets it be", function()
    watch(false)
    assert(app("\noops = 1\noops = 2\nknown = 3"))
    assert.equal(1, #lines)
    assert.truthy(lines[1]:find('warn app.lua:2: new global "oops"', 1, true))
    assert.equal(2, globals.oops)
    assert.equal(3, globals.known)
  end)

  it("raises in development", function()
    watch(true)
    local ok, why = app("\noops = 1")
    assert.is_false(ok)
    assert.truthy(why:find('app.lua:2: new global "oops"', 1, true))
    assert.is_nil(rawget(globals, "oops"))
  end)

  it("leaves the application its own strictness", function()
    local own = {}
    setmetatable(globals, { __newindex = function(_, name) own[name] = true end })
    watch(true)
    assert(app("oops = 1"))
    assert.is_true(own.oops)
    assert.same({}, lines)
  end)
end)
