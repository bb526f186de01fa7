-- What an application can say, over the wire: answers, errors, middleware, req, cookies, bodies,
-- waiting, and what becomes of its mistakes.
local clock = require "support.clock"
local http = require "support.http"
local raw = require "support.raw"
local server = require "support.server"

local ERROR = '{"detail":"Internal Server Error"}'

local function json_body(body)
  return { headers = { ["Content-Type"] = "application/json" }, body = body }
end

local function form_body(body)
  return { headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }, body = body }
end

-- Sends the same request on n connections at once, then takes the answers.
local function at_once(n, port, method, target)
  local connections, answers = {}, {}
  for i = 1, n do
    connections[i] = raw.connect(port)
    connections[i]:send(http.format(method, target))
  end
  for i = 1, n do
    answers[i] = http.read(connections[i], { timeout = 20 })
    connections[i]:close()
  end
  return answers
end

describe("an answer", function()
  local s

  setup(function()
    s = server.start { app = [[
      local barq = require "barq"
      barq.get("/table", function() return { a = 1 } end)
      barq.get("/list", function() return { 1, 2 } end)
      barq.get("/empty", function() return {} end)
      barq.get("/object", function() return barq.object {} end)
      barq.get("/array", function() return { list = barq.array {}, none = barq.null } end)
      barq.get("/string", function() return "text" end)
      barq.get("/nil", function() end)
      barq.get("/true", function() return true end)
      barq.get("/number", function() return 1.5 end)
      barq.get("/status", function() return { a = 1 }, 202 end)
      barq.get("/nil-status", function() return nil, 202 end)
      barq.get("/spec-status", { status = 201 }, function() return "made" end)
      barq.get("/html", function() return barq.html("<p>", 404) end)
      barq.get("/text", function() return barq.text("t") end)
      barq.get("/json-string", function() return barq.json("s") end)
      barq.get("/json-nil", function() return barq.json(nil, 201) end)
      barq.get("/json-type", function()
        return barq.json({ a = 1 }):header("Content-Type", "application/hal+json")
      end)
      barq.get("/redirect", function() return barq.redirect("/a b?c=d#e") end)
      barq.get("/redirect-308", function() return barq.redirect("/x", 308) end)
      barq.get("/response", function()
        return barq.response { status = 203, headers = { ["X-One"] = "1", via = { "a", "b" } },
          body = { deep = { 1 } } }
      end)
      barq.get("/framing", function()
        return barq.response { headers = { ["Content-Length"] = "99", Connection = "upgrade",
          ["Transfer-Encoding"] = "chunked", Date = "never" }, body = "four" }
      end)
    ]] }
  end)
  teardown(server.cleanup)

  local JSON, TEXT = "application/json", "text/plain; charset=utf-8"
  local rules = {
    { "/table", 200, JSON, '{"a":1}' },
    { "/list", 200, JSON, "[1,2]" },
    { "/empty", 200, JSON, "[]" },
    { "/object", 200, JSON, "{}" },
    { "/string", 200, TEXT, "text" },
    { "/nil", 204, nil, "" },
    { "/true", 200, JSON, "true" },
    { "/number", 200, JSON, "1.5" },
    { "/status", 202, JSON, '{"a":1}' },
    { "/nil-status", 202, nil, "" },
    { "/spec-status", 201, TEXT, "made" },
    { "/html", 404, "text/html; charset=utf-8", "<p>" },
    { "/text", 200, TEXT, "t" },
    { "/json-string", 200, JSON, '"s"' },
    { "/json-nil", 201, JSON, "null" },
    { "/json-type", 200, "application/hal+json", '{"a":1}' },
    { "/response", 203, JSON, '{"deep":[1]}' },
  }
  for _, rule in ipairs(rules) do
    local path, status, kind, body = unpack(rule, 1, 4)
    it("of " .. path .. " follows its rule", function()
      local response = http.get(s.port, path)
      assert.equal(status, response.status)
      assert.equal(kind, response.headers["content-type"])
      assert.equal(body, response.body)
    end)
  end

  it("keeps what is marked", function()
    local body = http.get(s.port, "/array").body
    assert.truthy(body:find('"list":[]', 1, true))
    assert.truthy(body:find('"none":null', 1, true))
  end)

  it("repeats a header given as a list", function()
    local response = http.get(s.port, "/response")
    assert.equal("1", response.headers["x-one"])
    assert.equal("a, b", response.headers.via)
  end)

  it("redirects, percent-encoding what a URL may not hold", function()
    local response = http.get(s.port, "/redirect")
    assert.equal(302, response.status)
    assert.equal("/a%20b?c=d#e", response.headers.location)
    assert.equal("", response.body)
    assert.equal(308, http.get(s.port, "/redirect-308").status)
  end)

  -- The client fails on doubled or contradicting framing.
  it("is framed by the server whatever the handler says", function()
    local response = http.get(s.port, "/framing")
    assert.equal("four", response.body)
    assert.equal("4", response.headers["content-length"])
    assert.not_equal("never", response.headers.date)
  end)
end)

