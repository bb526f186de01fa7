-- globals.lua: accidental globals of an application, found without running it: the bytecode of a
-- file names every global that it reads or sets.
--
-- What is meant to be global can say so: `_G.name` is no accident.
local names = require "barq.names"
local jit_util = require "jit.util"

local globals = {}

local band, rshift = bit.band, bit.rshift

-- LuaJIT's numbers of its instructions change between versions; those of two known ones do not lie.
local function opcode(at)
  return band(jit_util.funcbc(assert(loadstring "read = set; set = read"), at), 0xff)
end
local GGET, GSET = opcode(1), opcode(2)

local loaded = {} -- paths of Lua files, in the order of their loading

--- Remembers from now on which files `require` loads.
function globals.watch()
  local load_lua = package.loaders[2]
  package.loaders[2] = function(name)
    local path = package.searchpath(name, package.path)
    if path then loaded[#loaded + 1] = path end
    return load_lua(name)
  end
end

-- Calls visit(fn) for a function and those inside it, the outer ones first.
local function each_function(fn, visit)
  visit(fn)
  local at = -1
  while true do
    local constant = jit_util.funck(fn, at)
    if constant == nil then return end
    if type(constant) == "proto" then each_function(constant, visit) end
    at = at - 1
  end
end

-- Every use of a global in a chunk: { name, line, sets }.
local function uses_in(chunk)
  local uses = {}
  each_function(chunk, function(fn)
    for at = 1, jit_util.funcinfo(fn).bytecodes - 1 do
      local instruction = jit_util.funcbc(fn, at)
      local operation = band(instruction, 0xff)
      if operation == GGET or operation == GSET then
        uses[#uses + 1] = {
          name = jit_util.funck(fn, -rshift(instruction, 16) - 1),
          line = jit_util.funcinfo(fn, at).currentline, sets = operation == GSET,
        }
      end
    end
  end)
  table.sort(uses, function(a, b)
    if a.line ~= b.line then return a.line < b.line end
    return a.name < b.name
  end)
  return uses
end

-- Old modules replace the environment that globals are looked up in.
local function has_own_environment(uses)
  for _, use in ipairs(uses) do
    if not use.sets and (use.name == "setfenv" or use.name == "module") then return true end
  end
end

-- The application's own: not what LuaRocks has put beside it.
local function is_own(path, folder)
  return path:sub(1, #folder) == folder and not path:find("lua_modules/", 1, true)
end

-- The uses in each file, { path, uses }, and every name that is set somewhere.
local function survey(app_path)
  local folder = app_path:match("^(.*/)") or "./"
  local files, set, seen = {}, {}, {}
  local function add(path)
    local chunk = not seen[path] and loadfile(path)
    seen[path] = true
    if not chunk then return end -- the load has said why
    local uses = uses_in(chunk)
    if has_own_environment(uses) then return end
    files[#files + 1] = { path = path, uses = uses }
    for _, use in ipairs(uses) do
      if use.sets then set[use.name] = true end
    end
  end
  add(app_path)
  for _, path in ipairs(loaded) do
    if is_own(path, folder) then add(path) end
  end
  return files, set
end

local function problem_of(use, set)
  if use.sets then
    return ('the global "%s" is set: write "local %s", or "_G.%s" where that is meant'):format(
      use.name, use.name, use.name)
  end
  if set[use.name] or rawget(_G, use.name) ~= nil then return nil end
  local near = names.nearest(use.name, _G)
  return ('nothing sets the global "%s"%s'):format(use.name,
    near and (': did you mean "%s"?'):format(near)
    or (': "_G.%s" asks for one that may be absent'):format(use.name))
end

--- The accidental globals in an application that has been loaded.
---@param app_path string
---@return string[] problems each with its place
function globals.accidental(app_path)
  local found = {}
  local files, set = survey(app_path)
  for _, file in ipairs(files) do
    for _, use in ipairs(file.uses) do
      local problem = problem_of(use, set)
      if problem then found[#found + 1] = ("%s:%d: %s"):format(file.path, use.line, problem) end
    end
  end
  return found
end

return globals
