-- init.lua: the OpenAPI 3.1 document of an application, made once, from what its routes declare.
local core = require "barq.core"
local ordered = require "barq.openapi.ordered"
local routes = require "barq.openapi.routes"
local schema = require "barq.openapi.schema"
local schemes = require "barq.openapi.schemes"
local source = require "barq.openapi.source"

---@class barq.OpenapiInfo
---@field title? string
---@field version? string of the application
---@field description? string
---@field servers? (string|{ url: string, description: string? })[]

local openapi = {}

local of, put = ordered.of, ordered.put

-- The errors of a request, in FastAPI's shape.
local validation = {
  HTTPValidationError = function()
    return of("type", "object", "properties", of("detail", of("type", "array",
      "items", of("$ref", "#/components/schemas/ValidationError"))))
  end,
  ValidationError = function()
    local index = core.array { of("type", "string"), of("type", "integer") }
    return of("type", "object",
      "properties", of(
        "loc", of("type", "array", "items", of("anyOf", index)),
        "msg", of("type", "string"),
        "type", of("type", "string"),
        "ctx", of("type", "object")),
      "required", core.array { "loc", "msg", "type" })
  end,
}

local function info_of(info)
  return of("title", info.title or "barq", "description", info.description,
    "version", info.version or "0.1.0")
end

local function servers_of(list)
  if not list or not list[1] then return nil end
  local servers = core.array {}
  for i, server in ipairs(list) do
    if type(server) == "string" then server = { url = server } end
    servers[i] = of("url", server.url, "description", server.description)
  end
  return servers
end

local function tags_of(list)
  if not list or not list[1] then return nil end
  local tags = core.array {}
  for i, tag in ipairs(list) do tags[i] = of("name", tag.name, "description", tag.description) end
  return tags
end

local function add_validation(components)
  for _, name in ipairs { "HTTPValidationError", "ValidationError" } do
    put(components, name, validation[name]())
  end
end

local function filled(object) return next(object) ~= nil and object or nil end

--- Makes the document. References (t.ref) are resolved already.
---@param list table[] routes: { method = "GET"|…|"ANY", path, name, status, place, tags, summary,
--- description, deprecated, hidden, input = { params, query, headers, cookies, body, form: node },
--- returns = node, security = scheme[] }
---@param info? barq.OpenapiInfo
---@param tags? { name: string, description: string }[] what there is to say of tags
---@return table document for openapi.json, which keeps its order; any JSON encoder takes it
function openapi.document(list, info, tags)
  info = info or {}
  local schemas, found = schema.new(validation), schemes.new()
  local paths, uses_validation = routes.paths(list, {
    schemas = schemas, schemes = found, comment_at = source.reader(),
  })
  if uses_validation then add_validation(schemas.components) end
  local components = of("schemas", filled(schemas.components),
    "securitySchemes", filled(found.components))
  return of("openapi", "3.1.0", "info", info_of(info), "servers", servers_of(info.servers),
    "tags", tags_of(tags), "paths", paths, "components", filled(components))
end

--- A document as JSON text: the same application gives the same bytes.
---@param document table
---@return string
--- Raises: on a value without JSON form (text that is not UTF-8), with the names that lead to it.
openapi.json = ordered.json

return openapi