describe("errors", function()
  local s

  before_each(function()
    s = server.start { app = [[
      local barq = require "barq"
      local Base = {}
      Base.__index = Base
      local Derived = setmetatable({}, Base)
      Derived.__index = Derived

      barq.on_error(Base, function(req, err) return { problem = err.what, at = req.path }, 409 end)
      barq.on_error(410, function() return barq.html("<h1>gone</h1>", 410) end)
      barq.on_error(404, function(req, err) return { missing = req.path, detail = err.detail } end)
      barq.on_error(411, function() error("the handler of errors is broken, too") end)

      barq.get("/abort", function() barq.abort(418, "teapot") end)
      barq.get("/detail", function() barq.abort(422, { { loc = "x" } }) end)
      barq.get("/headers", function()
        barq.abort { status = 401, detail = "who?", headers = { ["WWW-Authenticate"] = "Basic" } }
      end)
      barq.get("/phrase", function() barq.abort(403) end)
      barq.get("/caught", function()
        local ok, err = pcall(barq.abort, 404, "x")
        return { ok = ok, status = err.status, detail = err.detail, text = tostring(err) }
      end)
      barq.get("/base", function() error(setmetatable({ what = "base" }, Base)) end)
      barq.get("/derived", function() error(setmetatable({ what = "derived" }, Derived)) end)
      barq.get("/410", function() barq.abort(410) end)
      barq.get("/404", function() barq.abort(404, "no such thing") end)
      barq.get("/411", function() barq.abort(411) end)
      barq.get("/raise/{id}", { name = "raiser" }, function()
        local function deep() local t = nil; return t.field end
        return deep() .. ""
      end)
      barq.get("/object", function() error({ code = 1 }) end)
      barq.get("/nil", function() error() end)
      barq.get("/unprintable", function()
        error(setmetatable({}, { __tostring = function() error("no") end }))
      end)
      barq.get("/yield", function() coroutine.yield(1) end)
      barq.get("/overflow", function()
        local function f() return 1 + f() end
        return f()
      end)
      barq.get("/nan", function() return { list = { 1, 0 / 0 } } end)
      barq.get("/function", function() return { f = print } end)
      barq.get("/cycle", function() local t = {}; t.t = t; return t end)
      barq.get("/status", function() return "x", 1000 end)
      barq.get("/ok", function() return "ok" end)
    ]] }
  end)
  after_each(server.cleanup)

  local function get(path, status)
    local response = http.get(s.port, path)
    assert.equal(status, response.status)
    return response
  end

  it("raised by abort are answers with a detail", function()
    assert.equal('{"detail":"teapot"}', get("/abort", 418).body)
    assert.equal('{"detail":[{"loc":"x"}]}', get("/detail", 422).body)
    assert.equal('{"detail":"Forbidden"}', get("/phrase", 403).body)
    local response = get("/headers", 401)
    assert.equal("Basic", response.headers["www-authenticate"])
    assert.equal('{"detail":"who?"}', response.body)
    assert.same({ ok = false, status = 404, detail = "x", text = "404 x" },
      get("/caught", 200):json())
    assert.falsy(s:log():find(" error ", 1, true))
  end)

  it("go to the handlers of their class and its bases", function()
    assert.same({ problem = "base", at = "/base" }, get("/base", 409):json())
    assert.same({ problem = "derived", at = "/derived" }, get("/derived", 409):json())
    assert.falsy(s:log():find(" error ", 1, true))
  end)

  it("go to the handlers of their status, also the server's own", function()
    assert.equal("<h1>gone</h1>", get("/410", 410).body)
    assert.same({ missing = "/404", detail = "no such thing" }, get("/404", 404):json())
    assert.same({ missing = "/nowhere", detail = "Not Found" }, get("/nowhere", 404):json())
  end)

  it("of an error handler are a plain 500", function()
    assert.equal(ERROR, get("/411", 500).body)
    s:wait_for_log("the handler of errors is broken, too")
  end)

  it("are logged with the route, the place and a traceback", function()
    assert.equal(ERROR, get("/raise/5", 500).body)
    local log = s:wait_for_log("error GET /raise/{id} [^\n]+\n.*in function 'deep'.-\n")
    local route, line = log:match(
      "%(app.lua:(%d+)%): app.lua:(%d+): attempt to index local 't' %(a nil value%)")
    assert.equal(tonumber(route) + 1, tonumber(line))
    assert.truthy(log:find("stack traceback:", 1, true))
    assert.equal("ok", get("/ok", 200).body)
  end)

  for _, path in ipairs { "/object", "/nil", "/unprintable", "/yield", "/overflow", "/nan",
    "/function", "/cycle", "/status" } do
    it("as odd as " .. path .. " are a 500 and leave the worker healthy", function()
      for _ = 1, 3 do
        local response = get(path, 500)
        assert.equal(ERROR, response.body)
        assert.equal("application/json", response.headers["content-type"])
      end
      s:wait_for_log("error GET " .. path .. " %(app.lua:%d+%): ")
      assert.equal("ok", get("/ok", 200).body)
    end)
  end

  it("keep the connection", function()
    local connection = raw.connect(s.port)
    for _ = 1, 3 do
      connection:send(http.format("GET", "/raise/1") .. http.format("GET", "/ok"))
      assert.equal(500, http.read(connection).status)
      assert.equal("ok", http.read(connection).body)
    end
  end)
end)

