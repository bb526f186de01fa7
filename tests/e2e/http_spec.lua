-- HTTP/1.1 and 1.0 as a client meets them (RFC 9110, RFC 9112): persistence, order, bodies,
-- expectations, targets, the ends of connections, big answers.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  local requests = 0

  barq.use(function(req, next)
    requests = requests + 1
    return next(req)
  end)
  barq.get("/hi", function() return "hi" end)
  barq.get("/requests", function() return { requests = requests } end)
  barq.get("/n/{n}", function(req) return req.params.n end)
  barq.post("/echo", function(req) return barq.text(req.body) end)
  barq.post("/parts", function(req)
    local trailers = barq.array {}
    for i, pair in ipairs(req.trailers) do trailers[i] = barq.array(pair) end
    return { body = req.body, trailers = trailers, sum = req.headers["x-sum"] }
  end)
  barq.get("/slow", { disconnect = "ignore" }, function()
    barq.sleep(0.1)
    return "slow"
  end)
  barq.get("/fails", function() error("on purpose") end)
  barq.get("/nothing", function() return nil end)
  barq.get("/unchanged", function() return barq.response { status = 304 } end)
  barq.any("/seen", function(req)
    return { target = req.target, path = req.path, host = req.host, q = req.query.q,
             version = req.version, method = req.method, ip = req.ip }
  end)
  barq.any("/", function() return "root" end)

  local mebibyte = ("0123456789abcdef"):rep(65536)
  barq.get("/big/{n:int}", function(req) return mebibyte:rep(req.params.n) end)
  barq.get("/mebibyte", function() return mebibyte end)

  barq.get("/own", function()
    return barq.response { status = 200, body = "own", headers = {
      ["Content-Length"] = "1", ["Transfer-Encoding"] = "chunked", Connection = "close",
      Date = "yesterday", ["Keep-Alive"] = "timeout=1", ["X-Own"] = "kept" } }
  end)
  barq.get("/split", function()
    return barq.response { status = 200, body = "x", headers = {
      ["X-Split"] = "a\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK" } }
  end)
]]

local function get(target, ...)
  local lines = { ("GET %s HTTP/1.1"):format(target), "Host: localhost", ... }
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function post(target, ...)
  return (get(target, ...):gsub("^GET", "POST"))
end

local function old(target, ...)
  local lines = { ("GET %s HTTP/1.0"):format(target), ... }
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

