-- config.lua: settings that the application brings along.
local names = require "barq.names"
local place = require "barq.place"
local state = require "barq.state"

local config = {}

--- Settings of the server, as on its command line with "_" for "-":
--- `barq.config{ port = 8080, body_max = "4MiB", workers = 2 }`. The environment (BARQ_PORT) and
--- the command line (--port) win over it. `barq-server --help` lists them.
---@param settings table<string, string|number|boolean|table>
function config.config(settings)
  state.check_open("barq.config")
  if type(settings) ~= "table" then
    place.fail("barq.config: a table expected, got %s", type(settings))
  end
  local here = place.here() or "barq.config"
  for _, name in ipairs(names.sorted(settings)) do
    local value = settings[name]
    if type(name) ~= "string" then
      place.fail("barq.config: settings have names, as { port = 8080 }; got [%s]", tostring(name))
    end
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      local kind = type(one)
      if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
        place.fail("barq.config: %s is a string, number, boolean or list of them, not a %s",
          name, kind)
      end
      state.config[#state.config + 1] = { name, one, here }
    end
  end
end

local info_fields = {
  title = "string", version = "string", description = "string", servers = "table",
}

--- What the OpenAPI document says of the application as a whole.
---@param info barq.OpenapiInfo
--- Raises: on an unknown field, or one of another type.
function config.info(info)
  state.check_open("barq.info")
  if type(info) ~= "table" then place.fail("barq.info: a table expected, got %s", type(info)) end
  for name, value in pairs(info) do
    local expected = info_fields[name]
    if not expected then
      place.fail('barq.info: unknown field "%s"%s', tostring(name), names.hint(name, info_fields))
    elseif type(value) ~= expected then
      place.fail("barq.info: %s is a %s, not a %s", name, expected, type(value))
    end
    state.info[name] = value
  end
end

return config