describe("a header that would split an answer", function()
  after_each(server.cleanup)

  it("is refused, and the log names it", function()
    local s = server.start { app = [[
      local barq = require "barq"
      local evil = { "a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b", "\127" }
      barq.get("/value/{n:int}", function(req)
        return barq.response { headers = { ["X-Evil"] = evil[req.params.n] }, body = "b" }
      end)
      barq.get("/list", function()
        return barq.response { headers = { ["X-Listed"] = { "fine", "a\r\nb" } } }
      end)
      barq.get("/name", function()
        return barq.response { headers = { ["X-A: b\r\nX-B"] = "c" } }
      end)
      barq.get("/abort", function()
        barq.abort { status = 400, headers = { ["X-Aborted"] = "a\r\nb" } }
      end)
      barq.get("/type", function() return barq.text("x"):header("Content-Type", "a\r\nb: c") end)
      barq.get("/redirect", function() return barq.redirect("/\r\nX: y") end)
      barq.get("/cookie", function(req) return barq.text("x"):set_cookie("a", req.query.v) end)
    ]] }
    local function refused(path, logged)
      local response = http.get(s.port, path)
      assert.equal(500, response.status)
      assert.equal(ERROR, response.body)
      for _, name in ipairs { "set-cookie", "x-a", "x-b", "b", "x" } do
        assert.is_nil(response.headers[name])
      end
      s:wait_for_log(logged)
    end
    for n = 1, 5 do refused("/value/" .. n, '/value/{n:int} [^\n]*"X%-Evil"') end
    refused("/list", '"X%-Listed"')
    refused("/name", '"X%-A: b\\x0d')
    refused("/abort", '"[Xx]%-[Aa]borted"')
    refused("/type", '"content%-type"')
    refused("/redirect", "barq.redirect: the URL holds a control character")
    refused("/cookie?v=a%0d%0ab:c", "set_cookie: ")
    refused("/cookie?v=a;Domain=x", "set_cookie: ")
  end)
end)

describe("middleware", function()
  after_each(server.cleanup)

  it("wraps in the order of registration: the app's, the group's, the route's", function()
    local s = server.start { app = [[
      local barq = require "barq"
      local function mark(name)
        return function(req, next)
          req.trail = (req.trail or "") .. name .. "("
          local response = next(req)
          return response:header("X-Trail", (response.headers["x-trail"] or "") .. ")" .. name)
        end
      end
      local group = barq.group("/g", { middleware = mark "group" })
      group.get("/x", { middleware = { mark "first", mark "second" } }, function(req)
        return req.trail
      end)
      group:group("/inner", { middleware = mark "inner" }).get("", function(req)
        return req.trail
      end)
      barq.get("/plain", function(req) return req.trail end)
      barq.use(mark "outer")
      barq.use(mark "app")
    ]] }
    local response = http.get(s.port, "/g/x")
    assert.equal("outer(app(group(first(second(", response.body)
    assert.equal(")second)first)group)app)outer", response.headers["x-trail"])
    assert.equal("outer(app(group(inner(", http.get(s.port, "/g/inner").body)
    assert.equal("outer(app(", http.get(s.port, "/plain").body)
  end)

  it("of all routes is around the application's routes only, inside the app's", function()
    local s = server.start { app = [[
      local barq = require "barq"
      local function mark(name)
        return function(req, next)
          local response = next(req)
          return response:header("X-Trail", (response.headers["x-trail"] or "") .. name)
        end
      end
      barq.get("/", function() return "x" end)
      barq.all_routes { middleware = mark "all" }
      barq.use(mark "app")
    ]] }
    assert.equal("allapp", http.get(s.port, "/").headers["x-trail"])
    assert.equal("app", http.get(s.port, "/nowhere").headers["x-trail"])
  end)

  it("sees errors, missing routes and wrong methods as responses", function()
    local s = server.start { app = [[
      local barq = require "barq"
      barq.use(function(req, next)
        local response = next(req)
        return response:header("X-Seen", tostring(response.status))
      end)
      barq.get("/abort", function() barq.abort(409) end)
      barq.get("/raise", function() error("oops") end)
      barq.get("/none", function() end)
      barq.get("/sleep", function() barq.sleep(0.01) return "slept" end)
    ]] }
    for path, status in pairs { ["/abort"] = 409, ["/raise"] = 500, ["/none"] = 204,
      ["/sleep"] = 200, ["/nowhere"] = 404 } do
      local response = http.get(s.port, path)
      assert.equal(status, response.status)
      assert.equal(tostring(status), response.headers["x-seen"])
    end
    local wrong = http.request(s.port, "POST", "/none")
    assert.equal(405, wrong.status)
    assert.equal("405", wrong.headers["x-seen"])
    assert.equal("GET, HEAD, OPTIONS", wrong.headers.allow)
  end)

  it("may answer itself, replace the answer, or fail", function()
    local s = server.start { app = [[
      local barq = require "barq"
      barq.use(function(req, next)
        if req.query.stop then return { stopped = true }, 403 end
        if req.query.abort then barq.abort(401) end
        if req.query.fail then error("middleware broke") end
        local response = next(req)
        if req.query.replace then return "replaced" end
        if req.query.nothing then return nil end
        return response
      end)
      barq.get("/", function() return "handler" end)
    ]] }
    local function answer(query)
      local response = http.get(s.port, "/" .. query)
      return response.status .. " " .. response.body
    end
    assert.equal("200 handler", answer "")
    assert.equal('403 {"stopped":true}', answer "?stop=1")
    assert.equal('401 {"detail":"Unauthorized"}', answer "?abort=1")
    assert.equal("500 " .. ERROR, answer "?fail=1")
    s:wait_for_log("error GET / [^\n]*middleware broke")
    assert.equal("200 replaced", answer "?replace=1")
    assert.equal("204 ", answer "?nothing=1")
    assert.equal("200 handler", answer "")
  end)
end)

