-- input.lua: what an operation takes: parameters and bodies.
local core = require "barq.core"
local ordered = require "barq.openapi.ordered"
local path = require "barq.openapi.path"
local schema = require "barq.openapi.schema"

local of, put = ordered.of, ordered.put

local input = {}

local function fields_of(node)
  if node and node.kind == "ref" then node = node.target end
  return node and node.fields or {}
end

local function find(node, name)
  for _, field in ipairs(fields_of(node)) do
    if field[1] == name then return field[2] end
  end
end

local function describe(schemas, parameter, node)
  put(parameter, "schema", schemas:of_parameter(node))
  if node.example ~= nil then put(parameter, "example", schema.value(node, node.example)) end
  return parameter
end

local function path_parameters(schemas, operation, list)
  for i, found in ipairs(operation.parameters) do
    local node = find(operation.input.params, found.name)
    local parameter = of("name", operation.names[i], "in", "path", "required", true,
      "description", node and node.description)
    if node then
      describe(schemas, parameter, node)
    else
      put(parameter, "schema", path.segment_schema(found.converter))
    end
    list[#list + 1] = parameter
  end
end

-- What a security scheme reads is said there and not again.
local function is_credential(operation, where, name)
  for _, scheme in ipairs(operation.security) do
    local place, field = scheme["in"] or "header", scheme.kind == "api_key" and scheme.name
    if place == where and (field or "authorization"):lower() == name:lower() then return true end
  end
  return false
end

local function named_parameters(schemas, operation, where, node, list)
  local seen = {}
  for _, field in ipairs(fields_of(node)) do
    -- In headers and cookies "_" is written for "-": lua/barq/input.lua has put the name of the
    -- wire beside it.
    local name, of_field = field.wire or field[1], field[2]
    if not seen[name] and not is_credential(operation, where, name) then
      seen[name] = true
      local is_list = where == "query" and of_field.kind == "array"
      list[#list + 1] = describe(schemas, of("name", name, "in", where,
        "required", schema.is_required(of_field), "description", of_field.description,
        "style", is_list and "form" or nil, "explode", is_list or nil), of_field)
    end
  end
end

--- The parameters of an operation.
---@param schemas barq.openapi.Schemas
---@param operation table see routes.lua
---@return table? list nil when there are none
function input.parameters(schemas, operation)
  local list, given = core.array {}, operation.input
  path_parameters(schemas, operation, list)
  named_parameters(schemas, operation, "query", given.query, list)
  named_parameters(schemas, operation, "header", given.headers, list)
  named_parameters(schemas, operation, "cookie", given.cookies, list)
  return list[1] and list or nil
end

--- The body of an operation.
---@param schemas barq.openapi.Schemas
---@param operation table see routes.lua
---@return table? body nil when there is none
function input.body(schemas, operation)
  local body, form = operation.input.body, operation.input.form
  local node = body or form
  if not node then return nil end
  local media = body and "application/json" or "application/x-www-form-urlencoded"
  return of("content", of(media, of("schema", schemas:of(node))),
    "required", schema.is_required(node))
end

--- Whether a request can be refused for what it holds.
---@param given table<string, table> the nodes of a route's input
---@return boolean
function input.is_validated(given)
  return given.body ~= nil or given.form ~= nil or fields_of(given.params)[1] ~= nil
    or fields_of(given.query)[1] ~= nil or fields_of(given.headers)[1] ~= nil
    or fields_of(given.cookies)[1] ~= nil
end

return input
