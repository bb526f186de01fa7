-- Fifty thousand requests over a thousand connections, a third of which are cut at a random byte:
-- no answer is lost, no sanitizer has anything to say, and memory does not grow.
local server = require "support.server"

local binary = os.getenv("BARQ_SERVER") or "build/release/barq-server"
local client = os.getenv("BARQ_SOAK_CLIENT") or "build/dev/soak-client"
local sanitized = binary:find("/dev/", 1, true) or binary:find("/tsan/", 1, true)

local app = [[
  local barq = require "barq"
  local counters = barq.shared("counters")
  barq.use(function(req, next)
    local res = next(req)
    res.headers["x-kind"] = req.route and req.route.path
    return res
  end)
  barq.get("/echo/{id}", function(req) return req.params.id end)
  barq.post("/len/{id}", function(req)
    counters:incr("bodies")
    return req.params.id .. " " .. #req.body
  end)
  barq.get("/sleep/{id}", function(req)
    barq.sleep(0.002)
    req:after(function() counters:incr("after") end)
    return req.params.id
  end)
  barq.get("/big/{id}", function(req) return req.params.id .. ("x"):rep(50000) end)
  barq.get("/abort/{id}", function() barq.abort(409, "soak") end)
]]

local function soak(port, seed)
  local command = ("%s %d 1000 50000 %d 2>&1; echo exit $?"):format(client, port, seed)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

describe("fifty thousand requests over a thousand bad connections #soak #threads", function()
  after_each(server.cleanup)

  it("lose no answer", function()
    local s = server.start { app = app, args = { "--workers", "2" } }
    for seed = 1, sanitized and 1 or 2 do
      local text = soak(s.port, seed)
      assert.matches(" 0 lost, 0 wrong\nexit 0\n", text, 1, true)
    end
    s:stop()
  end)

  -- Handlers hold their workers now and then, and connections change hands all the time.
  it("lose no answer while workers take over from each other", function()
    local holding = app .. [[
      local ffi = require "ffi"
      ffi.cdef "int usleep(unsigned int);"
      barq.use(function(req, next)
        if math.random(100) == 1 then ffi.C.usleep(math.random(8000)) end
        return next(req)
      end)
    ]]
    local s = server.start { app = holding,
      args = { "--workers", "2", "--adoption-after", "1ms", "--standby-timeout", "500ms" } }
    local text = soak(s.port, 7)
    assert.matches(" 0 lost, 0 wrong\nexit 0\n", text, 1, true)
    assert.matches("connections that others took over: [1-9]", s:log())
    s:stop()
  end)

  it("leave memory where it was", function()
    -- Sanitizers keep freed memory back; there the leak check at the server's end answers instead.
    if sanitized then return end
    local s = server.start { app = app, args = { "--standby-workers", "0" } }
    -- The pools of spare parts fill up first; they are bounded.
    for seed = 1, 3 do soak(s.port, seed) end
    local before = s:resident_bytes()
    for seed = 4, 6 do soak(s.port, seed) end
    local grown = s:resident_bytes() - before
    assert.is_true(grown < 4 * 1024 * 1024, ("grew by %d bytes"):format(grown))
    s:stop()
  end)
end)