describe("groups in modules", function()
  after_each(server.cleanup)

  it("are found beside app.lua, wherever the server was started", function()
    local s = server.start { file = "tests/e2e/modular/app.lua" }
    assert.same({ id = 7, url = "/v1/users/7" }, http.get(s.port, "/v1/users/7"):json())
    assert.equal("me", http.get(s.port, "/v1/users/me").body)
    assert.same({ user = 7 }, http.get(s.port, "/v1/users/7/posts"):json())
    assert.same({ user = 7, post = "a" }, http.get(s.port, "/v1/users/7/posts/a"):json())
    assert.equal(404, http.get(s.port, "/users/7").status)
  end)

  it("win over modules of the same name elsewhere", function()
    local s = server.start {
      app = [[require("barq").get("/", function() return require("thing") end)]],
      files = { ["thing.lua"] = 'return "beside"' },
      env = { LUA_PATH = "/nowhere/?.lua;;" },
    }
    assert.equal("beside", http.get(s.port, "/").body)
  end)
end)

describe("paths", function()
  after_each(server.cleanup)

  local app = [[
    local barq = require "barq"
    barq.get("/p/{x}", function(req) return { x = req.params.x, path = req.path } end)
    barq.get("/p/fixed", function() return "fixed" end)
    barq.get("/n/{n:int}", function(req) return { n = req.params.n } end)
    barq.get("/n/{n}", function(req) return { text = req.params.n } end)
    barq.get("/files/{path*}", function(req) return { path = req.params.path } end)
    barq.get("/items", function() return "items" end)
    barq.post("/items", function() return "posted" end)
    barq.get("/dir/", function() return "dir" end)
    barq.any("/any", function(req) return req.method end)
    barq.head("/head", function() return barq.response { headers = { ["X-Own"] = "1" } } end)
    barq.get("/url", { name = "url" }, function(req)
      return { barq.url_for("file", { path = "a/b c" }), barq.url_for("n", { n = 2 ^ 53 - 1 }),
        barq.url_for("url", nil, { b = true, a = { "x y", 3 }, ["é"] = "&" }) }
    end)
    barq.get("/f/{path*}", { name = "file" }, function() end)
    barq.get("/m/{n:int}", { name = "n" }, function() end)
    barq.get("/url-wrong/{case:int}", function(req)
      local cases = { { "nil" }, { "fil", { path = "x" } }, { "n" }, { "n", { n = "x" } },
        { "n", { n = 1, m = 2 } } }
      return select(2, pcall(barq.url_for, unpack(cases[req.params.case], 1, 2)))
    end)
  ]]

  it("are decoded once, segment by segment", function()
    local s = server.start { app = app }
    local function x(path) return http.get(s.port, path):json().x end
    assert.equal("a/b", x "/p/a%2Fb")
    assert.equal("%2F", x "/p/%252F")
    assert.equal("a b+c", x "/p/a%20b+c")
    assert.equal("é", x "/p/%C3%A9")
    assert.equal("/p/a%2Fb", http.get(s.port, "/p/a%2Fb"):json().path)
    assert.equal("fixed", http.get(s.port, "/p/fixed").body)
    assert.equal("fixed", http.get(s.port, "/p/f%69xed").body)
    assert.equal("a/b/c", http.get(s.port, "/files/a/b/c"):json().path)
    assert.same({ n = 12 }, http.get(s.port, "/n/12"):json())
    assert.same({ text = "12x" }, http.get(s.port, "/n/12x"):json())
  end)

  it("with dots or doubled slashes are no other route", function()
    local s = server.start { app = app }
    for _, path in ipairs { "/p/%2e%2e", "/p/..", "/p/.", "/p/%2E", "//items", "/items//", "/p//x",
      "/p/../items", "/p/%2e%2e/items", "/items/", "/dir", "/files/../items", "/p/" } do
      assert.equal(404, http.get(s.port, path).status, path)
    end
    assert.equal(400, http.get(s.port, "/p/%zz").status)
  end)

  it("redirect at a slash only when asked for", function()
    local s = server.start { app = app, args = { "--redirect-slashes" } }
    local function location(path, method)
      local response = http.request(s.port, method or "GET", path)
      return response.status, response.headers.location
    end
    assert.same({ 308, "/items" }, { location "/items/" })
    assert.same({ 308, "/items?a=b&c" }, { location "/items/?a=b&c" })
    assert.same({ 308, "/items" }, { location("/items/", "POST") })
    assert.same({ 308, "/dir/" }, { location "/dir" })
    assert.same({ 404 }, { location "/nowhere/" })
    -- Such a Location would name another host.
    assert.same({ 404 }, { location "//items/" })
    assert.same({ 404 }, { location "//evil.example/items/" })
  end)

  it("answer HEAD from GET, OPTIONS, and wrong methods with Allow", function()
    local s = server.start { app = app }
    local head = http.request(s.port, "HEAD", "/items")
    assert.equal(200, head.status)
    assert.equal("5", head.headers["content-length"])
    assert.equal("1", http.request(s.port, "HEAD", "/head").headers["x-own"])
    local options = http.request(s.port, "OPTIONS", "/items")
    assert.equal(204, options.status)
    assert.equal("GET, HEAD, POST, OPTIONS", options.headers.allow)
    assert.equal(204, http.request(s.port, "OPTIONS", "*").status)
    local wrong = http.request(s.port, "DELETE", "/items")
    assert.equal(405, wrong.status)
    assert.equal("GET, HEAD, POST, OPTIONS", wrong.headers.allow)
    assert.equal('{"detail":"Method Not Allowed"}', wrong.body)
    assert.equal(404, http.request(s.port, "DELETE", "/nowhere").status)
    assert.equal(405, http.get(s.port, "/head").status)
    for _, method in ipairs { "GET", "PUT", "PATCH", "DELETE", "POST" } do
      assert.equal(method, http.request(s.port, method, "/any").body)
    end
    assert.equal(501, http.request(s.port, "BREW", "/any").status)
  end)

  it("are built by url_for", function()
    local s = server.start { app = app }
    assert.same({ "/f/a/b%20c", "/m/9007199254740991", "/url?a=x%20y&a=3&b=true&%C3%A9=%26" },
      http.get(s.port, "/url"):json())
    local why = {}
    for case = 1, 5 do why[case] = http.get(s.port, "/url-wrong/" .. case).body end
    assert.truthy(why[1]:find('no route is named "nil"', 1, true))
    assert.truthy(why[2]:find('did you mean "file"?', 1, true))
    assert.truthy(why[3]:find("no value for {n}", 1, true))
    assert.truthy(why[4]:find("does not fit", 1, true))
    assert.truthy(why[5]:find("the path has no {m}", 1, true))
  end)
end)

