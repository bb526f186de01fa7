-- `barq-server new`, as somebody follows it: made, tested, checked, served, asked.
local http = require "support.http"
local server = require "support.server"

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

describe("barq-server new", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)
  after_each(server.cleanup)
  after_each(function()
    os.execute(("rm -rf '%s'"):format(folder))
  end)

  local function run(line, options)
    options = options or {}
    options.line = line
    options.expect_failure = options.expect_failure ~= false
    local s = server.start(options)
    s:expect_no_report()
    return s, s:output() .. s:log()
  end

  local function make()
    local s, printed = run { "new", folder .. "/myapp" }
    assert.equal(0, s.code, printed)
    return printed
  end

  it("makes a project that passes its specs, its check and luacheck at once", function()
    local printed = make()
    assert.truthy(printed:find("cd " .. folder .. "/myapp\n", 1, true))

    local s, output = run({ "test" }, { directory = folder .. "/myapp" })
    assert.equal(0, s.code, output)
    assert.truthy(output:find("5 successes / 0 failures / 0 errors", 1, true), output)
    s, output = run({ "check", "app.lua" }, { directory = folder .. "/myapp" })
    assert.equal("ok\n", output)
    assert.equal(0, s.code)
    local pipe = io.popen(("cd '%s/myapp' && luacheck --no-color . 2>&1"):format(folder))
    output = pipe:read("*a")
    pipe:close()
    assert.truthy(output:find("0 warnings / 0 errors in 2 files", 1, true), output)
  end)

  it("makes a project that serves", function()
    make()
    local s = run({ "app.lua", "--port=0", "--workers=1" },
      { directory = folder .. "/myapp", expect_failure = false })
    assert.same({ message = "Hello from myapp!" }, http.request(s.port, "GET", "/"):json())
    local created = http.request(s.port, "POST", "/notes", {
      headers = { ["Content-Type"] = "application/json" }, body = '{"text":"buy milk"}',
    })
    assert.equal(201, created.status)
    assert.equal('{"text":"buy milk","done":false,"id":1}', created.body)
    assert.equal(created.body, http.request(s.port, "GET", "/notes/1").body)
    assert.equal("myapp", http.request(s.port, "GET", "/openapi.json"):json().info.title)
  end)

  it("overwrites nothing", function()
    make()
    local before = read(folder .. "/myapp/app.lua")
    local s, printed = run { "new", folder .. "/myapp" }
    assert.equal(1, s.code)
    assert.truthy(printed:find("nothing is overwritten: ", 1, true), printed)
    assert.truthy(printed:find("tests/app_spec.lua", 1, true), printed)
    assert.equal(before, read(folder .. "/myapp/app.lua"))
  end)

  it("says what is missing, and what is no name", function()
    local s, printed = run { "new" }
    assert.equal(2, s.code)
    assert.truthy(printed:find("barq-server new myapp", 1, true), printed)
    s, printed = run { "new", folder .. "/my app" }
    assert.equal(1, s.code)
    assert.truthy(printed:find('"my app" is no name for a project', 1, true), printed)
  end)

  it("points the editor at files that are there", function()
    make()
    local settings = require("cjson").decode(read(folder .. "/myapp/.luarc.json"))
    local library = folder .. "/myapp/" .. settings["workspace.library"][1]
    assert.truthy(loadstring(read(folder .. "/myapp/" .. settings["runtime.plugin"])))
    for _, name in ipairs { "barq/init.lua", "barq/testing.lua", "barq/schema/types.lua" } do
      assert.equal(read("lua/" .. name), read(library .. "/" .. name))
    end
    local metas = io.popen "ls lua/meta"
    for name in metas:lines() do
      local text = read(library .. "/" .. name)
      assert.equal(read("lua/meta/" .. name), text)
      -- Without a name of its own, barq.lua would be what require "barq" finds.
      if name ~= "plugin.lua" then assert.truthy(text:find("^%-%-%-@meta barq%.[%w.]*core\n")) end
    end
    metas:close()
  end)
end)

describe("barq-server annotations", function()
  after_each(server.cleanup)

  it("writes them where it is told, or into .barq", function()
    local s = server.start { line = { "annotations" }, expect_failure = true }
    assert.equal(0, s.code, s:log())
    assert.equal(read "lua/barq/init.lua", read(s.directory .. "/.barq/barq/init.lua"))
    os.execute(("rm -rf '%s/.barq'"):format(s.directory))
  end)
end)
