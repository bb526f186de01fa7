-- run.lua: `barq-server test`: busted, with what specs need on the path.
local testing = require "barq.testing" -- before busted, which forgets what a spec's file requires

local usual = { "tests", "spec" }

local function exists(path)
  -- A folder, too, can be opened for reading.
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function find_specs()
  for _, folder in ipairs(usual) do
    if exists(folder) then return folder end
  end
end

-- busted takes its options from `arg`, and the name in its messages from the file that calls it.
local function call_busted(runner, specs)
  arg = { [0] = "barq-server", "--ignore-lua", specs } -- luacheck: ignore 121
  local call = assert(loadstring("local run = ... run { standalone = false } return true",
    "@barq-server test"))
  return pcall(call, runner)
end

local function prepare(specs)
  local folder = specs:match("%.lua$") and (specs:match("^(.*)/") or ".") or specs
  package.path = ("%s/?.lua;%s/?/init.lua;./?.lua;./?/init.lua;%s"):format(folder, folder,
    package.path)
  package.preload["barq.core"] = function()
    error('a spec is no application: the modules of the one under test, barq too, are at '
      .. 'client:require("barq")', 0)
  end
end

--- Runs specs.
---@param specs? string a file or a folder; "tests" or "spec" otherwise
---@return boolean well
---@return string? complaint where it is not busted's to say what is wrong
return function(specs)
  if specs and not exists(specs) then return false, ('there are no specs at "%s"'):format(specs) end
  specs = specs or find_specs()
  if not specs then
    return false, ("there is no folder %s: barq-server test FOLDER names another one"):format(
      table.concat(usual, " or "))
  end
  local found, runner = pcall(require, "busted.runner")
  if not found then
    return false, "busted is missing, which runs the specs: apt-get install lua-busted, or "
      .. "luarocks install busted\n" .. tostring(runner)
  end
  prepare(specs)
  local ok, err = call_busted(runner, specs)
  testing.close_all()
  -- Where specs fail, busted raises nothing, literally.
  return ok, not ok and err and tostring(err) or nil
end
