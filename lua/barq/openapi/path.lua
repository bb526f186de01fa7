-- path.lua: barq's paths as OpenAPI's templates, and which of them are the same.
--
-- OpenAPI knows no converters, and for it /items/{id} and /items/{name} are one path: the names of
-- the first one count.
local ordered = require "barq.openapi.ordered"

local of = ordered.of

local path = {}

local converters = {
  int = function() return of("type", "integer") end,
  uuid = function() return of("type", "string", "format", "uuid") end,
  slug = function() return of("type", "string", "pattern", "^[A-Za-z0-9_-]+$") end,
}

--- Takes a path apart.
---@param text string "/items/{id:int}/{rest*}"
---@return { name: string, converter: string? }[] parameters
---@return string shape "/items/{}/{}": the same for paths that OpenAPI cannot tell apart
function path.parse(text)
  local parameters = {}
  local shape = text:gsub("{([^}]*)}", function(inside)
    local name, converter = inside:match("^([%w_]+):?(%w*)%*?$")
    parameters[#parameters + 1] = { name = name or inside, converter = converter }
    return "{}"
  end)
  return parameters, shape
end

--- A shape with names in it.
---@param shape string
---@param names string[]
---@return string
function path.fill(shape, names)
  local i = 0
  return (shape:gsub("{}", function()
    i = i + 1
    return "{" .. names[i] .. "}"
  end))
end

--- What a segment is when no schema says more.
---@param converter string? "int", "uuid", "slug"
---@return table schema
function path.segment_schema(converter)
  local make = converters[converter]
  return make and make() or of("type", "string")
end

return path
