-- Where in the application something was declared.
local modules = require "modules"

describe("place", function()
  local place

  before_each(function() place = modules.fresh()("barq.place") end)

  -- A function of barq's that calls fn.
  local function barq_function(source, fn)
    return assert(loadstring(source, "@barq:barq/x.lua"))(fn)
  end

  it("is the line of the caller", function()
    local seen = {}
    assert(modules.run_app("\nsee(here())\n\nlocal function f() see(here()) end\nf()", {
      here = place.here, see = function(at) seen[#seen + 1] = at end,
    }))
    assert.same({ "app.lua:2", "app.lua:4" }, seen)
  end)

  it("passes over barq's own modules, however deep, and over C", function()
    local declare = barq_function([[
      local here = ...
      local function deep(n)
        if n > 0 then
          local _, at = pcall(deep, n - 1)
          return at
        end
        return (here())
      end
      return function() return (deep(3)) end
    ]], place.here)
    local seen
    assert(modules.run_app("\n\nlocal at = declare()\nsee(at)", {
      declare = declare, see = function(at) seen = at end,
    }))
    assert.equal("app.lua:3", seen)
  end)

  it("of a function is its first line", function()
    local fn = assert(loadstring("\n\nreturn function()\nend", "@app.lua"))()
    assert.equal("app.lua:3", place.of(fn))
  end)

  it("blames the application's line for a mistake", function()
    local declare = barq_function([[
      local fail = ...
      return function(name) fail("%s: not %d but %s", name, 5, "six") end
    ]], place.fail)
    local ok, message = modules.run_app('\ndeclare("x")\nlocal y', { declare = declare })
    assert.is_false(ok)
    assert.equal("app.lua:2: x: not 5 but six", message)
  end)
end)
