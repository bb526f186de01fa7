-- The images that tests/docker/run has built: what is in them, what they serve, how they end.
local cjson = require "cjson"
local clock = require "support.clock"
local http = require "support.http"
local load = require "support.load"
local server = require "support.server"
local stat = require "posix.sys.stat"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function image(name)
  local description = cjson.decode(read("build/docker/" .. name .. ".json"))
  local root = io.open("build/docker/" .. name .. ".root")
  return {
    config = description.Docker.config,
    layers = description.OCIv1.rootfs.diff_ids,
    root = root and root:read("*l"),
  }
end

local function start(name, options)
  options = options or {}
  options.env = { BARQ_IMAGE = name, BARQ_IMAGE_ENV = options.variable }
  return server.start(options)
end

-- Asks as an engine does: the image's server, by another entry point.
local function is_healthy(name, port, path)
  local command = "BARQ_IMAGE=%s BARQ_IMAGE_ENTRYPOINT=barq-server %s - health --port=%d %s"
  return os.execute((command .. " >/dev/null 2>&1"):format(name, os.getenv "BARQ_SERVER", port,
    path or "")) == 0
end

local function bytes_below(folder)
  local pipe = io.popen(("du -sxb --apparent-size '%s'"):format(folder))
  local bytes = tonumber(pipe:read("*a"):match("^%d+"))
  pipe:close()
  return bytes
end

describe("the image", function()
  local barq = image "barq"

  it("runs as a user of its own, from its own folder", function()
    assert.equal("10001:10001", barq.config.User)
    assert.equal("/app", barq.config.WorkingDir)
    assert.truthy(read(barq.root .. "/etc/passwd"):find("\nbarq:x:10001:10001:", 1, true))
    local data, app = stat.stat(barq.root .. "/data"), stat.stat(barq.root .. "/app")
    assert.same({ 10001, 10001, 0 }, { data.st_uid, data.st_gid, app.st_uid })
  end)

  it("says what to run, on which port, and how to ask for its health", function()
    assert.same({ "barq-server", "/app/app.lua" }, barq.config.Entrypoint)
    assert.is_table(barq.config.ExposedPorts["8000/tcp"])
    assert.same({ "CMD", "barq-server", "health" }, barq.config.Healthcheck.Test)
  end)

  it("is built on the base image's layers", function()
    local base = image "base"
    assert.same(base.layers, { unpack(barq.layers, 1, #base.layers) })
  end)

  it("has neither a compiler nor what packages leave behind", function()
    for _, name in ipairs { "cc", "gcc", "as", "ld", "make", "cmake", "node", "npm", "luarocks" } do
      assert.is_nil(stat.lstat(barq.root .. "/usr/bin/" .. name), name)
    end
    for _, name in ipairs { "/var/lib/apt/lists", "/var/cache", "/var/log" } do
      local list = io.popen("ls -A " .. barq.root .. name)
      assert.equal("", list:read("*a"), name)
      list:close()
    end
  end)

  it("has a server without symbols", function()
    local bytes = stat.stat(barq.root .. "/usr/bin/barq-server").st_size
    assert.is_true(bytes < 5e6, bytes)
    print(("# /usr/bin/barq-server has %d KB, the image unpacked %d MB"):format(bytes / 1000,
      bytes_below(barq.root) / 1e6))
  end)
end)

describe("a user's image of two lines", function()
  after_each(server.cleanup)

  it("serves its application, and the page about it", function()
    local s = start "barq-hello"
    print(("# at rest, with one worker, it has %.1f MB in memory"):format(s:resident_bytes() / 1e6))
    assert.same({ message = "Hello, World!" }, http.get(s.port, "/"):json())
    local page = http.get(s.port, "/docs")
    assert.equal(200, page.status)
    local asset = page.body:match('src="%.(/[^"]+bundle[^"]+)"')
    local script = http.get(s.port, asset)
    assert.equal(200, script.status)
    assert.is_true(#script.body > 100000, #script.body)
  end)

  it("is not root, and cannot write to what it is made of", function()
    local s = start "barq-hello"
    local status = read(("/proc/%d/status"):format(s.pid))
    assert.truthy(status:find("\nUid:\t10001\t10001\t10001\t10001\n", 1, true))
    assert.truthy(status:find("\nGid:\t10001\t10001\t10001\t10001\n", 1, true))
    assert.truthy(status:find("\nCapEff:\t0000000000000000\n", 1, true))
  end)

  it("knows its health without curl", function()
    local s = start "barq-hello"
    assert.is_true(is_healthy("barq-hello", s.port))
    assert.is_true(is_healthy("barq-hello", s.port, "/"))
    assert.is_false(is_healthy("barq-hello", s.port, "/nowhere"))
    s:stop()
    assert.is_false(is_healthy("barq-hello", s.port))
  end)

  it("ends without a failed request under load", function()
    local s = start("barq-hello", { args = { "--workers=2" } })
    local clients = load.start(s.port, 32)
    clients:run(0.5)
    s:signal "TERM"
    local began = clock.now()
    clients:run(10)
    assert.same({}, clients.failures)
    assert.is_true(clients.answered > 500, clients.answered)
    assert.is_true(clients:is_over())
    assert.equal(0, (s:wait()))
    print(("# %d requests answered, none failed, over %.0f ms after the signal"):format(
      clients.answered, (clock.now() - began) * 1000))
  end)
end)

describe("the tiny image", function()
  after_each(server.cleanup)

  it("says the same as the other, and has a tenth of its bytes", function()
    local barq, tiny = image "barq", image "barq-tiny"
    for _, field in ipairs { "User", "WorkingDir", "Entrypoint", "ExposedPorts", "Healthcheck" } do
      assert.same(barq.config[field], tiny.config[field])
    end
    local bytes = bytes_below(tiny.root)
    assert.is_true(bytes < 12e6, bytes)
    print(("# the tiny image has %.1f MB unpacked"):format(bytes / 1e6))
  end)

  it("keeps the licences of what is in it", function()
    for _, name in ipairs { "barq", "libc6", "libluajit2-5.1-2", "libmimalloc2.0", "libsqlite3-0",
      "lua-cjson" } do
      local path = ("/usr/share/doc/%s/copyright"):format(name)
      assert.is_true(#read(image("barq").root .. path) > 500, path)
      assert.equal(read(image("barq").root .. path), read(image("barq-tiny").root .. path))
    end
  end)

  it("serves, and knows its health without a shell", function()
    local s = start "barq-tiny-hello"
    assert.same({ message = "Hello, World!" }, http.get(s.port, "/"):json())
    assert.is_true(is_healthy("barq-tiny-hello", s.port))
    s:stop()
    assert.is_false(is_healthy("barq-tiny-hello", s.port))
  end)
end)

describe("the image with LuaRocks modules", function()
  after_each(server.cleanup)

  it("has one in Lua and one in C, and no LuaRocks", function()
    local s = start "barq-luarocks"
    local answer = http.get(s.port, "/books?title=Grate+Expectatons")
    assert.same({ slug = "grate-expectatons", nearest = "great-expectations", distance = 3 },
      answer:json())
    assert.is_nil(stat.lstat(image("barq-luarocks").root .. "/usr/bin/luarocks"))
  end)
end)
