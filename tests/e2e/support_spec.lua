-- The support itself: what the other specs lean on must fail when it should.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

describe("the support of the specs", function()
  after_each(server.cleanup)

  local app = [[
    local barq = require "barq"
    barq.get("/", function() return "hi" end)
    barq.post("/echo", function(req) return req.body end)
  ]]

  it("starts a server, asks it and stops it", function()
    local s = server.start { app = app }
    local answer = http.get(s.port, "/")
    assert.equal(200, answer.status)
    assert.equal("hi", answer.body)
    assert.equal("hi", http.request(s.port, "POST", "/echo", { body = "hi" }).body)
    s:stop()
    assert.equal(0, s.code)
  end)

  it("starts an application of the repository", function()
    local s = server.start { file = "apps/items/app.lua" }
    assert.same({ message = "Welcome to barq!" }, http.get(s.port, "/"):json())
  end)

  it("tells how a server failed to start", function()
    local s = server.start { app = "local x = = 1", expect_failure = true }
    assert.equal(1, s.code)
    assert.truthy(s:log():find("app.lua:1", 1, true))
  end)

  it("fails when the server does not start", function()
    local ok, message = pcall(server.start, { app = "error('no way')" })
    assert.is_false(ok)
    assert.truthy(message:find("no way", 1, true))
  end)

  it("fails when a server that was killed is asked to stop cleanly", function()
    local s = server.start { app = app }
    s:signal("KILL")
    clock.wait_until(10, function() return s:ended() end)
    assert.is_false(pcall(s.stop, s))
  end)

  -- Answers of a peer that is not to be trusted, through a socket pair.
  describe("reader", function()
    local function read(bytes, method)
      local near, far = raw.pair()
      far:send(bytes)
      far:close()
      local ok, result = pcall(http.read, near, { method = method, timeout = 1 })
      return ok and result or nil, ok and near or result
    end

    it("takes answers one by one", function()
      local first, connection = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab" ..
        "HTTP/1.1 204 No Content\r\n\r\n")
      assert.equal("ab", first.body)
      assert.equal(204, http.read(connection).status)
      connection:expect_closed()
    end)

    it("takes chunks and trailers", function()
      local answer = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" ..
        "2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 1\r\n\r\n")
      assert.equal("abc", answer.body)
      assert.equal("1", answer.trailers["x-sum"])
    end)

    it("notices bytes after the end", function()
      local _, connection = read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab")
      assert.is_false(pcall(connection.expect_closed, connection))
    end)

    local faults = {
      ["no length"] = "HTTP/1.1 200 OK\r\n\r\nab",
      ["both lengths"] =
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ["a length twice"] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
      ["a signed length"] = "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
      ["a length without a body"] = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
      ["a bare LF"] = "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
      ["a bare CR"] = "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
      ["a space before the colon"] = "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
      ["a fold"] = "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
      ["a short body"] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
      ["a malformed chunk"] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
      ["another version"] = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    }
    for name, bytes in pairs(faults) do
      it("refuses " .. name, function() assert.is_nil((read(bytes))) end)
    end
  end)
end)
