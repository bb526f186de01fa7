-- Credentials out of requests: bearer, basic and API keys; and the base64 under them.
local json_core = require "json_core"
local modules = require "modules"

describe("base64", function()
  local base64 = modules.fresh(json_core())("barq.base64")

  it("gives the vectors of RFC 4648", function()
    for bytes, text in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      fooba = "Zm9vYmE=", foobar = "Zm9vYmFy" } do
      assert.equal(text, base64.encode(bytes))
      assert.equal(bytes, base64.decode(text))
    end
  end)

  it("takes every byte there and back, at every offset", function()
    local all = {}
    for i = 0, 255 do all[i + 1] = string.char(i) end
    local bytes = table.concat(all)
    for first = 1, 3 do
      assert.equal(bytes:sub(first), base64.decode(base64.encode(bytes:sub(first))))
    end
  end)

  it("refuses all other text", function()
    for _, text in ipairs { "Z", "Zg", "Zg=", "=", "====", "A===", "Zg==Zg==", "Zm9v\n", "Zm 9v",
      "Zm-_", "Zh==", "Zm9=", "Zm8=\0" } do
      assert.is_nil(base64.decode(text), text)
    end
  end)
end)

describe("security", function()
  local security, errors

  before_each(function()
    local fresh = modules.fresh(json_core())
    security, errors = fresh "barq.security", fresh "barq.errors"
  end)

  -- A request with these header fields, in order, and these values of query parameters.
  local function request(fields, query)
    return {
      header_list = function() return fields or {} end,
      query_all = function(_, name) return query and query[name] or {} end,
    }
  end

  local function authorized(value) return request { { "authorization", value } } end

  -- The WWW-Authenticate of the 401 that the provider raises.
  local function refusal(provider, req)
    local ok, err = pcall(provider.open, req, {})
    assert.is_false(ok)
    assert.equal(errors.Abort, getmetatable(err))
    assert.equal(401, err.status)
    assert.equal("Not authenticated", err.detail)
    return err.headers["www-authenticate"]
  end

  local function refuses(provider, values)
    for _, value in ipairs(values) do
      assert.truthy(refusal(provider, authorized(value)), value)
    end
  end

  describe("bearer", function()
    it("gives the token, whatever the letter case of the scheme", function()
      for _, value in ipairs { "Bearer abc.DEF-1_2~+/==", "bearer abc.DEF-1_2~+/==",
        "BEARER   abc.DEF-1_2~+/==" } do
        assert.equal("abc.DEF-1_2~+/==", security.bearer().open(authorized(value), {}))
      end
    end)

    it("answers 401 and says how without a token", function()
      local provider = security.bearer()
      assert.equal('Bearer realm="api"', refusal(provider, request()))
      refuses(provider, { "", "Bearer", "Bearer ", "Basic Zm9vOmJhcg==", "Bearer a b", "Bearer a=b",
        "Bearer a, Bearer b", "Bearer \1", "Bearerabc", "Bearer ==" })
    end)

    it("does not choose among several", function()
      local two = request { { "authorization", "Bearer a" }, { "authorization", "Bearer b" } }
      assert.truthy(refusal(security.bearer(), two))
      assert.truthy(refusal(security.bearer { optional = true }, two))
    end)

    it("is nil without credentials when it is optional, but still refuses malformed ones",
      function()
        local provider = security.bearer { optional = true }
        assert.is_nil(provider.open(request(), {}))
        assert.is_nil(provider.open(authorized "Basic Zm9vOmJhcg==", {}))
        assert.equal("abc", provider.open(authorized "Bearer abc", {}))
        refuses(provider, { "Bearer a b", "Bearer" })
      end)

    it("says what it is for the document", function()
      assert.same({ kind = "bearer", name = "Token", format = "JWT", description = "d",
        optional = true }, security.bearer { name = "Token", format = "JWT", description = "d",
        optional = true }.security)
    end)
  end)

  describe("basic", function()
    it("gives username and password, which may hold colons", function()
      local provider = security.basic()
      assert.same({ username = "Aladdin", password = "open sesame" },
        provider.open(authorized "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", {}))
      assert.same({ username = "a", password = "b:c" },
        provider.open(authorized "basic YTpiOmM=", {}))
      assert.same({ username = "", password = "" }, provider.open(authorized "Basic Og==", {}))
      assert.same({ username = "test", password = "123\194\163" },
        provider.open(authorized "Basic dGVzdDoxMjPCow==", {}))
    end)

    it("answers 401, for which a browser asks", function()
      local provider = security.basic { realm = "shop" }
      assert.equal('Basic realm="shop", charset="UTF-8"', refusal(provider, request()))
      -- No base64; without a colon; with a line break; with a NUL.
      refuses(provider, { "Basic", "Basic !", "Basic YWJj", "Basic YToKYg==", "Basic YToAYg==",
        "Basic YTpi YTpi", "Bearer YTpi" })
    end)

    it("is nil without credentials when it is optional", function()
      local provider = security.basic { optional = true }
      assert.is_nil(provider.open(request(), {}))
      refuses(provider, { "Basic YWJj" })
      assert.same({ kind = "basic", optional = true }, provider.security)
    end)
  end)

  describe("api_key", function()
    it("is in a header, in any letter case", function()
      local provider = security.api_key { name = "X-API-Key" }
      assert.equal("k1", provider.open(request { { "x-api-key", "k1" } }, {}))
      assert.equal('ApiKey realm="api"', refusal(provider, request { { "x-api-keys", "k1" } }))
      assert.truthy(refusal(provider, request { { "x-api-key", "" } }))
      assert.truthy(refusal(provider, request { { "x-api-key", "a" }, { "x-api-key", "b" } }))
      assert.same({ kind = "api_key", name = "X-API-Key", ["in"] = "header" }, provider.security)
    end)

    it("is in a query parameter", function()
      local provider = security.api_key { name = "key", ["in"] = "query" }
      assert.equal("k 1", provider.open(request({}, { key = { "k 1" } }), {}))
      assert.truthy(refusal(provider, request({}, { Key = { "k" } })))
      assert.truthy(refusal(provider, request({}, { key = { "a", "b" } })))
      assert.truthy(refusal(provider, request({}, { key = { "" } })))
    end)

    it("is in a cookie, the first of its name", function()
      local provider = security.api_key { name = "sid", ["in"] = "cookie" }
      for line, value in pairs {
        ["sid=abc"] = "abc", ["a=1; sid=x=y; sid=z"] = "x=y", [" sid = q ;b"] = "q",
        ["SID=no;sid=yes"] = "yes", ['sid="v"'] = '"v"',
      } do
        assert.equal(value, provider.open(request { { "cookie", line } }, {}), line)
      end
      local lines = request { { "cookie", "a=1" }, { "cookie", "sid=two" } }
      assert.equal("two", provider.open(lines, {}))
      for _, line in ipairs { "", "sid", "sid=", "xsid=1", ";=;", "sid;=1" } do
        assert.truthy(refusal(provider, request { { "cookie", line } }), line)
      end
    end)

    it("is nil when it is optional and empty or missing", function()
      local provider = security.api_key { name = "k", optional = true }
      assert.is_nil(provider.open(request(), {}))
      assert.is_nil(provider.open(request { { "k", "" } }, {}))
    end)
  end)

  describe("declarations", function()
    local function fails(expected, source)
      local ok, message = modules.run_app("\n" .. source, { barq = security })
      assert.is_false(ok)
      assert.equal("app.lua:2: " .. expected, message)
    end

    it("are providers, with their place", function()
      local seen
      assert(modules.run_app("\nsee(barq.bearer())\nlocal x", {
        barq = security, see = function(provider) seen = provider end,
      }))
      assert.equal("request", seen.scope)
      assert.equal("app.lua:2", seen.place)
    end)

    it("blame the line of a mistake", function()
      fails('barq.bearer: unknown option "optonal" (did you mean "optional"?)',
        "barq.bearer{ optonal = true }")
      fails("barq.bearer: options are a table, as { optional = true }, not a string",
        'barq.bearer "x"')
      fails("barq.basic: optional is a boolean, not a string", 'barq.basic{ optional = "yes" }')
      fails("barq.basic: realm holds a quotation mark, a backslash or a control character",
        [[barq.basic{ realm = 'a"b' }]])
      fails('barq.api_key: name is the name of the header, as "x-api-key"; got nothing',
        "barq.api_key{}")
      fails('barq.api_key: name is the name of the cookie, as "x-api-key"; got "a b"',
        'barq.api_key{ name = "a b", ["in"] = "cookie" }')
      fails('barq.api_key: in is "header", "query" or "cookie", not "body"',
        'barq.api_key{ name = "k", ["in"] = "body" }')
    end)
  end)
end)
