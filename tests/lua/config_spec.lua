-- Settings that the application brings along, and when they may be given.
local modules = require "modules"

describe("barq.config", function()
  local config, state

  before_each(function()
    local require_fresh = modules.fresh()
    config = require_fresh("barq.config").config
    state = require_fresh "barq.state"
  end)

  local function app(source)
    return modules.run_app(source, { config = config })
  end

  it("keeps names, values and places", function()
    assert(app("\nconfig{ port = 8080 }\nconfig{ dev = true }"))
    assert.same({ { "port", 8080, "app.lua:2" }, { "dev", true, "app.lua:3" } }, state.config)
  end)

  it("spreads lists", function()
    assert(app('config{ listen = { "a:1", "b:2" } }\nlocal x'))
    assert.same({ { "listen", "a:1", "app.lua:1" }, { "listen", "b:2", "app.lua:1" } },
      state.config)
  end)

  it("has a place even for a tail call", function()
    -- Nothing lies below a coroutine's function, as below app.lua in the server.
    local chunk = assert(loadstring("return config{ port = 1 }", "@app.lua"))
    coroutine.wrap(setfenv(chunk, { config = config }))()
    assert.equal("barq.config", state.config[1][3])
  end)

  it("refuses what no setting can be", function()
    for source, message in pairs {
      ["config(5)\nlocal x"] = "app.lua:1: barq.config: a table expected, got number",
      ["config{ 5 }\nlocal x"] =
        "app.lua:1: barq.config: settings have names, as { port = 8080 }; got [1]",
      ["config{ port = print }\nlocal x"] =
        "app.lua:1: barq.config: port is a string, number, boolean or list of them, "
        .. "not a function",
      ["config{ port = { {} } }\nlocal x"] =
        "app.lua:1: barq.config: port is a string, number, boolean or list of them, not a table",
    } do
      local ok, why = app(source)
      assert.is_false(ok)
      assert.equal(message, why)
    end
  end)

  it("is over once the server serves", function()
    state.frozen = true
    local ok, why = app("config{ port = 1 }\nlocal x")
    assert.is_false(ok)
    assert.truthy(why:find("app.lua:1: barq.config: ", 1, true))
    assert.same({}, state.config)
  end)
end)
