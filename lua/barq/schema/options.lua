-- options.lua: what each type can be told: option -> whether a value will do.
local decimal = require "barq.schema.decimal"
local misfit = require "barq.schema.value"
local names = require "barq.names"
local node = require "barq.schema.node"
local place = require "barq.place"
local tags = require "barq.schema.tags"

local options = {}

-- A check gives nil, or what the value should have been.
local function of_type(kind)
  return function(value)
    if type(value) ~= kind then return "is a " .. kind end
  end
end

local function anything() end

local function text(value)
  if type(value) ~= "string" or value == "" then return "is a string" end
end

local function length(value)
  if not decimal.is_safe_integer(value) or value < 0 then return "is an integer from 0" end
end

local function integer(value)
  if not decimal.is_safe_integer(value) then return "is an integer within 2^53" end
end

local function number(value)
  if type(value) ~= "number" or value ~= value or math.abs(value) == math.huge then
    return "is a finite number"
  end
end

local function int64(value)
  if not decimal.of(value) then return 'is a 64-bit integer, as 12 or "12"' end
end

local function positive(check)
  return function(value)
    local wrong = check(value)
    if wrong then return wrong end
    if tonumber(value) <= 0 then return "is above 0" end
  end
end

local formats = {
  email = true, uuid = true, uri = true, date = true, datetime = true, time = true, ipv4 = true,
  ipv6 = true, bytes = true,
}
options.formats = formats

local function format(value)
  if not formats[value] then return "is the name of a format" .. names.hint(value, formats) end
end

local extras = { ignore = true, forbid = true, keep = true }

local function extra(value)
  if not extras[value] then return 'is "ignore", "forbid" or "keep"' end
end

local function join(...)
  local all = {}
  for _, set in ipairs { ... } do
    for key, value in pairs(set) do all[key] = value end
  end
  return all
end

local common = {
  default = anything, description = of_type "string", example = anything,
  check = of_type "function",
}
options.common = common

local sizes = { min = length, max = length }
local strings = join(common, sizes, {
  pattern = text, trim = of_type "boolean", lower = of_type "boolean",
})

local function bounds(check)
  return join(common, {
    min = check, max = check, above = check, below = check, multiple_of = positive(check),
  })
end

-- label -> option -> check
local known = {
  string = join(strings, { format = format }),
  integer = bounds(integer), int64 = bounds(int64), number = bounds(number),
  boolean = common, enum = common, const = common, any = common, ref = common,
  object = join(common, { extra = extra }),
  array = join(common, sizes, { unique = of_type "boolean" }),
  map = join(common, sizes),
  union = join(common, { tag = text }),
}
for name in pairs(formats) do known[name] = strings end

-- What other libraries call these.
local aliases = {
  minimum = "min", minLength = "min", min_length = "min", ge = "min", minItems = "min",
  maximum = "max", maxLength = "max", max_length = "max", le = "max", maxItems = "max",
  gt = "above", exclusiveMinimum = "above", lt = "below", exclusiveMaximum = "below",
  regex = "pattern", multipleOf = "multiple_of", discriminator = "tag", validate = "check",
  additionalProperties = "extra", uniqueItems = "unique",
}

local wrappers = {
  optional = "t.optional(…)", required = "t.optional(…) for what is not required",
  nullable = "t.nullable(…)", null = "t.nullable(…)",
}

local function unknown(key, set, what)
  if wrappers[key] then
    place.fail('%s: there is no option "%s": write %s', what, tostring(key), wrappers[key])
  end
  local near = aliases[key]
  place.fail('%s: unknown option "%s"%s', what, tostring(key),
    near and set[near] and (' (did you mean "%s"?)'):format(near) or names.hint(key, set))
end

local function same(v) return v end
local function less(a, b) return a < b end

-- Fails where no number is left between the bounds. before(a, b) is a < b for what `as` makes of
-- them.
local function check_range(n, what, before, as)
  local function clash(low, high, strict)
    if n[low] == nil or n[high] == nil then return end
    local a, b = as(n[low]), as(n[high])
    if before(b, a) or (strict and not before(a, b)) then
      place.fail("%s: no value is left: %s is %s and %s is %s", what, low, tostring(n[low]), high,
        tostring(n[high]))
    end
  end
  clash("min", "max", false)
  clash("min", "below", true)
  clash("above", "max", true)
  clash("above", "below", true)
end

local checks = {}

function checks.number(n, what) check_range(n, what, less, same) end

function checks.int64(n, what) check_range(n, what, decimal.less, decimal.of) end

function checks.integer(n, what)
  checks.number(n, what)
  if n.above and n.below and n.above + 1 >= n.below then
    place.fail("%s: no integer lies above %d and below %d", what, n.above, n.below)
  end
end

local function check_sizes(n, what)
  if n.min and n.max and n.min > n.max then
    place.fail("%s: min %d is above max %d", what, n.min, n.max)
  end
end
checks.array, checks.map = check_sizes, check_sizes

function checks.string(n, what)
  check_sizes(n, what)
  if n.format == "bytes" and n.pattern then
    place.fail("%s: bytes are no text, so no pattern can match them", what)
  end
end

function checks.union(n, what)
  local wrong = tags.problem(n)
  if wrong then place.fail("%s: %s", what, wrong) end
end

local function check_value(n, key, what)
  local problem = n[key] ~= nil and misfit(n, n[key])
  if problem then place.fail("%s: %s %s", what, key, problem) end
end

--- Holds the whole of a node together: bounds that leave nothing, defaults that do not fit.
---@param n barq.Node
---@param what string at the beginning of messages
---@return barq.Node n
--- Raises: on each of these.
function options.verify(n, what)
  local check = checks[n.kind]
  if check then check(n, what) end
  check_value(n, "default", what)
  check_value(n, "example", what)
  -- In Lua the value of an int64 is text, whoever wrote it.
  if n.kind == "int64" and type(n.default) == "number" then n.default = decimal.of(n.default) end
  return n
end

--- Gives options to a node that nobody has seen yet.
---@param n barq.Node
---@param given table
---@param what string at the beginning of messages
---@param set? table<string, function> the options there are, when not all of the node's type
---@return barq.Node n
--- Raises: on unknown options, values that will not do, and what `verify` finds.
function options.apply(n, given, what, set)
  set = set or known[n.label]
  if type(given) ~= "table" or getmetatable(given) == node.Node
      or getmetatable(given) == node.Schema then
    place.fail("%s: the options are a table, as { description = … }, not %s", what,
      node.show(given))
  end
  for key, value in pairs(given) do
    local check = set[key]
    if not check then unknown(key, set, what) end
    local wrong = check(value)
    if wrong then
      place.fail("%s: %s %s; got %s", what, tostring(key), wrong, node.show(value))
    end
    n[key] = value
  end
  return options.verify(n, what)
end

-- t.string{ min = 1 }: also a copy without options, which has its place among the fields where
-- it is written.
function options.call(base, given)
  local n = node.copy(base)
  if given == nil then return n end
  return options.apply(n, given, "t." .. base.label)
end

return options