describe("req", function()
  local s

  setup(function()
    s = server.start { app = [[
      local barq = require "barq"
      barq.any("/seen/{id}", { name = "seen" }, function(req)
        return { method = req.method, path = req.path, target = req.target, host = req.host,
          version = req.version, ip = req.ip, id = req.id, same_id = req.id == req.id,
          params = req.params, query = req.query, tags = barq.array(req:query_all("tag")),
          agent = req.headers["User-Agent"], agent_too = req.headers.user_agent,
          twice = req.headers["x-twice"], absent = req.headers["x-absent"] == nil,
          route = req.route, own = req.own == nil, body = req.body }
      end)
      barq.get("/list", function(req) return req:header_list() end)
      barq.get("/query", function(req) return barq.object(req.query) end)
      barq.get("/cookies", function(req) return barq.object(req.cookies) end)
      barq.get("/set", function(req)
        return barq.text("set"):set_cookie("plain", "1")
          :set_cookie("full", "v", { path = "/x", domain = "example.com", max_age = 5,
            expires = 0, secure = true, http_only = false, same_site = "none",
            partitioned = true })
          :set_cookie("strict", "", { same_site = "strict" })
          :delete_cookie("old", { path = "/y" })
      end)
      barq.get("/set-wrong", function(req) return barq.text("x"):set_cookie("__Host-a", "1") end)
      barq.post("/form", function(req)
        return { fields = barq.object(req:form()), all = barq.array(req:form_all("a")) }
      end)
      barq.post("/json", function(req) return barq.json(req:json()) end)
      barq.get("/kept", function(req)
        local last = _G.kept
        _G.kept = req
        if not last then return "first" end
        return { method = last.method, why = select(2, pcall(function() return last.body end)) }
      end)
      kept = nil
      rawset(_G, "kept", false)
    ]] }
  end)
  teardown(server.cleanup)

  it("tells what was sent", function()
    local seen = http.request(s.port, "POST", "/seen/a%20b?q=x%20y+z&tag=1&tag=2&e", {
      headers = { ["User-Agent"] = "spec", ["X-Twice"] = { "1", "2" }, Host = "example.com:81" },
      body = "raw\0body",
    }):json()
    assert.equal("POST", seen.method)
    assert.equal("/seen/a%20b", seen.path)
    assert.equal("/seen/a%20b?q=x%20y+z&tag=1&tag=2&e", seen.target)
    assert.equal("example.com:81", seen.host)
    assert.equal("1.1", seen.version)
    assert.equal("127.0.0.1", seen.ip)
    assert.truthy(seen.id:match("^" .. ("%x"):rep(32) .. "$"))
    assert.is_true(seen.same_id)
    assert.same({ id = "a b" }, seen.params)
    assert.same({ q = "x y z", tag = "2", e = "" }, seen.query)
    assert.same({ "1", "2" }, seen.tags)
    assert.equal("spec", seen.agent)
    assert.equal("spec", seen.agent_too)
    assert.equal("1, 2", seen.twice)
    assert.is_true(seen.absent)
    assert.equal("/seen/{id}", seen.route.path)
    assert.equal("seen", seen.route.name)
    assert.equal("app.lua:2", seen.route.place)
    assert.equal("raw\0body", seen.body)
  end)

  it("has an id of its own each time", function()
    local ids, count = {}, 0
    for _ = 1, 20 do
      local id = http.get(s.port, "/seen/x"):json().id
      if not ids[id] then count = count + 1 end
      ids[id] = true
    end
    assert.equal(20, count)
  end)

  it("lists header fields in their order, names in lower case", function()
    local connection = raw.connect(s.port)
    connection:send("GET /list HTTP/1.1\r\nB: 1\r\nHost: h\r\nA: 2\r\nb: 3\r\n\r\n")
    assert.same({ { "b", "1" }, { "host", "h" }, { "a", "2" }, { "b", "3" } },
      http.read(connection):json())
  end)

  it("refuses a broken query", function()
    for _, query in ipairs { "a=%", "a=%z0", "%4=1" } do
      assert.equal(400, http.get(s.port, "/query?" .. query).status)
    end
    assert.same({}, http.get(s.port, "/query?"):json())
  end)

  it("reads cookies; of a repeated one the first", function()
    local function cookies(sent)
      return http.get(s.port, "/cookies", { headers = { Cookie = sent } }):json()
    end
    assert.same({ a = "1", b = "x=y" }, cookies "a=1; b=x=y")
    assert.same({ a = "1" }, cookies "a=1; a=2")
    assert.same({ a = "1", b = "2" }, cookies { "a=1", "b=2" })
    assert.equal("%41", cookies("a=%41").a)
    assert.same({}, http.get(s.port, "/cookies"):json())
  end)

  it("has answers that set cookies with every attribute", function()
    local set = {}
    for _, field in ipairs(http.get(s.port, "/set").fields) do
      if field[1]:lower() == "set-cookie" then
        local name, rest = field[2]:match("^(%w+)(=.*)$")
        local attributes = {}
        for attribute in rest:gmatch(";%s*([^;]+)") do attributes[attribute] = true end
        set[name] = { value = rest:match("^=([^;]*)"), attributes = attributes }
      end
    end
    local epoch = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    assert.same({ ["Path=/"] = true, HttpOnly = true, ["SameSite=Lax"] = true },
      set.plain.attributes)
    assert.equal("1", set.plain.value)
    assert.same({ ["Path=/x"] = true, ["Domain=example.com"] = true, ["Max-Age=5"] = true,
      [epoch] = true, Secure = true, ["SameSite=None"] = true, Partitioned = true },
      set.full.attributes)
    assert.is_true(set.strict.attributes["SameSite=Strict"])
    assert.same({ ["Path=/y"] = true, ["Max-Age=0"] = true, [epoch] = true, HttpOnly = true,
      ["SameSite=Lax"] = true }, set.old.attributes)
    -- A browser would drop it, for it is not secure.
    assert.equal(500, http.get(s.port, "/set-wrong").status)
  end)

  it("reads urlencoded forms", function()
    local function form(body) return http.request(s.port, "POST", "/form", form_body(body)) end
    assert.same({ fields = { a = "2 x", b = "A&=" }, all = { "1", "2 x" } },
      form("a=1&a=2+x&b=%41%26%3D"):json())
    assert.same({ fields = {}, all = {} }, form(""):json())
    assert.equal(400, form("a=%g1").status)
    assert.equal(415, http.request(s.port, "POST", "/form", json_body("{}")).status)
    assert.equal(200, http.request(s.port, "POST", "/form", {
      headers = { ["Content-Type"] = "Application/X-WWW-form-urlencoded; charset=utf-8" },
      body = "a=1",
    }).status)
  end)

  it("reads JSON, and refuses what is none with its position", function()
    local function post(body) return http.request(s.port, "POST", "/json", json_body(body)) end
    for _, text in ipairs { "null", "[]", "{}", "[1,2.5,-3]", '{"a":{"b":[true,false,null]}}',
      '"\\u00e9"', " 7 " } do
      assert.equal(200, post(text).status, text)
    end
    assert.equal('"é😀"', post('"\\u00e9\\ud83d\\ude00"').body)
    local refused = {
      { "", 0 }, { "{", 1 }, { "[1,]", 3 }, { "[NaN]", 1 }, { "[Infinity]", 1 },
      { "[-Infinity]", 2 }, { "[1e999]", 1 }, { '"\255"', 1 }, { '"\192\128"', 1 },
      { '"\\ud800"' }, { "nul" }, { "[1] 2", 4 }, { "{'a':1}", 1 }, { "[01]" },
      { "0x10", 1 }, { '"a\nb"', 2 },
      { ("["):rep(129) .. ("]"):rep(129), 128 }, { "\239\187\191[]", 0 },
    }
    for _, case in ipairs(refused) do
      local response = post(case[1])
      assert.equal(400, response.status, case[1])
      local at = response:json().detail:match("^malformed JSON at byte (%d+): ")
      assert.truthy(at, response.body)
      if case[2] then assert.equal(case[2], tonumber(at), case[1]) end
    end
    assert.equal(200, post(("["):rep(128) .. ("]"):rep(128)).status)
  end)

  it("says clearly that it is over once it has been answered", function()
    assert.equal("first", http.get(s.port, "/kept").body)
    local late = http.get(s.port, "/kept")
    assert.equal(500, late.status)
    s:wait_for_log("this request has been answered")
  end)
end)

