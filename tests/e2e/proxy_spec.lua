-- Behind proxies: whom the server believes about its clients, and what it makes of that.
local cjson = require "cjson"
local http = require "support.http"
local raw = require "support.raw"
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

describe("request_id", function()
  after_each(server.cleanup)

  local named = [[
    local barq = require "barq"
    barq.get("/id", function(req) return req.id end)
    barq.get("/none", function() return "" end)
    barq.get("/trace", function(req) return req.traceparent or "none" end)
    barq.get("/fail", function() error("at last") end)
  ]]
  local trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

  local function entries(s)
    local list = {}
    s:stop()
    for line in s:output():gmatch("[^\n]+") do list[#list + 1] = cjson.decode(line) end
    return list
  end

  it("gives each request an id, in answer, handler and logs", function()
    local s = server.start { app = named, args = { "--request-id", "--access-log=json" } }
    local first, second = http.get(s.port, "/id"), http.get(s.port, "/fail")
    local id, failed = first.headers["x-request-id"], second.headers["x-request-id"]
    assert.equal(id, first.body)
    assert.truthy(id:match("^%x+$") and #id == 32)
    assert.equal(500, second.status)
    assert.not_equal(id, failed)
    s:wait_for_log(("GET /fail %%(app.lua:5%%), request %s: "):format(failed))
    assert.truthy(http.get(s.port, "/nowhere").headers["x-request-id"])
    local logged = entries(s)
    assert.equal(id, logged[1].request_id)
    assert.equal(failed, logged[2].request_id)
    assert.equal("string", type(logged[3].request_id))
  end)

  it("is made when somebody asks for it, where it is off", function()
    local s = server.start { app = named, args = { "--access-log=json" } }
    local asked, silent = http.get(s.port, "/id"), http.get(s.port, "/none")
    assert.is_nil(asked.headers["x-request-id"])
    assert.is_nil(silent.headers["x-request-id"])
    local logged = entries(s)
    assert.equal(asked.body, logged[1].request_id)
    assert.is_nil(logged[2].request_id)
  end)

  it("is taken from a proxy that is trusted, if it is a good one", function()
    local s = server.start { app = named, args = { "--request-id", "--trust-proxy=loopback" } }
    local function ask_as(id)
      local got = http.get(s.port, "/id", { headers = { ["X-Request-Id"] = id } })
      assert.equal(got.body, got.headers["x-request-id"])
      return got.body
    end
    assert.equal("abc-1", ask_as "abc-1")
    for _, bad in ipairs { "a b", 'a"', ("a"):rep(129), "<script>" } do
      assert.equal(32, #ask_as(bad))
    end
    s = server.start { app = named }
    local got = http.get(s.port, "/id", { headers = { ["X-Request-Id"] = "abc-1" } })
    assert.not_equal("abc-1", got.body)
  end)

  it("comes with the trace that a trusted proxy says", function()
    local s = server.start { app = named,
      args = { "--trust-proxy=loopback", "--access-log=json" } }
    assert.equal(trace, http.get(s.port, "/trace", { headers = { Traceparent = trace } }).body)
    assert.equal("none", http.get(s.port, "/trace", { headers = { traceparent = "00-0" } }).body)
    local logged = entries(s)
    assert.equal(trace:sub(4, 35), logged[1].trace_id)
    assert.is_nil(logged[2].trace_id)
    s = server.start { app = named }
    assert.equal("none", http.get(s.port, "/trace", { headers = { traceparent = trace } }).body)
  end)
end)

describe("proxy_protocol", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  local binary = "\r\n\r\n\0\r\nQUIT\n"
  local client = "\203\0\113\9\10\0\0\1\18\103\0\80" -- 203.0.113.9:4711 to 10.0.0.1:80

  local function start(...)
    return server.start { app = app, args = { ... } }
  end

  local function ask_behind(s, header, piece)
    local connection = raw.connect(s.port)
    local bytes = header .. http.format("GET", "/")
    if piece then connection:send_in_pieces(bytes, piece, 0.001) else connection:send(bytes) end
    return http.read(connection):json().ip, connection
  end

  it("takes the client from version 1 and version 2, in any pieces", function()
    local s = start("--proxy-protocol", "--trust-proxy=loopback")
    for header, ip in pairs {
      ["PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n"] = "203.0.113.9",
      ["PROXY TCP6 2001:db8::9 ::1 4711 80\r\n"] = "2001:db8::9",
      ["PROXY UNKNOWN\r\n"] = "127.0.0.1",
      [binary .. "\33\17\0\12" .. client] = "203.0.113.9",
      [binary .. "\33\17\0\19" .. client .. "\3\0\4abcd"] = "203.0.113.9",
      [binary .. "\32\0\0\0"] = "127.0.0.1",
    } do
      assert.equal(ip, (ask_behind(s, header)))
      assert.equal(ip, (ask_behind(s, header, 7)))
    end
  end)

  it("holds for all requests of the connection", function()
    local s = start("--proxy-protocol", "--trust-proxy=loopback")
    local ip, connection = ask_behind(s, binary .. "\33\17\0\12" .. client)
    assert.equal("203.0.113.9", ip)
    connection:send(http.format("GET", "/"))
    assert.equal("203.0.113.9", http.read(connection):json().ip)
  end)

  it("closes what does not begin with a header, and says so in the log", function()
    local s = start("--proxy-protocol", "--trust-proxy=loopback")
    local connection = raw.connect(s.port)
    connection:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert.equal("", connection:receive_all(5))
    s:wait_for_log "a connection from 127%.0%.0%.1 is closed: it does not begin with a PROXY header"
  end)

  it("closes who names a client and is not trusted", function()
    local s = start("--proxy-protocol", "--trust-proxy=10.0.0.0/8")
    local connection = raw.connect(s.port)
    connection:send("PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n" .. http.format("GET", "/"))
    assert.equal("", connection:receive_all(5))
    s:wait_for_log "trust_proxy does not name it"
    assert.equal("127.0.0.1", (ask_behind(s, "PROXY UNKNOWN\r\n")))
  end)

  it("wants to know whom to believe", function()
    local s = server.start { app = app, args = { "--proxy-protocol" }, expect_failure = true }
    assert.equal(1, s.code)
    assert.truthy(s:log():find('option "proxy_protocol" is on, and no proxy is trusted', 1, true))
    s = start "--proxy-protocol=any"
    assert.equal("203.0.113.9", (ask_behind(s, "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n")))
  end)

  it("is spoken by barq-server health", function()
    local s = start("--proxy-protocol", "--trust-proxy=10.0.0.0/8")
    local function health(...)
      return server.start { line = { "health", "--port", tostring(s.port), ... },
        expect_failure = true }.code
    end
    assert.equal(0, health "--proxy-protocol")
    assert.equal(1, health())
  end)

  it("goes along when another worker takes over #threads", function()
    local s = server.start { args = { "--proxy-protocol=any", "--workers=2" }, app = [[
      local barq = require "barq"
      barq.get("/", function(req) return { ip = req.ip, worker = barq.worker } end)
      barq.get("/busy", function()
        local clock = os.clock
        local till = clock() + 0.4
        while clock() < till do end
        return {}
      end)
    ]] }
    local header = "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n"
    local waiting = {}
    for i = 1, 8 do
      waiting[i] = raw.connect(s.port)
      waiting[i]:send(header:sub(1, 4 * i))
    end
    for _ = 1, 2 do raw.connect(s.port):send(header .. http.format("GET", "/busy")) end
    for i, connection in ipairs(waiting) do
      connection:send(header:sub(4 * i + 1) .. http.format("GET", "/"))
    end
    for _, connection in ipairs(waiting) do
      assert.equal("203.0.113.9", http.read(connection):json().ip)
    end
  end)
end)
