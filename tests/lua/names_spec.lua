-- The nearest right name for a wrong one.
local names = require("modules").fresh()("barq.names")

describe("names.nearest", function()
  local known = { status = 1, headers = 1, body = 1, middleware = 1, name = 1, body_max = 1 }

  it("finds one mistake of any kind", function()
    for wrong, right in pairs {
      stauts = "status", -- two letters changed places
      statu = "status", statuss = "status", stahus = "status",
      haeders = "headers", boby = "body", bodymax = "body_max", midleware = "middleware",
    } do
      assert.equal(right, names.nearest(wrong, known))
    end
  end)

  it("allows more mistakes in longer names", function()
    assert.equal("middleware", names.nearest("midlewear", known))
    assert.is_nil(names.nearest("nmea", { body = 1 }))
  end)

  it("finds nothing for what resembles nothing", function()
    for _, wrong in ipairs { "", "x", "entirely_else", "zzzzzz" } do
      assert.is_nil(names.nearest(wrong, known))
    end
  end)

  it("prefers the nearest, and of equals the first by name", function()
    assert.equal("body", names.nearest("body", { body = 1, bod = 1, bodyy = 1 }))
    assert.equal("ga", names.nearest("g", { gb = 1, ga = 1 }))
  end)

  it("passes over keys that are no strings", function()
    assert.equal("get", names.nearest("gte", { get = 1, [1] = 1, [true] = 1 }))
  end)
end)

describe("names.hint", function()
  it("asks whether the near one was meant", function()
    assert.equal(' (did you mean "get"?)', names.hint("gte", { get = 1, post = 1 }))
  end)

  it("lists what there is otherwise, sorted", function()
    assert.equal(" (there is get, post)", names.hint("xxxx", { post = 1, get = 1 }))
    assert.equal(" (there is get)", names.hint(5, { get = 1 }))
    assert.equal(" (there is get)", names.hint(nil, { get = 1 }))
  end)
end)