describe("waiting", function()
  after_each(server.cleanup)

  it("of a hundred requests at once takes the time of one", function()
    local s = server.start { app = [[
      local barq = require "barq"
      barq.get("/sleep", function() barq.sleep(0.5) return "slept" end)
    ]] }
    local begun = clock.now()
    for _, answer in ipairs(at_once(100, s.port, "GET", "/sleep")) do
      assert.equal("slept", answer.body)
    end
    local took = clock.now() - begun
    assert.is_true(took >= 0.5)
    assert.is_true(took < 10) -- a hundred one after the other would be fifty
  end)

  it("is a clear error where nothing can wait", function()
    local s = server.start { app = [[
      local barq = require "barq"
      loading = select(2, pcall(barq.sleep, 0))
      barq.get("/loading", function() return loading end)
      barq.get("/sort", function()
        table.sort({ 2, 1, 3 }, function(a, b) barq.sleep(0) return a < b end)
      end)
      barq.get("/gsub", function() return (("x"):gsub("x", function() barq.sleep(0) end)) end)
      barq.get("/own", coroutine.wrap(function() while true do
        barq.sleep(0)
        coroutine.yield("own")
      end end))
      barq.get("/negative", function() barq.sleep(-1) end)
      barq.get("/pcall", function()
        return { pcall(function() barq.sleep(0.01) error("after", 0) end) }
      end)
    ]] }
    assert.truthy(http.get(s.port, "/loading").body:find("barq.sleep: only a handler", 1, true))
    assert.equal("own", http.get(s.port, "/own").body)
    for _, path in ipairs { "/sort", "/gsub", "/negative" } do
      assert.equal(500, http.get(s.port, path).status)
    end
    s:wait_for_log("/sort [^\n]*barq.sleep: cannot wait inside a function that C code calls")
    assert.same({ false, "after" }, http.get(s.port, "/pcall"):json())
  end)

  it("behind req:after begins when the answer has arrived", function()
    local s = server.start { app = [[
      local barq = require "barq"
      local gate = barq.shared("gate")
      barq.get("/", function(req)
        req:after(function(...)
          barq.log.info("after %d %s", select("#", ...), tostring((...)))
          while not gate:get("open") do barq.sleep(0.005) end
          barq.log.info("through the gate")
        end, nil, 2, nil)
        req:after(function() error("a broken one") end)
        req:after(function() barq.log.info("the last one") end)
        return "answered"
      end)
      barq.get("/open", function() gate:set("open", true) end)
    ]] }
    -- The first function waits for something that only happens once the client has its answer.
    assert.equal("answered", http.get(s.port, "/").body)
    assert.equal(204, http.get(s.port, "/open").status)
    s:wait_for_log("after 3 nil\n.*through the gate\n.*" ..
      "req:after failed: .*a broken one.*the last one")
  end)
end)

