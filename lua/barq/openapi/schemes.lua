-- schemes.lua: how a client shows who it is: components/securitySchemes and the operations'
-- requirements.
local core = require "barq.core"
local ordered = require "barq.openapi.ordered"

local of, put = ordered.of, ordered.put

---@class barq.openapi.Schemes
---@field components table name -> Security Scheme Object
local Schemes = {}
Schemes.__index = Schemes

local schemes = {}

local function object_of(scheme)
  if scheme.kind == "api_key" then
    return of("type", "apiKey", "description", scheme.description, "in", scheme["in"] or "header",
      "name", scheme.name)
  end
  return of("type", "http", "description", scheme.description, "scheme", scheme.kind,
    "bearerFormat", scheme.kind == "bearer" and scheme.format or nil)
end

-- The same scheme said twice is one component.
local function name_of(self, scheme)
  local object, base = object_of(scheme), (scheme.name or scheme.kind):gsub("[^%w._-]", "_")
  local text = base .. ordered.json(object)
  if self.names[text] then return self.names[text] end
  local name, number = base, 1
  while self.components[name] ~= nil do
    number = number + 1
    name = ("%s_%d"):format(base, number)
  end
  put(self.components, name, object)
  self.names[text] = name
  return name
end

local function requirement(names, one_more)
  local object = of()
  for _, name in ipairs(names) do put(object, name, core.array {}) end
  return one_more and put(object, one_more, core.array {}) or object
end

--- What an operation demands: every scheme that is not optional; each optional one makes an
--- alternative.
---@param list table[] { kind, name, in, description, format, optional }
---@return table? requirements nil when there are none
function Schemes:requirements(list)
  if not list[1] then return nil end
  local required, optional, seen = {}, {}, {}
  for _, scheme in ipairs(list) do
    if not scheme.optional then
      local name = name_of(self, scheme)
      if not seen[name] then required[#required + 1] = name end
      seen[name] = true
    end
  end
  for _, scheme in ipairs(list) do
    local name = name_of(self, scheme)
    if not seen[name] then optional[#optional + 1] = name end
    seen[name] = true
  end
  local alternatives = core.array {}
  for i, name in ipairs(optional) do alternatives[i] = requirement(required, name) end
  alternatives[#alternatives + 1] = requirement(required)
  return alternatives
end

---@return barq.openapi.Schemes
function schemes.new()
  return setmetatable({ components = of(), names = {} }, Schemes)
end

return schemes
