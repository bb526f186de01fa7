-- The programs that measure: a client that passes wrong answers would make any server fast.
local server = require "support.server"

local programs = (os.getenv "BARQ_SERVER" or "build/release/barq-server"):match "^(.*)/"

local app = [[
  local barq = require "barq"
  local count = 0
  barq.get("/text", function() return "right" end)
  barq.get("/either", function()
    count = count + 1
    return count % 3 == 0 and "one" or "the other"
  end)
  barq.get("/later", function()
    count = count + 1
    return count < 500 and "right" or "wrong"
  end)
  barq.get("/refused", function() return "right", 404 end)
]]

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

describe("the load client", function()
  after_each(server.cleanup)

  -- Runs it for a fifth of a second: its line as numbers and all that it said.
  local function load(s, target, bodies, connections, depth, threads)
    local request = write(s.directory .. "/request",
      "GET " .. target .. " HTTP/1.1\r\nHost: localhost\r\n\r\n")
    local pipe = io.popen(("%s/bench-load %d %d %d %d 200 %s <%s 2>&1; echo status=$?"):format(
      programs, s.port, connections, depth, threads, write(s.directory .. "/bodies", bodies),
      request))
    local said, found = pipe:read "*a", {}
    pipe:close()
    for name, value in said:gmatch "(%w+)=(%d+)" do found[name] = tonumber(value) end
    return found, said
  end

  it("counts answers and their latencies", function()
    local found, said = load(server.start { app = app }, "/text", "right\n", 8, 1, 1)
    assert.equal(0, found.status, said)
    assert.is_true(found.answers >= 8)
    assert.is_true(found.ns >= 2e8)
    assert.is_true(0 < found.p50 and found.p50 <= found.p99 and found.p99 <= found.max)
  end)

  it("takes any of several bodies, pipelined, on several threads", function()
    local found, said = load(server.start { app = app }, "/either", "one\nthe other\n", 4, 16, 2)
    assert.equal(0, found.status, said)
    assert.equal(0, found.answers % 16)
  end)

  it("fails at the first wrong body, however many were right before", function()
    local found, said = load(server.start { app = app }, "/later", "right\n", 4, 1, 1)
    assert.equal(1, found.status)
    assert.truthy(said:find("wrong\nbench-load: receiving: not the answer that was expected", 1,
      true))
  end)

  it("fails at a body that only begins as the right one", function()
    assert.equal(1, load(server.start { app = app }, "/text", "righ\n", 1, 1, 1).status)
    assert.equal(1, load(server.start { app = app }, "/text", "right.\n", 1, 1, 1).status)
  end)

  it("fails at an answer that is not 2xx", function()
    assert.equal(1, load(server.start { app = app }, "/refused", "right\n", 1, 1, 1).status)
  end)

  it("fails when the server closes a connection", function()
    local s = server.start { app = app, args = { "--requests-max", "5" } }
    local found, said = load(s, "/text", "right\n", 2, 1, 1)
    assert.equal(1, found.status)
    assert.truthy(said:find("closed", 1, true))
  end)

  it("finds the bare server's answers right, with llhttp and without", function()
    local s = server.start { app = app }
    local answer = write(s.directory .. "/answer",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright")
    -- Emptied first: in the second round it still has the first one's port.
    local script = [[
      : >%s/ceiling
      %s/bench-ceiling 0 %s 1 %s >%s/ceiling & pid=$!
      for i in 1 2 3 4 5 6 7 8 9 10; do
        port=$(sed -n 's/.*127.0.0.1://p' %s/ceiling 2>/dev/null)
        [ -z "$port" ] || break
        sleep 0.2
      done
      printf 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}' |
        %s/bench-load $port 4 8 1 200 %s 2>&1
      echo status=$?
      kill $pid]]
    for _, parser in ipairs { "", "llhttp" } do
      local pipe = io.popen(script:format(s.directory, programs, answer, parser, s.directory,
        s.directory, programs, write(s.directory .. "/bodies", "right\n")))
      local said = pipe:read "*a"
      pipe:close()
      assert.truthy(said:find("status=0", 1, true), said)
    end
  end)
end)