describe("the shared store #threads", function()
  after_each(server.cleanup)

  local function start()
    return server.start { args = { "--workers=2" }, app = [[
      local barq = require "barq"
      local s = barq.shared("spec")
      barq.get("/incr", function() return { sum = s:incr("n") } end)
      barq.get("/sum", function() return s:get("n") end)
      barq.get("/update", function()
        return s:update("list", function(old)
          old = old or { count = 0 }
          old.count = old.count + 1
          return old
        end)
      end)
      barq.get("/once", function()
        local value = s:get_or("slow", function()
          barq.sleep(0.3)
          return { run = s:incr("runs") }
        end)
        return { run = value.run, runs = s:get("runs"), worker = barq.worker }
      end)
      barq.get("/nested", function()
        local value = { list = { 1, { deep = true } }, none = barq.null, empty = barq.object {} }
        s:set("nested", value)
        value.list[1] = 99
        return s:get("nested")
      end)
      barq.get("/ttl", function()
        s:set("short", "here", { ttl = 0.05 })
        local before = s:get("short")
        barq.sleep(0.1)
        return { before = before, after = s:get("short", "gone"), added = s:add("a", 1),
          again = s:add("a", 2) }
      end)
    ]] }
  end

  it("counts exactly over eight connections and both workers", function()
    local s = start()
    local connections, seen = {}, {}
    for i = 1, 8 do connections[i] = raw.connect(s.port) end
    for _ = 1, 5 do
      for _, connection in ipairs(connections) do
        connection:send(http.format("GET", "/incr"):rep(20))
      end
      for _, connection in ipairs(connections) do
        for _ = 1, 20 do
          local answer = http.read(connection):json()
          assert.is_nil(seen[answer.sum])
          seen[answer.sum] = true
        end
      end
    end
    assert.equal("800", http.get(s.port, "/sum").body)
    assert.equal(800, #seen)
  end)

  it("updates without losing one", function()
    local s = start()
    for _ = 1, 10 do at_once(8, s.port, "GET", "/update") end
    assert.equal(81, http.get(s.port, "/update"):json().count)
  end)

  it("computes a value once for all who ask, in all workers", function()
    local s = start()
    local workers = {}
    for _, answer in ipairs(at_once(40, s.port, "GET", "/once")) do
      local value = answer:json()
      assert.equal(1, value.run)
      assert.equal(1, value.runs)
      workers[value.worker] = true
    end
    assert.is_true(workers[0] and workers[1])
  end)

  it("copies nested values in and out", function()
    local s = start()
    local body = http.get(s.port, "/nested").body
    assert.truthy(body:find('"list":[1,{"deep":true}]', 1, true))
    assert.truthy(body:find('"none":null', 1, true))
    assert.truthy(body:find('"empty":{}', 1, true))
  end)

  it("lets values expire, and adds only what is absent", function()
    local s = start()
    assert.same({ before = "here", after = "gone", added = true, again = false },
      http.get(s.port, "/ttl"):json())
  end)
end)

describe("memory that runs out in Lua", function()
  after_each(server.cleanup)

  local app = [[
    local barq = require "barq"
    %s
    barq.get("/fill", function() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(100) .. i end end)
    barq.get("/big", function() return ("x"):rep(2 ^ 30) end)
    barq.get("/closures", function()
      local f
      for _ = 1, 1e9 do
        local inner = f
        f = function() return inner end
      end
    end)
    barq.get("/caught", function()
      local ok, why = pcall(function() local t = {} for i = 1, 1e9 do t[i] = {} end end)
      return { ok = ok, why = why }
    end)
    barq.get("/ok", function(req) return { agent = req.headers["user-agent"] or "none" } end)
  ]]

  local function exhaust(more)
    local s = server.start { app = app:format(more), args = { "--lua-memory-max=16m" } }
    for _ = 1, 3 do
      for _, path in ipairs { "/fill", "/big", "/closures" } do
        local response = http.get(s.port, path)
        assert.equal(500, response.status)
        assert.equal(ERROR, response.body)
        assert.equal("none", http.get(s.port, "/ok"):json().agent)
      end
      -- LuaJIT may have nothing left even for the answer that says so.
      local caught = http.get(s.port, "/caught")
      assert.truthy(caught.body == ERROR or caught:json().why == "not enough memory")
      assert.equal("none", http.get(s.port, "/ok"):json().agent)
    end
    s:wait_for_log("error GET /fill [^\n]*not enough memory")
  end

  it("is a 500, and the next request is served", function() exhaust("") end)

  it("is a 500 below middleware, too", function()
    exhaust("barq.use(function(req, next) return next(req):header('X-A', 'b') end)")
  end)

  it("does not run out while most of it is garbage", function()
    local s = server.start { args = { "--lua-memory-max=16m" }, app = [[
      local barq = require "barq"
      kept = {}
      for i = 1, 10 do kept[i] = ("x"):rep(2 ^ 20 - i) end
      local n = 0
      barq.get("/", function()
        for _ = 1, 4 do
          n = n + 1
          local _ = ("y"):rep(2 ^ 17) .. n
        end
      end)
    ]] }
    local connection = raw.connect(s.port)
    for _ = 1, 100 do
      connection:send(http.format("GET", "/"))
      assert.equal(204, http.read(connection).status)
    end
  end)

  it("leaves requests that wait alone", function()
    local s = server.start { args = { "--lua-memory-max=16m" }, app = app:format [[
      barq.get("/sleep", function() barq.sleep(0.5) return "slept" end)
    ]] }
    local connection = raw.connect(s.port)
    connection:send(http.format("GET", "/sleep"))
    assert.equal(500, http.get(s.port, "/fill").status)
    assert.equal("slept", http.read(connection).body)
  end)
end)

describe("an accidental global", function()
  after_each(server.cleanup)

  local app = [[
    local barq = require "barq"
    meant = 1
    barq.get("/", function()
      oops = (oops or 0) + 1
      meant = meant + 1
      return { oops = oops }
    end)
  ]]

  local function count(text, what)
    return select(2, text:gsub(what:gsub("%p", "%%%0"), ""))
  end

  it("is a warning with file and line, once", function()
    local s = server.start { app = app }
    for i = 1, 3 do assert.same({ oops = i }, http.get(s.port, "/"):json()) end
    s:stop()
    assert.equal(1, count(s:log(), 'warn  app.lua:4: new global "oops"'))
    assert.equal(0, count(s:log(), "meant"))
  end)

  it("is an error in development", function()
    local s = server.start { app = app, args = { "--dev" } }
    for _ = 1, 2 do assert.equal(500, http.get(s.port, "/").status) end
    s:wait_for_log('error GET / [^\n]*app.lua:4: new global "oops"')
  end)
end)
