-- json_core.lua: what barq.core says about JSON, for modules that are tested without the server.
local cjson = require "cjson"

local ArrayMark, ObjectMark = {}, {}

local function marker(mark)
  return function(t)
    t = t or {}
    local meta = getmetatable(t)
    assert(meta == nil or meta == ArrayMark or meta == ObjectMark, "it has a metatable already")
    return setmetatable(t, mark)
  end
end

-- Scalars and empty tables: the rest is for the server.
local function encode(value)
  if type(value) == "table" then
    assert(next(value) == nil, "an empty table expected")
    return getmetatable(value) == ObjectMark and "{}" or "[]"
  end
  if type(value) == "string" and value:find("[\192\193\245-\255]") then error("not UTF-8", 0) end
  if value ~= value then error("NaN has no JSON form", 0) end
  return (cjson.encode(value):gsub("\\/", "/"))
end

local reasons = { [401] = "Unauthorized" }

-- A barq.core for modules.fresh.
return function()
  return {
    array = marker(ArrayMark), object = marker(ObjectMark), null = cjson.null,
    json_encode = encode, reason = function(status) return reasons[status] end,
  }
end
