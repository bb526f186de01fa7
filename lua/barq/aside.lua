-- aside.lua: what `require "barq"` gives to functions that barq.offload runs: there is neither an
-- application nor a request around them.
local cjson = require "cjson"
local marks = require "barq.marks"

local aside = {
  array = marks.array,
  null = cjson.null,
  object = marks.object,
  shared = require "barq.shared",
  sqlite = require "barq.sqlite",
}

return setmetatable(aside, {
  __index = function(_, name)
    error(("barq.%s is not there in a function that barq.offload runs: only array, null, " ..
      "object, shared and sqlite are"):format(tostring(name)), 2)
  end,
})
