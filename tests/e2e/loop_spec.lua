-- Requests that are received, and answers that leave, together by io_uring; and a server that does
-- without it.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local app = [[
  local barq = require "barq"
  local ffi = require "ffi"
  ffi.cdef "int usleep(unsigned int);"
  barq.get("/hold", function(req)
    for _ = 1, tonumber(req.query.ms) / 10 do ffi.C.usleep(10000) end
    return "held"
  end)
  barq.get("/echo/{text}", function(req) return req.params.text end)
  barq.get("/late/{text}", function(req) barq.sleep(0.05) return req.params.text end)
]]

local function get(target)
  return "GET " .. target .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
end

-- So many connections on which an answer has come.
local function connect(s, count)
  local list = {}
  for i = 1, count do
    list[i] = raw.connect(s.port)
    list[i]:send(get("/echo/first"))
    assert.equal("first", http.read(list[i]).body)
  end
  return list
end

describe("a server's loop #threads", function()
  after_each(server.cleanup)
  after_each(raw.close_all)

  for _, loop in ipairs { "uring", "epoll" } do
    it("answers everybody who asks at once with " .. loop, function()
      local s = server.start { app = app, args = { "--workers", "1", "--loop", loop } }
      local clients = connect(s, 100)
      for round = 1, 3 do
        local way = round == 3 and "/late/" or "/echo/"
        clients[1]:send(get("/hold?ms=20"))
        for i = 2, 100 do clients[i]:send(get(way .. i) .. get("/echo/and-" .. i)) end
        assert.equal("held", http.read(clients[1]).body)
        for i = 2, 100 do
          assert.equal(tostring(i), http.read(clients[i]).body)
          assert.equal("and-" .. i, http.read(clients[i]).body)
        end
      end
      s:stop()
    end)

    -- Those before it in the same turn are answered already, whether sent or not.
    it("lets nobody wait for a handler that comes after them with " .. loop, function()
      local s = server.start { app = app, args = { "--workers", "1", "--loop", loop,
        "--adoption-after", "40ms" } }
      local clients = connect(s, 5)
      clients[1]:send(get("/hold?ms=30"))
      clock.sleep(0.01)
      for i = 2, 4 do clients[i]:send(get("/echo/" .. i)) end
      clients[5]:send(get("/hold?ms=2000"))
      local began = clock.now()
      for i = 2, 4 do assert.equal(tostring(i), http.read(clients[i]).body) end
      assert.is_true(clock.now() - began < 1.5)
      for i = 2, 4 do
        clients[i]:send(get("/echo/again"))
        assert.equal("again", http.read(clients[i]).body)
      end
      assert.is_true(clock.now() - began < 1.9)
      assert.equal("held", http.read(clients[5], { timeout = 10 }).body)
      s:stop()
    end)

    -- Those after it in the same turn were received already, perhaps.
    it("lets nobody wait for a handler that comes before them with " .. loop, function()
      local s = server.start { app = app, args = { "--workers", "1", "--loop", loop,
        "--adoption-after", "40ms" } }
      local clients = connect(s, 40)
      clients[1]:send(get("/hold?ms=30"))
      clock.sleep(0.01)
      clients[2]:send(get("/hold?ms=2000"))
      for i = 3, 40 do clients[i]:send(get("/echo/" .. i) .. get("/echo/and-" .. i)) end
      local began = clock.now()
      for i = 3, 40 do
        assert.equal(tostring(i), http.read(clients[i]).body)
        assert.equal("and-" .. i, http.read(clients[i]).body)
      end
      assert.is_true(clock.now() - began < 1.5)
      assert.equal("held", http.read(clients[1]).body)
      assert.equal("held", http.read(clients[2], { timeout = 10 }).body)
      s:stop()
    end)
  end

  -- Fault sites are in these builds only.
  local binary = os.getenv("BARQ_SERVER") or ""
  local forbidden = (binary:find("/dev/", 1, true) or binary:find("/tsan/", 1, true))
    and { BARQ_FAULT = "uring_setup:1+" }

  it("is an error where io_uring is insisted on and forbidden", function()
    if not forbidden then return end
    local s = server.start { app = app, args = { "--loop", "uring" }, env = forbidden,
      expect_failure = true }
    assert.equal(1, s.code)
    assert.matches('loop is "uring", and io_uring cannot be used here: Operation not permitted; '
      .. '"auto" serves without it', s:log(), 1, true)
  end)

  it("does without io_uring where it is forbidden, and without a word", function()
    if not forbidden then return end
    local s = server.start { app = app, args = { "--loop", "auto" }, env = forbidden }
    for i, client in ipairs(connect(s, 20)) do
      client:send(get("/echo/" .. i))
      assert.equal(tostring(i), http.read(client).body)
    end
    assert.not_matches("uring", s:log())
    s:stop()
  end)
end)
