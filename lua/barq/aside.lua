-- aside.lua: what `require "barq"` gives to functions that barq.offload runs: there is neither an
-- application nor a request around them, and nothing waits.
local core = require "barq.core"
local schema = require "barq.schema"

local aside = {
  array = core.array,
  log = require "barq.log",
  now = core.now,
  null = core.null,
  object = core.object,
  schema = schema.schema,
  shared = require "barq.shared",
  sqlite = require "barq.sqlite",
  t = schema.t,
}

local names = {}
for name in pairs(aside) do names[#names + 1] = name end
table.sort(names)

return setmetatable(aside, {
  __index = function(_, name)
    error(("barq.%s is not there in a function that barq.offload runs, only barq.%s are"):format(
      tostring(name), table.concat(names, ", ")), 2)
  end,
})
