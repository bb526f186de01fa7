-- Framing that cannot be smuggled (RFC 9112): every request here could mean one thing to a
-- proxy and another to its server. It must be refused, nothing behind it may be served, and
-- the connection must end. Each is sent whole and byte by byte.
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  local calls = 0
  barq.get("/calls", function() return { calls = calls } end)
  barq.any("/{path*}", function(req)
    calls = calls + 1
    return { method = req.method, path = req.path, body = req.body }
  end)
]]

local smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

-- A head of fields behind a good request line and Host, and what follows it.
local function post(...)
  return "POST /first HTTP/1.1\r\nHost: localhost\r\n" .. table.concat({ ... }, "\r\n") ..
    "\r\n\r\n"
end

local function chunked(body)
  return post("Transfer-Encoding: chunked") .. body
end

local function line(text)
  return text .. "\r\nHost: localhost\r\n\r\n"
end

local function host(...)
  return "GET /first HTTP/1.1\r\n" .. table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

-- { what, bytes, status if not 400 }
local refused = {
  -- Two lengths.
  { "content-length with transfer-encoding",
    post("Content-Length: 5", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "transfer-encoding with content-length",
    post("Transfer-Encoding: chunked", "Content-Length: 5") .. "0\r\n\r\n" },
  { "content-length 0 with transfer-encoding",
    post("Content-Length: 0", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "differing content-lengths", post("Content-Length: 5", "Content-Length: 6") .. "aaaaaa" },
  { "equal content-lengths", post("Content-Length: 5", "Content-Length: 5") .. "aaaaa" },
  { "content-lengths in different case",
    post("content-length: 0", "CONTENT-LENGTH: 5") .. "aaaaa" },

  -- Lengths that are none.
  { "content-length +5", post("Content-Length: +5") .. "aaaaa" },
  { "content-length -5", post("Content-Length: -5") .. "aaaaa" },
  { "content-length -0", post("Content-Length: -0") },
  { "content-length 0x5", post("Content-Length: 0x5") .. "aaaaa" },
  { "content-length 5, 6", post("Content-Length: 5, 6") .. "aaaaaa" },
  { "content-length 5, 5", post("Content-Length: 5, 5") .. "aaaaa" },
  { "content-length 5,", post("Content-Length: 5,") .. "aaaaa" },
  { "content-length 5 5", post("Content-Length: 5 5") .. "aaaaa" },
  { "content-length 5;", post("Content-Length: 5;") .. "aaaaa" },
  { "content-length 5.0", post("Content-Length: 5.0") .. "aaaaa" },
  { "content-length 5e0", post("Content-Length: 5e0") .. "aaaaa" },
  { "content-length 1_0", post("Content-Length: 1_0") .. "aaaaaaaaaa" },
  { "content-length \"5\"", post('Content-Length: "5"') .. "aaaaa" },
  { "content-length in words", post("Content-Length: five") .. "aaaaa" },
  { "empty content-length", post("Content-Length:") },
  { "blank content-length", post("Content-Length: \t ") },
  { "content-length of 2^64", post("Content-Length: 18446744073709551616") },
  { "content-length of 2^64 + 5", post("Content-Length: 18446744073709551621") .. "aaaaa" },
  { "content-length of 2^63", post("Content-Length: 9223372036854775808") },
  { "content-length of 100 digits", post("Content-Length: " .. ("9"):rep(100)) },
  { "content-length with a form feed", post("Content-Length: \0125") .. "aaaaa" },
  { "content-length with a no-break space", post("Content-Length: 5\194\160") .. "aaaaa" },

  -- Codings that do not end in chunked, or hide it.
  { "transfer-encoding identity", post("Transfer-Encoding: identity") },
  { "transfer-encoding gzip", post("Transfer-Encoding: gzip") .. "0\r\n\r\n" },
  { "transfer-encoding chunked, gzip", post("Transfer-Encoding: chunked, gzip") .. "0\r\n\r\n" },
  { "transfer-encoding chunked, identity",
    post("Transfer-Encoding: chunked, identity") .. "0\r\n\r\n" },
  { "transfer-encoding identity, chunked",
    post("Transfer-Encoding: identity, chunked") .. "0\r\n\r\n" },
  { "transfer-encoding chunked, chunked",
    post("Transfer-Encoding: chunked, chunked") .. "0\r\n\r\n" },
  { "transfer-encoding twice",
    post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "transfer-encoding chunked, then another",
    post("Transfer-Encoding: chunked", "Transfer-Encoding: x") .. "0\r\n\r\n" },
  { "transfer-encoding another, then chunked",
    post("Transfer-Encoding: x", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "transfer-encoding xchunked", post("Transfer-Encoding: xchunked") .. "0\r\n\r\n" },
  { "transfer-encoding chunkedx", post("Transfer-Encoding: chunkedx") .. "0\r\n\r\n" },
  { "transfer-encoding \"chunked\"", post('Transfer-Encoding: "chunked"') .. "0\r\n\r\n" },
  { "transfer-encoding chunked;", post("Transfer-Encoding: chunked;") .. "0\r\n\r\n" },
  { "transfer-encoding chunked;a=b", post("Transfer-Encoding: chunked;a=b") .. "0\r\n\r\n" },
  { "transfer-encoding , chunked", post("Transfer-Encoding: , chunked") .. "0\r\n\r\n" },
  { "transfer-encoding chunked,", post("Transfer-Encoding: chunked,") .. "0\r\n\r\n" },
  { "transfer-encoding behind a vertical tab",
    post("Transfer-Encoding: \011chunked") .. "0\r\n\r\n" },
  { "transfer-encoding with a NUL", post("Transfer-Encoding: chunked\0") .. "0\r\n\r\n" },
  { "transfer-encoding behind a byte order mark",
    post("Transfer-Encoding: \239\187\191chunked") .. "0\r\n\r\n" },
  { "empty transfer-encoding", post("Transfer-Encoding:") .. "0\r\n\r\n" },
  { "space in transfer-encoding's name", post("Transfer Encoding: chunked") .. "0\r\n\r\n" },
  { "transfer-encoding, folded", post("Transfer-Encoding:\r\n chunked") .. "0\r\n\r\n" },
  { "transfer-encoding in HTTP/1.0",
    "POST /first HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" ..
    "0\r\n\r\n" },
  { "transfer-encoding gzip, chunked, which is honest",
    post("Transfer-Encoding: gzip, chunked") .. "0\r\n\r\n", 501 },

  -- Ends of lines.
  { "bare LF behind the request line", "GET /first HTTP/1.1\nHost: localhost\r\n\r\n" },
  { "bare LF behind a field", "GET /first HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n" },
  { "bare LF as the empty line", "GET /first HTTP/1.1\r\nHost: localhost\r\n\n" },
  { "bare LF everywhere", "GET /first HTTP/1.1\nHost: localhost\n\n" },
  { "bare LF before the request line", "\nGET /first HTTP/1.1\r\nHost: localhost\r\n\r\n" },
  { "bare CR behind the request line", "GET /first HTTP/1.1\rHost: localhost\r\n\r\n" },
  { "bare CR behind a field", post("X: y\rZ: z") },
  { "bare CR in a name", post("X\r: y") },
  { "bare CR at the end of a value", post("X: y\r") },
  { "bare CR before the colon's value", post("X:\ry") },
  { "bare CR as the empty line", "GET /first HTTP/1.1\r\nHost: localhost\r\n\rX" },
  { "CR CR LF", "GET /first HTTP/1.1\r\nHost: localhost\r\r\n\r\n" },

  -- Names and values.
  { "space before the colon", post("Content-Length : 5") .. "aaaaa" },
  { "tab before the colon", post("Content-Length\t: 5") .. "aaaaa" },
  { "space before a name", post("X: y", " Content-Length: 5") .. "aaaaa" },
  { "space before the first name", "GET /first HTTP/1.1\r\n Host: localhost\r\n\r\n" },
  { "obs-fold with a space", post("X: y", " z") },
  { "obs-fold with a tab", post("X: y", "\tz") },
  { "obs-fold of blanks alone", post("X: y", "  ") },
  { "no colon", post("Content-Length 5") .. "aaaaa" },
  { "empty name", post(": y") },
  { "NUL in a name", post("Content-Length\0: 5") .. "aaaaa" },
  { "NUL in a value", post("X: a\0b") },
  { "bell in a name", post("X\a: y") },
  { "bell in a value", post("X: a\ab") },
  { "escape in a value", post("X: \027[2J") },
  { "DEL in a name", post("X\127: y") },
  { "DEL in a value", post("X: a\127b") },
  { "a byte over 0x7f in a name", post("X\195\164: y") },
  { "bracket in a name", post("X[]: y") },
  { "slash in a name", post("X/Y: y") },

  -- Host.
  { "no host", "GET /first HTTP/1.1\r\nX: y\r\n\r\n" },
  { "no field at all", "GET /first HTTP/1.1\r\n\r\n" },
  { "host twice", host("Host: localhost", "Host: localhost") },
  { "two hosts", host("Host: a", "Host: b") },
  { "two hosts in HTTP/1.0", "GET /first HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n" },
  { "two hosts in one", host("Host: a, b") },
  { "host with a space", host("Host: a b") },
  { "host with a path", host("Host: a/b") },
  { "host with a user", host("Host: user@a") },
  { "host with a scheme", host("Host: http://a") },
  { "host with a query", host("Host: a?b") },
  { "host with a port that is none", host("Host: a:b") },
  { "host with two ports", host("Host: a:1:2") },
  { "host with port 65536", host("Host: a:65536") },
  { "host with an open bracket", host("Host: [::1") },
  { "host with junk behind the bracket", host("Host: [::1]a") },
  { "host with a bracket around a name", host("Host: [a.example]") },
  { "host with a broken escape", host("Host: a%2") },
  { "host with a control character", host("Host: a\1b") },
  { "an absolute target with a bad host",
    "GET http://a@b/first HTTP/1.1\r\nHost: localhost\r\n\r\n" },
  { "an absolute target without a host",
    "GET http:///first HTTP/1.1\r\nHost: localhost\r\n\r\n" },

  -- Chunks.
  { "chunk size +5", chunked "+5\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size -5", chunked "-5\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size 0x5", chunked "0x5\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size 5h", chunked "5h\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size 5 5", chunked "5 5\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size 5.", chunked "5.\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size 5,", chunked "5,\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size 1_0", chunked "1_0\r\naaaaaaaaaaaaaaaa\r\n0\r\n\r\n" },
  { "chunk size behind a space", chunked " 5\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size with a NUL", chunked "5\0\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size of 2^64", chunked "10000000000000000\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size of 2^64 + 5", chunked "10000000000000005\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size of 100 digits", chunked(("f"):rep(100) .. "\r\naaaaa\r\n0\r\n\r\n") },
  { "chunk size of 10,000 zeros", chunked(("0"):rep(10000) .. "5\r\naaaaa\r\n0\r\n\r\n") },
  { "no chunk size", chunked "\r\naaaaa\r\n0\r\n\r\n" },
  { "no chunk size but an extension", chunked ";a=b\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk size with bare LF", chunked "5\naaaaa\r\n0\r\n\r\n" },
  { "chunk size with bare CR", chunked "5\raaaaa\r\n0\r\n\r\n" },
  { "chunk extension with bare LF", chunked "5;a\naaaaa\r\n0\r\n\r\n" },
  { "chunk extension with bare CR", chunked "5;a\rb\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk extension with a NUL", chunked "5;a\0b\r\naaaaa\r\n0\r\n\r\n" },
  { "chunk extension of 64 KiB", chunked("5;" .. ("a"):rep(65536) .. "\r\naaaaa\r\n0\r\n\r\n") },
  { "chunk extensions that never end",
    chunked(("1;" .. ("a"):rep(200) .. "\r\na\r\n"):rep(500) .. "0\r\n\r\n") },
  { "a chunk longer than its size", chunked "2\r\naaa\r\n0\r\n\r\n" },
  { "a chunk that ends in bare LF", chunked "5\r\naaaaa\n0\r\n\r\n" },
  { "a chunk that ends in bare CR", chunked "5\r\naaaaa\r0\r\n\r\n" },
  { "a chunk that does not end", chunked "5\r\naaaaa0\r\n\r\n" },
  { "trailers with bare LF", chunked "0\r\nX: y\n\r\n" },
  { "trailers that end in bare LF", chunked "0\r\n\n" },
  { "trailers with a space before the colon", chunked "0\r\nX : y\r\n\r\n" },
  { "trailers with a fold", chunked "0\r\nX: y\r\n z\r\n\r\n" },
  { "trailers with a NUL", chunked "0\r\nX: \0\r\n\r\n" },
  { "trailers without a colon", chunked "0\r\nGET /smuggled HTTP/1.1\r\n\r\n" },

  -- Request lines.
  { "garbage behind the version", line "GET /first HTTP/1.1 garbage" },
  { "letters behind the version", line "GET /first HTTP/1.1x" },
  { "space behind the version", line "GET /first HTTP/1.1 " },
  { "two spaces before the target", line "GET  /first HTTP/1.1" },
  { "two spaces behind the target", line "GET /first  HTTP/1.1" },
  { "space before the method", line " GET /first HTTP/1.1" },
  { "space in the target", line "GET /fi rst HTTP/1.1" },
  { "tab before the target", line "GET\t/first HTTP/1.1" },
  { "tab behind the target", line "GET /first\tHTTP/1.1" },
  { "vertical tab behind the target", line "GET /first\011HTTP/1.1" },
  { "form feed before the target", line "GET \012/first HTTP/1.1" },
  { "no target", line "GET HTTP/1.1" },
  { "empty target", line "GET  HTTP/1.1" },
  { "no version", line "GET /first" },
  { "no method", line "/first HTTP/1.1" },
  { "a relative target", line "GET first HTTP/1.1" },
  { "another scheme", line "GET ftp://localhost/first HTTP/1.1" },
  { "an asterisk with GET", line "GET * HTTP/1.1" },
  { "a fragment", line "GET /first#part HTTP/1.1" },
  { "NUL in the target", line "GET /fi\0rst HTTP/1.1" },
  { "a control character in the target", line "GET /fi\1rst HTTP/1.1" },
  { "DEL in the target", line "GET /fi\127rst HTTP/1.1" },
  { "NUL in the method", line "GE\0T /first HTTP/1.1" },
  { "a separator in the method", line "GE(T /first HTTP/1.1" },
  { "http in lower case", line "GET /first http/1.1" },
  { "another protocol", line "GET /first RTSP/1.1" },
  { "a version of one part", line "GET /first HTTP/1" },
  { "a version of three digits", line "GET /first HTTP/1.10" },
  { "a version with a leading zero", line "GET /first HTTP/01.1" },
  { "a version with a comma", line "GET /first HTTP/1,1" },
  { "version 0.9", line "GET /first HTTP/0.9" },
  { "version 2.0", line "GET /first HTTP/2.0", 505 },
  { "version 3.0", line "GET /first HTTP/3.0", 505 },
  { "version 1.2", line "GET /first HTTP/1.2", 505 },
  { "version 9.9", line "GET /first HTTP/9.9", 505 },
  { "a method that nobody knows", line "FROBNICATE /first HTTP/1.1", 501 },
  { "a method in lower case", line "get /first HTTP/1.1", 501 },
  { "a method that begins like one", line "GETS /first HTTP/1.1", 501 },
  { "the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
  { "a tunnel", line "CONNECT localhost:80 HTTP/1.1", 501 },
  { "TLS", "\22\3\1\2\0\1\0\1\252\3\3" },
  { "empty lines without end", ("\r\n"):rep(20) .. line "GET /first HTTP/1.1" },
}

-- The counterpart: what looks as odd, and means the same to everybody. { what, bytes, body }
local accepted = {
  { "transfer-encoding in capitals",
    post("TRANSFER-ENCODING: CHUNKED") .. "5\r\naaaaa\r\n0\r\n\r\n", "aaaaa" },
  { "blanks around a value", post("X: \t y \t", "Content-Length: \t 5  ") .. "aaaaa", "aaaaa" },
  { "no blank before a value", post("Content-Length:5") .. "aaaaa", "aaaaa" },
  { "an empty value", post("X:", "Content-Length: 5") .. "aaaaa", "aaaaa" },
  { "bytes over 0x7f in a value", post("X: \195\164", "Content-Length: 1") .. "a", "a" },
  { "chunk sizes in hexadecimal, with zeros",
    chunked "00A\r\naaaaaaaaaa\r\nb\r\nbbbbbbbbbbb\r\n000\r\n\r\n", "aaaaaaaaaabbbbbbbbbbb" },
  { "a small chunk extension", chunked "5;a=\"b c\"\r\naaaaa\r\n0;x\r\n\r\n", "aaaaa" },
  { "a body that looks like a request",
    post("Content-Length: " .. #smuggled) .. smuggled, smuggled },
  { "a chunk that looks like a request",
    chunked(("%x\r\n%s\r\n0\r\n\r\n"):format(#smuggled, smuggled)), smuggled },
  { "an empty line before the request", "\r\n" .. post("Content-Length: 1") .. "a", "a" },
  { "host with a port", host("Host: localhost:65535"), "" },
  { "host with an address", host("Host: [::1]:80"), "" },
  { "an empty host", host("Host:"), "" },
}

describe("a request whose framing is ambiguous", function()
  local s

  setup(function() s = server.start { app = app } end)
  teardown(server.cleanup)
  after_each(raw.close_all)

  local function calls() return http.get(s.port, "/calls"):json().calls end

  -- Sends the request and one behind it; the answer must be the last, and no handler called.
  local function expect_refusal(bytes, status, piece)
    local before = calls()
    local connection = raw.connect(s.port)
    connection:send_in_pieces(bytes .. smuggled, piece)
    local answer = http.read(connection)
    assert.equal(status, answer.status, answer.body)
    assert.equal("close", answer.headers.connection)
    assert.is_string(answer:json().detail)
    connection:expect_closed()
    assert.equal(before, calls())
  end

  for _, case in ipairs(refused) do
    local what, bytes, status = case[1], case[2], case[3] or 400
    it(("is refused: %s"):format(what), function()
      expect_refusal(bytes, status, 65536)
      -- The long ones are about bounds, not about where they are cut.
      expect_refusal(bytes, status, #bytes < 2000 and 1 or 997)
    end)
  end

  for _, case in ipairs(accepted) do
    local what, bytes, body = case[1], case[2], case[3]
    it(("is not made of %s"):format(what), function()
      for _, piece in ipairs { 65536, 1 } do
        local connection = raw.connect(s.port)
        connection:send_in_pieces(bytes .. smuggled, piece)
        local first, second = http.read(connection), http.read(connection)
        assert.same({ 200, body, "/first" },
          { first.status, first:json().body, first:json().path })
        assert.same({ 200, "/smuggled" }, { second.status, second:json().path })
        connection:expect_silence(0.01)
        connection:close()
      end
    end)
  end
end)

describe("a method", function()
  local s

  setup(function()
    s = server.start {
      app = [[require("barq").get("/get-only", function() return "got" end)]],
    }
  end)
  teardown(server.cleanup)
  after_each(raw.close_all)

  it("that is known and has no route is 405, and the connection goes on", function()
    local connection = raw.connect(s.port)
    for _, method in ipairs { "POST", "DELETE", "PATCH", "PROPFIND", "LOCK", "QUERY", "TRACE" } do
      connection:send(line(method .. " /get-only HTTP/1.1"))
      local answer = http.read(connection)
      assert.equal(405, answer.status, method)
      assert.equal("GET, HEAD, OPTIONS", answer.headers.allow)
    end
    connection:send(line "GET /get-only HTTP/1.1")
    assert.equal("got", http.read(connection).body)
  end)
end)
