-- Behind proxies: whom the server believes about its clients, and what it makes of that.
local cjson = require "cjson"
local http = require "support.http"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  barq.get("/", function(req)
    return { ip = req.ip, scheme = req.scheme, host = req.host, raw = req.headers.host }
  end)
]]

local function ask(where, headers)
  headers.Host = headers.Host or "own"
  return http.get(where, "/", { headers = headers }):json()
end

describe("trust_proxy", function()
  after_each(server.cleanup)

  it("is nobody unless it is said", function()
    local s = server.start { app = app }
    assert.same({ ip = "127.0.0.1", scheme = "http", host = "own", raw = "own" }, ask(s.port, {
      ["X-Forwarded-For"] = "203.0.113.9", ["X-Forwarded-Proto"] = "https",
      ["X-Forwarded-Host"] = "shop", Forwarded = "for=203.0.113.9;proto=https;host=shop",
    }))
  end)

  it("believes the peers that it names, in X-Forwarded fields", function()
    local s = server.start { app = app, args = { "--trust-proxy", "loopback,10.0.0.0/8" } }
    assert.same({ ip = "203.0.113.9", scheme = "https", host = "shop", raw = "own" },
      ask(s.port, {
        ["X-Forwarded-For"] = "6.6.6.6, 203.0.113.9, 10.0.0.7",
        ["X-Forwarded-Proto"] = "https", ["X-Forwarded-Host"] = "shop",
      }))
  end)

  it("believes them in Forwarded, from the environment and from barq.config", function()
    local headers = { Forwarded = 'for=6.6.6.6, for="[2001:db8::1]:99";proto=https;host=shop' }
    local expected = { ip = "2001:db8::1", scheme = "https", host = "shop", raw = "own" }
    local s = server.start { app = app, env = { BARQ_TRUST_PROXY = "loopback" } }
    assert.same(expected, ask(s.port, headers))
    s = server.start { app = app .. 'barq.config { trust_proxy = { "10.0.0.0/8", "127.0.0.1" } }' }
    assert.same(expected, ask(s.port, headers))
  end)

  it("does not believe others", function()
    local s = server.start { app = app, args = { "--trust-proxy=10.0.0.0/8,unix" } }
    assert.equal("127.0.0.1", ask(s.port, { ["X-Forwarded-For"] = "203.0.113.9" }).ip)
  end)

  it("can be told to believe Forwarded alone", function()
    local s = server.start { app = app,
      args = { "--trust-proxy=loopback", "--trust-proxy-fields=forwarded" } }
    assert.equal("127.0.0.1", ask(s.port, { ["X-Forwarded-For"] = "203.0.113.9" }).ip)
    assert.equal("203.0.113.9", ask(s.port,
      { ["X-Forwarded-For"] = "6.6.6.6", Forwarded = "for=203.0.113.9" }).ip)
  end)

  it("believes who comes by a UNIX socket, if it names that", function()
    for words, ip in pairs { unix = "203.0.113.9", private = "" } do
      local s = server.start { app = app,
        args = { "--listen=unix:barq.sock", "--trust-proxy", words } }
      local where = { path = s.directory .. "/barq.sock" }
      assert.equal(ip, ask(where, { ["X-Forwarded-For"] = "203.0.113.9" }).ip)
    end
  end)

  it("shows the client in the access log", function()
    local s = server.start { app = app, args = { "--trust-proxy=loopback", "--access-log=json" } }
    ask(s.port, { ["X-Forwarded-For"] = "203.0.113.9" })
    ask(s.port, {})
    s:stop()
    local ips = {}
    for line in s:output():gmatch("[^\n]+") do ips[#ips + 1] = cjson.decode(line).ip end
    assert.same({ "203.0.113.9", "127.0.0.1" }, ips)
  end)

  it("refuses to start with what is no network, and says what one is", function()
    local s = server.start { app = app, expect_failure = true,
      args = { "--trust-proxy=loopback,10.0.0.1/8" } }
    assert.equal(2, s.code)
    local said = s:log()
    assert.truthy(said:find('"10.0.0.1/8"', 1, true))
    assert.truthy(said:find("a network (10.0.0.0/8", 1, true))
  end)

  it("is harmless whatever the fields hold", function()
    local s = server.start { app = app, args = { "--trust-proxy=loopback" } }
    for _, value in ipairs {
      "", ",", ",,,,", "unknown", "_x", '"', '\\"', "for=", 'for="[::1', "[::1", "a b", "\255\254",
      ("10.0.0.1,"):rep(1000), ('"\\'):rep(2000), ("for=127.0.0.1,"):rep(700),
    } do
      for _, name in ipairs { "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
        "Forwarded" } do
        local got = ask(s.port, { [name] = value })
        assert.truthy(got.ip == "127.0.0.1" or got.ip == "10.0.0.1")
        assert.equal("http", got.scheme)
        assert.truthy(got.host == "own" or value:find(got.host, 1, true))
      end
    end
  end)
end)
