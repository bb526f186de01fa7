-- What the server says of the application: /openapi.json, and the page at /docs. That the page
-- works in a browser is tests/docs.
local http = require "support.http"
local server = require "support.server"

describe("the docs page", function()
  after_each(server.cleanup)

  local function start(source, ...)
    return server.start { app = 'local barq = require "barq"\n' .. (source or ""), args = { ... } }
  end

  -- The paths that the page points at, as a browser resolves them.
  local function paths_of(page)
    local paths = {}
    for path in page.body:gmatch('="%./([^"]+)"') do paths[#paths + 1] = "/" .. path end
    return paths
  end

  local function file_of(s, pattern)
    for _, path in ipairs(paths_of(http.get(s.port, "/docs"))) do
      if path:find(pattern) then return path end
    end
    error("the page has no " .. pattern)
  end

  local function get(s, path, headers)
    return http.request(s.port, "GET", path, { headers = headers })
  end

  local function unpacked(bytes)
    local name = os.tmpname()
    local file = assert(io.open(name, "wb"))
    file:write(bytes)
    file:close()
    local pipe = assert(io.popen("gzip -dc < " .. name))
    local text = pipe:read("*a")
    pipe:close()
    os.remove(name)
    return text
  end

  it("is a small page that nothing else can speak into", function()
    local page = http.get(start().port, "/docs")
    assert.equal(200, page.status)
    assert.equal("text/html; charset=utf-8", page.headers["content-type"])
    assert.equal("no-cache", page.headers["cache-control"])
    assert.equal("nosniff", page.headers["x-content-type-options"])
    local policy = page.headers["content-security-policy"]
    assert.truthy(policy:find("default-src 'self';", 1, true))
    assert.truthy(policy:find("connect-src 'self';", 1, true))
    assert.is_nil(policy:find("script-src", 1, true))
    assert.is_true(#page.body < 2000)
  end)

  it("points only at what this server has", function()
    local s = start()
    local page = http.get(s.port, "/docs")
    assert.is_nil(page.body:find("//", 1, true))
    local types = {}
    for _, path in ipairs(paths_of(page)) do
      local answer = http.get(s.port, path)
      assert.equal(200, answer.status)
      assert.is_true(#answer.body > 0)
      types[path:match("%.(%w+)$")] = answer.headers["content-type"]
    end
    assert.same({
      json = "application/json",
      css = "text/css; charset=utf-8",
      js = "text/javascript; charset=utf-8",
      png = "image/png",
      txt = "text/plain; charset=utf-8",
    }, types)
  end)

  it("hands the UI's licences on", function()
    local s = start()
    local text = http.get(s.port, file_of(s, "licenses")).body
    assert.truthy(text:find("Apache License", 1, true))
  end)

  it("has the application's title, as text", function()
    local s = start [[barq.info{ title = "Salt & <b>\"Pepper\"</b> 100%" }]]
    local page = http.get(s.port, "/docs").body
    assert.truthy(page:find(
      "<title>Salt &amp; &lt;b&gt;&quot;Pepper&quot;&lt;/b&gt; 100%</title>", 1, true))
  end)

  it("may send requests to the servers that the application declares", function()
    local s = start [[barq.info{ servers = {
      "https://api.example.com/v1", { url = "http://[::1]:8080" }, "/v2",
      "https://{region}.example.com", "https://x.example.com; script-src *",
    } }]]
    local policy = http.get(s.port, "/docs").headers["content-security-policy"]
    assert.truthy(policy:find(
      "connect-src 'self' https://api.example.com http://[::1]:8080;", 1, true))
  end)

  it("lets browsers keep its files, under names that change with them", function()
    local s = start()
    local path = file_of(s, "%.css$")
    local answer = http.get(s.port, path)
    assert.truthy(path:match("%-%x%x%x%x%x%x%x%x%x%x%x%x%.css$"))
    assert.equal("public, max-age=31536000, immutable", answer.headers["cache-control"])
    assert.equal("Accept-Encoding", answer.headers["vary"])
    for _, name in ipairs { "swagger-ui.css", "..%2Fstart.js", "", "1", "%00" } do
      assert.is_true(http.get(s.port, "/docs/assets/" .. name).status >= 400)
    end
    assert.equal(404, http.get(s.port, "/docs/assets/swagger-ui.css").status)
  end)

  it("compresses its files for those who can unpack them", function()
    local s = start()
    local path = file_of(s, "bundle")
    local plain = http.get(s.port, path)
    assert.is_nil(plain.headers["content-encoding"])
    for _, field in ipairs { "gzip", "br, GZIP;q=0.5", "gzip ; q=1.0, identity;q=0" } do
      local packed = get(s, path, { ["Accept-Encoding"] = field })
      assert.equal("gzip", packed.headers["content-encoding"])
      assert.equal("Accept-Encoding", packed.headers["vary"])
      assert.is_true(#packed.body < #plain.body / 3)
      assert.is_true(unpacked(packed.body) == plain.body)
    end
    for _, field in ipairs { "", "br", "identity", "gzip;q=0", "br, gzip; q=0.000", "notgzip" } do
      local answer = get(s, path, { ["Accept-Encoding"] = field })
      assert.is_nil(answer.headers["content-encoding"])
      assert.is_true(answer.body == plain.body)
    end
  end)

  it("does not send a file again that the client has", function()
    local s = start()
    local path = file_of(s, "%.css$")
    local plain = http.get(s.port, path).headers["etag"]
    local packed = get(s, path, { ["Accept-Encoding"] = "gzip" }).headers["etag"]
    assert.are_not.equal(plain, packed)
    for _, field in ipairs { plain, "W/" .. plain, '"other", ' .. plain, "*" } do
      local answer = get(s, path, { ["If-None-Match"] = field })
      assert.equal(304, answer.status)
      assert.equal("", answer.body)
      assert.equal(plain, answer.headers["etag"])
    end
    assert.equal(200, get(s, path, { ["If-None-Match"] = packed }).status)
    assert.equal(200, get(s, path, { ["If-None-Match"] = '"*"' }).status)
  end)

  it("answers HEAD as GET without the body, and no other method", function()
    local s = start()
    for _, path in ipairs { "/docs", file_of(s, "bundle"), "/openapi.json" } do
      local head = http.request(s.port, "HEAD", path)
      assert.equal(200, head.status)
      assert.equal(#http.get(s.port, path).body, tonumber(head.headers["content-length"]))
      assert.equal(405, http.request(s.port, "POST", path).status)
    end
  end)

  it("is not in the document itself", function()
    local s = start [[barq.get("/own", function() end)]]
    local paths = http.get(s.port, "/openapi.json"):json().paths
    assert.is_table(paths["/own"])
    assert.is_nil(next(paths, next(paths)))
  end)

  it("is off, as the document is, with docs = false", function()
    for _, s in ipairs { start("barq.config{ docs = false }"), start("", "--docs=false") } do
      assert.equal(404, http.get(s.port, "/docs").status)
      assert.equal(404, http.get(s.port, "/openapi.json").status)
    end
  end)

  it("gives way to the application's own routes, at its path and below", function()
    local s = start [[
      barq.get("/docs", function() return "mine" end)
      barq.get("/openapi.json", function() return "mine too" end)]]
    assert.equal("mine", http.get(s.port, "/docs").body)
    assert.equal("mine too", http.get(s.port, "/openapi.json").body)
    local below = start [[barq.get("/docs/{path*}", function(req) return req.params.path end)]]
    assert.equal("assets/x.js", http.get(below.port, "/docs/assets/x.js").body)
    assert.equal(404, http.get(below.port, "/docs").status)
    assert.equal(200, http.get(below.port, "/openapi.json").status)
  end)

  it("stands inside the application's middleware, and outside its dependencies", function()
    local s = start [[
      barq.use(function(req, next)
        if req.headers.authorization ~= "let me in" then barq.abort(401, "who is there?") end
        return next(req)
      end)
      barq.all_routes{ depends = { db = function() barq.abort(503, "no database") end } }
      barq.get("/", function() return "up" end)]]
    for _, path in ipairs { "/docs", "/openapi.json" } do
      assert.equal(401, http.get(s.port, path).status)
      assert.equal(200, get(s, path, { Authorization = "let me in" }).status)
    end
    assert.equal(503, get(s, "/", { Authorization = "let me in" }).status)
  end)

  it("describes the tags that groups describe", function()
    local s = start [[
      local shop = barq.group("/shop", { tags = { "shop" }, description = "What is for sale." })
      local both = shop:group("/both", { tags = { "a", "b" }, description = "of neither" })
      local twice = shop:group("/twice", { tags = { "shop" }, description = "too late" })
      local secret = shop:group("/secret", { tags = { "c" }, description = "x", hidden = true })
      for _, group in ipairs { shop, both, twice, secret } do group.get("/", function() end) end
    ]]
    assert.same({ { name = "shop", description = "What is for sale." } },
      http.get(s.port, "/openapi.json"):json().tags)
  end)
end)
