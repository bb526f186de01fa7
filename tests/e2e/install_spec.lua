-- What cmake --install leaves, from the build folder of the server under test. Servers with
-- sanitizers are not installed.
local http = require "support.http"
local server = require "support.server"
local stat = require "posix.sys.stat"
local stdlib = require "posix.stdlib"

local build = (os.getenv "BARQ_SERVER" or "build/release/barq-server"):match("^(.*)/")
if not stat.stat(build .. "/install/barq-server.1") then return end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- What a command prints; it must succeed.
local function output_of(format, ...)
  local command = format:format(...)
  local pipe = assert(io.popen(command .. " 2>&1; echo status $?"))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)status (%d+)\n$")
  if status ~= "0" then error(command .. "\n" .. text, 2) end
  return output
end

describe("an installation", function()
  local prefix

  setup(function()
    prefix = assert(stdlib.mkdtemp("/tmp/barq-e2e-XXXXXX"))
    output_of("cmake --install %s --prefix %s", build, prefix)
  end)
  teardown(function() output_of("rm -r %s", prefix) end)
  after_each(server.cleanup)

  it("has the server, whose name is enough", function()
    assert.truthy(output_of("%s/bin/barq-server --version", prefix):find("^barq %d"))
  end)

  it("has annotations of all that the server has built in", function()
    for path in output_of("find lua -name '*.lua'"):gmatch("[^\n]+") do
      assert.equal(read(path), read(("%s/share/barq/%s"):format(prefix, path)))
    end
  end)

  it("has the licence", function()
    assert.equal(read "LICENSE", read(prefix .. "/share/doc/barq/copyright"))
  end)

  it("has a manual that says what --help says", function()
    local page = prefix .. "/share/man/man1/barq-server.1"
    -- A bold letter is written twice, with a step back between.
    local manual = output_of("mandoc -T ascii -O width=1000 %s", page):gsub(".\b", "")
    manual = manual:gsub("%s+", " ")
    local help = output_of("%s/bin/barq-server --help", prefix)
    local count = 0
    for name, text in help:gmatch("\n  (%-?%-?%l%S*[ %u]-)  *([^ \n][^\n]*)") do
      count = count + 1
      local wanted = (name .. " " .. text):gsub("%s+", " ")
      assert(manual:find(wanted, 1, true), wanted)
    end
    assert.is_true(count > 30)
    for line in help:match("usage: (.-)\n\n"):gmatch("[^\n]+") do
      local usage = line:match("^%s*(.*)$")
      assert(manual:find(usage, 1, true), usage)
    end
    for line in output_of("mandoc -T lint %s || true", page):gmatch("[^\n]+") do
      -- The style of its source, and that a page which is made has no date of its own.
      assert(line:find("STYLE:", 1, true) or line:find("missing date", 1, true), line)
    end
  end)

  it("tells pkg-config where modules go and which Lua they are for", function()
    local folder = output_of("dirname $(find %s -name barq.pc)", prefix):match("%S+")
    local ask = "PKG_CONFIG_PATH=" .. folder .. " pkg-config %s barq"
    assert.truthy(output_of(ask, "--modversion"):find("^%d+%.%d+%.%d+\n$"))
    assert.equal("/usr/local/lib/lua/5.1\n", output_of(ask, "--variable=cmoddir"))
    assert.truthy(output_of(ask, "--cflags"):find("luajit", 1, true))
    assert.falsy(output_of(ask, "--libs"):find("luajit", 1, true))
  end)

  it("has units that name the server, and settings that they read", function()
    local unit = read(prefix .. "/lib/systemd/system/barq@.service")
    for _, line in ipairs { "Type=notify", "WatchdogSec=60", "DynamicUser=yes" } do
      assert(unit:find("\n" .. line .. "\n", 1, true), line)
    end
    assert.truthy(unit:find("\nExecStart=/%S+/bin/barq%-server /srv/%%i/app.lua\n"))
    assert.truthy(read(prefix .. "/lib/systemd/system/barq@.socket"):find("\nListenStream="))
    for name in read(prefix .. "/etc/default/barq"):gmatch("#BARQ_([%u_]+)=") do
      local s = server.start { line = { "--help" }, expect_failure = true }
      assert(s:output():find("--" .. name:lower():gsub("_", "-"), 1, true), name)
    end
  end)
end)

describe("apps/luarocks-example", function()
  local tree

  setup(function()
    tree = assert(stdlib.mkdtemp("/tmp/barq-e2e-XXXXXX"))
    output_of("cp -r apps/luarocks-example/rocks %s", tree)
    for _, name in ipairs { "slug", "distance" } do
      output_of("cd %s/rocks/%s && luarocks --lua-version 5.1 --tree %s/tree make "
        .. "LUA_INCDIR=$(pkg-config --variable=includedir luajit)", tree, name, tree)
    end
  end)
  teardown(function() output_of("rm -r %s", tree) end)
  after_each(server.cleanup)

  it("uses a module in Lua and one in C that LuaRocks has made", function()
    local s = server.start { file = "apps/luarocks-example/app.lua", env = {
      LUA_PATH = tree .. "/tree/share/lua/5.1/?.lua;;",
      LUA_CPATH = tree .. "/tree/lib/lua/5.1/?.so;;",
    } }
    local function nearest(title)
      local answer = http.get(s.port, "/books?title=" .. title):json()
      return answer.slug, answer.nearest, answer.distance
    end
    assert.same({ "hard-times", "hard-times", 0 }, { nearest "Hard%20Times!" })
    assert.same({ "a-cristmas-carl", "a-christmas-carol", 2 }, { nearest "A+Cristmas+Carl" })
    assert.equal(422, http.get(s.port, "/books").status)
  end)
end)
