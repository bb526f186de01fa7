-- routes.lua: routes to the operations of OpenAPI's paths.
--
-- A route becomes one operation, or with "ANY" one for each method that has no route of its
-- own. Of two operations that differ in converters only, which OpenAPI cannot say, the first is
-- shown.
local core = require "barq.core"
local input = require "barq.openapi.input"
local ordered = require "barq.openapi.ordered"
local path = require "barq.openapi.path"

local of, put = ordered.of, ordered.put

local routes = {}

local every_method = { "get", "put", "post", "delete", "options", "head", "patch" }

-- Where a body has no meaning (RFC 9110, section 9.3), "ANY" does not ask for one.
local bodyless = { get = true, head = true }

-- And digits. Letters beyond ASCII are what they are: which of them have a capital, Lua cannot say.
local LETTERS = "%w\128-\255"

local function title_of(id)
  local words = id:gsub("[_%-%.%s]+", " "):gsub("^ ", ""):gsub(" $", "")
  return (words:gsub("%f[" .. LETTERS .. "]%l", string.upper))
end

local function derived_id(method, route_path)
  local words = route_path:gsub("{([%w_]*)[^}]*}", "%1"):gsub("[^" .. LETTERS .. "]+", "_")
    :gsub("^_", ""):gsub("_$", "")
  return method .. "_" .. (words == "" and "root" or words)
end

-- An id that no route has for its name and no operation so far.
local function unique_id(self, id)
  local free, number = id, 1
  while self.taken[free] do
    number = number + 1
    free = ("%s_%d"):format(id, number)
  end
  self.taken[free] = true
  return free
end

local function id_of(self, route, method)
  if not route.name then return unique_id(self, derived_id(method, route.path)) end
  if route.method == "ANY" then return unique_id(self, route.name .. "_" .. method) end
  return route.name
end

local function json_content(schema) return of("application/json", of("schema", schema)) end

local function responses_of(self, route, method)
  local status = route.status or 200
  local empty = status == 204 or status == 205 or method == "head"
  local success = of("description", "Successful Response")
  if not empty then
    put(success, "content", json_content(route.returns and self.schemas:of(route.returns) or of()))
  end
  local responses = of(("%d"):format(status), success)
  if input.is_validated(route.input or {}) then
    self.uses_validation = true
    put(responses, "422", of("description", "Validation Error",
      "content", json_content(of("$ref", "#/components/schemas/HTTPValidationError"))))
  end
  return responses
end

local function tags_of(route)
  if not route.tags or not route.tags[1] then return nil end
  local tags, seen = core.array {}, {}
  for _, tag in ipairs(route.tags) do
    if not seen[tag] then tags[#tags + 1] = tag end
    seen[tag] = true
  end
  return tags
end

local function add_operation(self, item, route, method, names)
  if item[method] ~= nil then return end
  local id = id_of(self, route, method)
  local security = route.security or {}
  local given = { input = route.input or {}, security = security, names = names,
    parameters = path.parse(route.path) }
  local takes_body = route.method ~= "ANY" or not bodyless[method]
  put(item, method, of(
    "tags", tags_of(route),
    "summary", route.summary or title_of(route.name or id),
    "description", route.description or self.comment_at(route.place),
    "operationId", id,
    "parameters", input.parameters(self.schemas, given),
    "requestBody", takes_body and input.body(self.schemas, given) or nil,
    "responses", responses_of(self, route, method),
    "deprecated", route.deprecated or nil,
    "security", self.schemes:requirements(security)))
end

-- The path item of a route, and the names of its parameters there.
local function item_of(self, route)
  local parameters, shape = path.parse(route.path)
  local known = self.shapes[shape]
  if not known then
    known = { item = of(), names = {} }
    for i, parameter in ipairs(parameters) do known.names[i] = parameter.name end
    self.shapes[shape] = known
    put(self.paths, path.fill(shape, known.names), known.item)
  end
  return known.item, known.names
end

local function visible(list)
  local shown = {}
  for _, route in ipairs(list) do
    if not route.hidden then shown[#shown + 1] = route end
  end
  return shown
end

--- The paths of a document.
---@param list table[] routes, as for openapi.document
---@param parts { schemas: barq.openapi.Schemas, schemes: barq.openapi.Schemes, comment_at: fun(place: string?): string? }
---@return table paths
---@return boolean uses_validation whether some operation refers to HTTPValidationError
function routes.paths(list, parts)
  local self = { schemas = parts.schemas, schemes = parts.schemes, comment_at = parts.comment_at,
    paths = of(), shapes = {}, taken = {}, uses_validation = false }
  local shown = visible(list)
  for _, route in ipairs(shown) do
    if route.name and route.method ~= "ANY" then self.taken[route.name] = true end
  end
  -- The paths are in the routes' order; methods of their own come before those of "ANY".
  for _, route in ipairs(shown) do
    local item, names = item_of(self, route)
    if route.method ~= "ANY" then add_operation(self, item, route, route.method:lower(), names) end
  end
  for _, route in ipairs(shown) do
    local item, names = item_of(self, route)
    for _, method in ipairs(route.method == "ANY" and every_method or {}) do
      add_operation(self, item, route, method, names)
    end
  end
  return self.paths, self.uses_validation
end

return routes