describe("the server", function()
  local s

  setup(function() s = server.start { app = app } end)
  teardown(server.cleanup)
  after_each(raw.close_all)

  local function requests() return http.get(s.port, "/requests"):json().requests end

  -- A connection to which these bytes were sent.
  local function sent(bytes)
    local connection = raw.connect(s.port)
    assert(connection:send(bytes))
    return connection
  end

  local function ask(connection, bytes)
    assert(connection:send(bytes))
    return http.read(connection)
  end

  describe("keeps a connection", function()
    it("for many requests, and does not talk about it", function()
      local connection = raw.connect(s.port)
      for i = 1, 50 do
        local answer = ask(connection, get("/n/" .. i))
        assert.equal(tostring(i), answer.body)
        assert.is_nil(answer.headers.connection)
      end
      connection:expect_silence()
    end)

    it("after errors of the application", function()
      local connection = raw.connect(s.port)
      assert.equal(404, ask(connection, get("/nowhere")).status)
      assert.equal(500, ask(connection, get("/fails")).status)
      assert.equal(405, ask(connection, get("/echo")).status)
      assert.equal("hi", ask(connection, get("/hi")).body)
    end)

    it("until the client says close", function()
      for _, value in ipairs { "close", "Close", "keep-alive, close", "x , CLOSE,,y" } do
        local connection = raw.connect(s.port)
        assert.is_nil(ask(connection, get("/hi")).headers.connection)
        assert.equal("close", ask(connection, get("/hi", "Connection: " .. value))
          .headers.connection)
        connection:expect_closed()
      end
    end)

    it("to an HTTP/1.0 client only if it asks for it", function()
      local connection = sent(old("/hi"))
      local answer = http.read(connection)
      assert.same({ "hi", "close" }, { answer.body, answer.headers.connection })
      connection:expect_closed()

      connection = raw.connect(s.port)
      for _ = 1, 3 do
        answer = ask(connection, old("/hi", "Connection: Keep-Alive"))
        assert.same({ "hi", "keep-alive" }, { answer.body, answer.headers.connection })
      end
      assert.equal("close", ask(connection, old("/hi", "Connection: keep-alive, close"))
        .headers.connection)
      connection:expect_closed()
    end)
  end)

  describe("answers a pipeline", function()
    it("of 100 requests in order", function()
      local pieces = {}
      for i = 1, 100 do pieces[i] = get("/n/" .. i) end
      local connection = sent(table.concat(pieces))
      for i = 1, 100 do assert.equal(tostring(i), http.read(connection).body) end
      connection:expect_silence()
    end)

    it("of requests with bodies, however it is cut", function()
      local pieces = {}
      for i = 1, 20 do
        local body = ("x"):rep(i)
        pieces[#pieces + 1] = post("/echo", "Content-Length: " .. i) .. body
        pieces[#pieces + 1] = post("/echo", "Transfer-Encoding: chunked") ..
          ("%x\r\n%s\r\n0\r\n\r\n"):format(i, body)
        pieces[#pieces + 1] = "HEAD /hi HTTP/1.1\r\nHost: localhost\r\n\r\n"
      end
      for _, size in ipairs { 1, 7, 64, 1000, 65536 } do
        local connection = raw.connect(s.port)
        connection:send_in_pieces(table.concat(pieces), size)
        for i = 1, 20 do
          assert.equal(i, #http.read(connection).body)
          assert.equal(i, #http.read(connection).body)
          assert.equal("2", http.read(connection, { method = "HEAD" }).headers["content-length"])
        end
        connection:expect_silence(0.01)
        connection:close()
      end
    end)

    it("in order when the first request waits", function()
      local connection = sent(get("/slow") .. get("/hi") .. get("/slow") .. get("/n/4"))
      for _, body in ipairs { "slow", "hi", "slow", "4" } do
        assert.equal(body, http.read(connection).body)
      end
    end)

    it("up to the request that says close", function()
      local connection = sent(get("/n/1") .. get("/n/2", "Connection: close") .. get("/n/3"))
      assert.equal("1", http.read(connection).body)
      assert.equal("2", http.read(connection).body)
      connection:expect_closed()
    end)

    it("up to the request that is refused", function()
      local connection = sent(get("/n/1") .. get("/slow") .. get("/n/3", "X : y") .. get("/n/4"))
      assert.equal("1", http.read(connection).body)
      assert.equal("slow", http.read(connection).body)
      assert.equal(400, http.read(connection).status)
      connection:expect_closed()
    end)
  end)

  describe("takes a chunked body", function()
    it("with its trailers, apart from the header", function()
      local connection = sent(post("/parts", "Transfer-Encoding: chunked", "Trailer: X-Sum") ..
        "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nX-Sum: 6\r\n\r\n")
      assert.same({ body = "abcde", trailers = { { "x-sum", "5" }, { "x-sum", "6" } } },
        http.read(connection):json())
      assert.equal("hi", ask(connection, get("/hi")).body)
    end)

    it("without the trailers that could change what the request means", function()
      local connection = sent(post("/parts", "Transfer-Encoding: chunked") ..
        "1\r\na\r\n0\r\nContent-Length: 5\r\nHost: other\r\nAuthorization: x\r\nX: y\r\n" ..
        "Content-Type: a/b\r\nCookie: a=b\r\nConnection: close\r\n\r\n")
      local answer = http.read(connection)
      assert.same({ { "x", "y" } }, answer:json().trailers)
      assert.equal("hi", ask(connection, get("/hi")).body)
    end)

    it("in chunks of every size, however it is cut", function()
      local chunks, body = {}, {}
      for i = 1, 70 do
        body[i] = (string.char(32 + i)):rep(i)
        chunks[i] = ("%X;n=%d\r\n%s\r\n"):format(i, i, body[i])
      end
      local bytes = post("/echo", "Transfer-Encoding: chunked") .. table.concat(chunks) ..
        "0\r\n\r\n"
      for _, size in ipairs { 1, 3, 512, 65536 } do
        local connection = raw.connect(s.port)
        connection:send_in_pieces(bytes, size)
        assert.equal(table.concat(body), http.read(connection).body)
        connection:close()
      end
    end)

    it("that is empty", function()
      local connection = sent(post("/echo", "Transfer-Encoding: chunked") .. "0\r\n\r\n")
      assert.equal("", http.read(connection).body)
    end)
  end)

  describe("takes a body", function()
    it("with every method", function()
      local connection = raw.connect(s.port)
      for _, method in ipairs { "GET", "HEAD", "DELETE", "OPTIONS", "PUT", "QUERY" } do
        connection:send((post("/seen", "Content-Length: 4"):gsub("^POST", method)) .. "body")
        assert.equal(200, http.read(connection, { method = method }).status)
      end
      assert.equal("hi", ask(connection, get("/hi")).body)
    end)

    it("that nobody wants, and goes on behind it", function()
      local connection = raw.connect(s.port)
      assert.equal(404, ask(connection, post("/nowhere", "Content-Length: 500000") ..
        ("x"):rep(500000)).status)
      assert.equal(405, ask(connection, post("/hi", "Transfer-Encoding: chunked") ..
        "4\r\nbody\r\n0\r\n\r\n").status)
      assert.equal("hi", ask(connection, get("/hi")).body)
    end)

    it("behind an offer to change the protocol, which it declines", function()
      local connection = raw.connect(s.port)
      local offer = { "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk" }
      assert.equal("hi", ask(connection, get("/hi", "Upgrade: h2c", unpack(offer))).body)
      assert.equal("body", ask(connection, post("/echo", "Upgrade: websocket",
        "Content-Length: 4", unpack(offer)) .. "body").body)
      assert.equal("hi", ask(connection, get("/hi")).body)
    end)
  end)

  describe("meets Expect: 100-continue", function()
    local expect = "Expect: 100-continue"

    it("before it answers", function()
      for _, value in ipairs { "100-continue", "100-Continue" } do
        local connection = sent(post("/echo", "Content-Length: 4", "Expect: " .. value))
        local interim = http.read(connection)
        assert.same({ 100, {} }, { interim.status, interim.headers })
        connection:expect_silence()
        assert.equal("body", ask(connection, "body").body)
        assert.equal("hi", ask(connection, get("/hi")).body)
      end
    end)

    it("of a chunked body", function()
      local connection = sent(post("/echo", "Transfer-Encoding: chunked", expect))
      assert.equal(100, http.read(connection).status)
      assert.equal("body", ask(connection, "4\r\nbody\r\n0\r\n\r\n").body)
    end)

    it("with silence where the body is already there", function()
      local connection = sent(post("/echo", "Content-Length: 4", expect) .. "body")
      local answer = http.read(connection)
      assert.same({ 200, "body" }, { answer.status, answer.body })
      connection:expect_silence()
    end)

    it("with silence where there is no body", function()
      assert.equal(200, http.read(sent(get("/hi", expect))).status)
      assert.equal(200, http.read(sent(post("/echo", "Content-Length: 0", expect))).status)
    end)

    it("with silence in HTTP/1.0", function()
      local connection = sent("POST /echo HTTP/1.0\r\nContent-Length: 4\r\n" .. expect ..
        "\r\n\r\n")
      connection:expect_silence()
      assert.equal("body", ask(connection, "body").body)
    end)

    it("with the final answer where no body is wanted, and closes", function()
      local connection = sent(post("/nowhere", "Content-Length: 4", expect))
      local answer = http.read(connection)
      assert.same({ 404, "close" }, { answer.status, answer.headers.connection })
      connection:expect_closed()

      connection = sent(post("/hi", "Content-Length: 4", expect))
      assert.equal(405, http.read(connection).status)
      connection:expect_closed()

      connection = sent(post("/echo", "Content-Length: 99999999", expect))
      assert.equal(413, http.read(connection).status)
      connection:expect_closed()
    end)

    it("and takes a body that the client sends nevertheless, so that the answer arrives", function()
      local connection = sent(post("/nowhere", "Content-Length: 500000", expect))
      assert.equal(404, http.read(connection).status)
      assert.equal(500000, connection:send(("x"):rep(500000)))
      connection:expect_closed()
    end)

    it("and refuses other expectations", function()
      for _, value in ipairs { "200-maybe", "100-continue, x", "100-continue=1" } do
        local before = requests()
        local connection = sent(post("/echo", "Content-Length: 4", "Expect: " .. value))
        assert.equal(417, http.read(connection).status)
        connection:expect_closed()
        assert.equal(before + 1, requests())
      end
    end)
  end)

  describe("sends no body", function()
    it("to HEAD, and the same fields as to GET", function()
      local connection = raw.connect(s.port)
      for _, target in ipairs { "/hi", "/seen", "/nowhere", "/fails", "/mebibyte" } do
        local full = ask(connection, get(target, "X: y"))
        connection:send((get(target, "X: y"):gsub("^GET", "HEAD")))
        local head = http.read(connection, { method = "HEAD" })
        assert.equal(full.status, head.status)
        assert.equal(full.headers["content-type"], head.headers["content-type"])
        -- /seen answers with the method, which is a byte longer.
        local extra = target == "/seen" and 1 or 0
        assert.equal(#full.body + extra, tonumber(head.headers["content-length"]))
      end
      connection:expect_silence()
    end)

    it("with 204 and 304", function()
      local connection = raw.connect(s.port)
      assert.equal(204, ask(connection, get("/nothing")).status)
      assert.equal(304, ask(connection, get("/unchanged")).status)
      assert.equal("hi", ask(connection, get("/hi")).body)
    end)
  end)

  describe("reads a target", function()
    local function seen(request_line, ...)
      local bytes = get("/", ...):gsub("^GET / HTTP/1.1", (request_line:gsub("%%", "%%%%")))
      return http.read(sent(bytes)):json()
    end

    it("in origin form", function()
      local got = seen("GET /seen?q=a%20b HTTP/1.1")
      assert.same({ "/seen?q=a%20b", "/seen", "localhost", "a b", "1.1", "127.0.0.1" },
        { got.target, got.path, got.host, got.q, got.version, got.ip })
    end)

    it("in absolute form, whose host wins", function()
      local got = seen("GET http://other:81/seen?q=1 HTTP/1.1")
      assert.same({ "/seen", "other:81", "1" }, { got.path, got.host, got.q })
      assert.equal("other", seen("GET HTTPS://other/seen HTTP/1.1").host)
      assert.equal("root", http.read(sent(get("http://other"))).body)
      assert.equal("root", http.read(sent(get("http://other?q=1"))).body)
    end)

    it("in asterisk form", function()
      for _, target in ipairs { "*", "http://localhost" } do
        local connection = sent(("OPTIONS %s HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(target))
        local answer = http.read(connection)
        assert.is_true(answer.status == 200 or answer.status == 204)
        assert.equal("hi", ask(connection, get("/hi")).body)
      end
    end)

    it("with bytes over 0x7f as they are", function()
      assert.equal("\195\164", http.read(sent(get("/n/\195\164"))).body)
      assert.equal("\195\164", http.read(sent(get("/n/%C3%a4"))).body)
    end)
  end)

  describe("dates its answers", function()
    local function date()
      local text = http.get(s.port, "/hi").headers.date
      assert.truthy(text:match("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$"), text)
      return text
    end

    it("with the time in the fixed format, which advances", function()
      local now, first, known = os.time(), date(), false
      for t = now - 1, os.time() + 1 do
        known = known or first == os.date("!%a, %d %b %Y %H:%M:%S GMT", t)
      end
      assert.is_true(known, first)
      assert.truthy(clock.wait_until(5, function() return date() ~= first end))
    end)
  end)

  describe("understands byte by byte", function()
    local cases = {
      get("/hi"), get("/seen?q=1", "X-Long: " .. ("x"):rep(500)), get("/nowhere"),
      post("/echo", "Content-Length: 10") .. "0123456789",
      post("/parts", "Transfer-Encoding: chunked") .. "5;x=y\r\nabcde\r\n0\r\nX-Sum: 1\r\n\r\n",
      old("/hi", "Connection: keep-alive"), "\r\n" .. get("/hi"),
    }
    it("what it understands whole", function()
      for _, bytes in ipairs(cases) do
        local whole = http.read(sent(bytes))
        local connection = raw.connect(s.port)
        connection:send_in_pieces(bytes, 1)
        local bitten = http.read(connection)
        assert.same({ whole.status, whole.body }, { bitten.status, bitten.body })
      end
    end)

    it("even where each byte comes alone", function()
      local connection = raw.connect(s.port)
      connection:send_in_pieces(cases[5], 1, 0.002)
      assert.equal("abcde", http.read(connection):json().body)
    end)
  end)

  describe("answers a client that ended its sending", function()
    it("behind its requests", function()
      local connection = sent(get("/n/1") .. get("/slow") .. get("/n/3"))
      connection:half_close()
      for _, body in ipairs { "1", "slow", "3" } do
        assert.equal(body, http.read(connection).body)
      end
      connection:expect_closed()
    end)

    it("by ending, where no whole request came", function()
      local before = requests()
      for _, bytes in ipairs { "", "\r\n", "GET /hi HT", get("/hi"):sub(1, -2),
        post("/echo", "Content-Length: 4") .. "abc",
        post("/echo", "Transfer-Encoding: chunked") .. "3\r\nabc\r\n0\r\n" } do
        local connection = sent(bytes)
        connection:half_close()
        connection:expect_closed()
      end
      assert.equal(before + 1, requests())
    end)
  end)

  describe("outlives a client that leaves", function()
    it("at any byte of its request, or before the answer", function()
      local bytes = post("/echo", "Content-Length: 4") .. "body" .. get("/slow") .. get("/big/1")
      for n = 1, #bytes, 3 do
        local connection = sent(bytes:sub(1, n))
        if n % 2 == 0 then connection:reset() else connection:close() end
      end
      assert.equal("hi", http.get(s.port, "/hi").body)
    end)
  end)

  describe("sends a big answer", function()
    it("of 8 MiB to a client that reads slowly, whole", function()
      local connection = raw.connect(s.port, { receive_buffer = 16384 })
      connection:send(get("/big/8") .. get("/hi"))
      local pieces, have = {}, 0
      while have < 8 * 1048576 do
        pieces[#pieces + 1] = assert(connection:receive())
        have = have + #pieces[#pieces]
        if #pieces % 16 == 0 then clock.sleep(0.002) end
      end
      connection.buffered = table.concat(pieces)
      local answer = http.read(connection)
      assert.is_true(answer.body == ("0123456789abcdef"):rep(8 * 65536))
      assert.equal("hi", http.read(connection).body)
    end)

    it("to nobody's harm, where the client does not read", function()
      -- 160 MiB of answers, had they been made.
      local bytes, idle = get("/mebibyte"):rep(40), {}
      http.get(s.port, "/mebibyte")
      local before = s:resident_bytes()
      for i = 1, 4 do
        idle[i] = raw.connect(s.port, { receive_buffer = 65536 })
        idle[i]:send(bytes)
      end
      local began = clock.now()
      for i = 1, 50 do assert.equal(tostring(i), http.get(s.port, "/n/" .. i).body) end
      assert.is_true(clock.now() - began < 5)
      assert.is_true(s:resident_bytes() - before < 64 * 1048576)
      -- Backpressure: what does not fit the buffers stays with the client.
      local taken = idle[1]:send(get("/mebibyte"):rep(200000), 0.2)
      assert.is_nil(taken)
      -- And one that starts to read gets everything that it asked for.
      for _ = 1, 40 do assert.equal(1048576, #http.read(idle[2]).body) end
      idle[2]:expect_silence()
    end)
  end)

  describe("frames its answers itself", function()
    it("whatever the handler sets", function()
      local connection = raw.connect(s.port)
      for _ = 1, 2 do
        local answer = ask(connection, get("/own"))
        assert.same({ 200, "own", "3", "kept" }, { answer.status, answer.body,
          answer.headers["content-length"], answer.headers["x-own"] })
        assert.is_nil(answer.headers["transfer-encoding"])
        assert.is_nil(answer.headers.connection)
        assert.is_nil(answer.headers["keep-alive"])
        assert.truthy(answer.headers.date:match("GMT$"))
      end
    end)

    it("and refuses to split them", function()
      local connection = raw.connect(s.port)
      local answer = ask(connection, get("/split"))
      assert.equal(500, answer.status)
      assert.is_nil(answer.raw:find("X-Split", 1, true))
      assert.equal("hi", ask(connection, get("/hi")).body)
      s:wait_for_log('"X%-Split" cannot be sent')
    end)
  end)
end)

describe("an idle connection", function()
  after_each(server.cleanup)

  it("holds less than 1 KiB", function()
    -- The address sanitizer keeps what is freed; here it shall not.
    local sanitizer = (os.getenv("ASAN_OPTIONS") or "") ..
      ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
    local s = server.start { app = app, env = { ASAN_OPTIONS = sanitizer } }
    local connection, idle = raw.connect(s.port), {}
    for _ = 1, 200 do -- until Lua's heap has its size
      connection:send(get("/hi"):rep(100))
      for _ = 1, 100 do http.read(connection) end
    end
    local before = s:resident_bytes()
    for i = 1, 800 do
      idle[i] = raw.connect(s.port)
      idle[i]:send(get("/hi"))
      assert.equal("hi", http.read(idle[i]).body)
    end
    assert.is_true(s:resident_bytes() - before < 800 * 1024)
  end)
end)

describe("the server listens", function()
  after_each(server.cleanup)

  it("on IPv6", function()
    local s = server.start { app = app, args = { "--host", "::1" } }
    s:wait_for_log("on http://%[::1%]:%d+ ")
    assert.equal("::1", http.get({ host = "::1", port = tonumber(s:log():match("%]:(%d+)")) },
      "/seen"):json().ip)
  end)

  it("on a UNIX socket, which it removes at the end", function()
    local s = server.start { app = app, args = { "--listen", "unix:barq.sock" } }
    local path = s.directory .. "/barq.sock"
    local answer = http.get({ path = path }, "/seen")
    assert.same({ "", "localhost" }, { answer:json().ip, answer:json().host })
    s:stop()
    assert.is_nil(raw.try_connect { path = path })
    assert.is_nil(io.open(path))
  end)

  it("on nothing that another program has", function()
    local args = { "--listen=unix:barq.sock", "--listen=127.0.0.1:0" }
    local s = server.start { app = app, args = args }
    local path = s.directory .. "/barq.sock"
    local function refused(...)
      return server.start { app = app, args = { ... }, expect_failure = true }
    end
    local other = refused("--port", tostring(s.port))
    assert.equal(1, other.code)
    assert.truthy(other:log():find(("port %d on 127.0.0.1 is in use"):format(s.port), 1, true))
    other = refused("--listen", "unix:" .. path)
    assert.equal(1, other.code)
    assert.truthy(other:log():find(("socket %s is in use"):format(path), 1, true))
    assert.equal("hi", http.get({ path = path }, "/hi").body)
  end)

  it("on a UNIX socket that a killed server left behind", function()
    local s = server.start { app = app, args = { "--listen", "unix:barq.sock" } }
    local path = s.directory .. "/barq.sock"
    s:signal("KILL")
    assert.same({ nil, 9 }, { s:wait() })
    server.start { app = app, args = { "--listen", "unix:" .. path } }
    assert.equal("hi", http.get({ path = path }, "/hi").body)
  end)

  it("on several endpoints, with several workers #threads", function()
    local s = server.start { app = app, args = { "--workers=2", "--listen=unix:barq.sock",
      "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--listen", "[::1]:0" } }
    local one, two, six = s:wait_for_log("on unix:barq.sock, http://127.0.0.1:(%d+), " ..
      "http://127.0.0.1:(%d+), http://%[::1%]:(%d+) ")
    assert.not_equal(one, two)
    for _, where in ipairs { { port = tonumber(one) }, { port = tonumber(two) },
      { host = "::1", port = tonumber(six) }, { path = s.directory .. "/barq.sock" } } do
      for _ = 1, 10 do assert.equal("hi", http.get(where, "/hi").body) end
    end
  end)
end)
