-- The annotations that an editor shows are part of the product: what C gives to Lua has them in
-- lua/meta/, what lua/barq/ gives has them beside it, and both must be what there is.
local modules = require "modules"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function lines_of(path)
  local lines = {}
  for line in (read(path) .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- Names of the initialiser that follows `head` in a C file.
local function names_in_c(path, head)
  local body = assert(read(path):match(head .. "%s*=%s*(%b{})"), path .. " has no " .. head)
  local names = {}
  for name in body:gmatch('{%s*"([%w_]+)"') do names[name] = true end
  assert(next(names), head .. " is empty")
  return names
end

local function names_in_calls(path, pattern, into)
  for name in read(path):gmatch(pattern) do into[name] = true end
  return into
end

-- The comment above a line: its parameters in order, and whether there is one.
local function doc_above(lines, at)
  local params, documented = {}, false
  local first = at
  while first > 1 and lines[first - 1]:match("^%s*%-%-%-") do first = first - 1 end
  for i = first, at - 1 do
    documented = true
    local name, optional = lines[i]:match("^%s*%-%-%-@param ([%w_.]+)(%??)")
    if name then params[#params + 1] = { name = name, optional = optional == "?" } end
  end
  return documented, params
end

-- The definitions of a Lua file: { name, owner, at, arguments }.
local function definitions(lines)
  local found = {}
  for at, line in ipairs(lines) do
    local owner, name, arguments = line:match("^function ([%w_]+)[.:]([%w_]+)%(([^)]*)%)")
    if not owner then
      owner, name, arguments = "", line:match("^local function ([%w_]+)%(([^)]*)%)")
    end
    if name then
      found[#found + 1] = { owner = owner, name = name, at = at, arguments = arguments }
    end
  end
  return found
end

local function annotated_functions(path, owner)
  local names, lines = {}, lines_of(path)
  for _, definition in ipairs(definitions(lines)) do
    if definition.owner == owner then
      assert.is_nil(names[definition.name], definition.name .. " is annotated twice")
      assert.is_true((doc_above(lines, definition.at)), definition.name .. " has no words")
      names[definition.name] = true
    end
  end
  return names
end

local function annotated_fields(path, class)
  local names, inside = {}, false
  for _, line in ipairs(lines_of(path)) do
    local started = line:match("^%-%-%-@class ([%w_.]+)")
    if started then inside = started == class end
    if not line:match("^%-%-%-") then inside = false end
    local name = inside and line:match("^%-%-%-@field ([%w_]+)%??%s+%S")
    if name then names[name] = true end
  end
  return names
end

local CORE, REQUEST = "src/app/lua_core.c", "src/app/request.c"
local TASK = "src/vm/lua_task.c"
local SHARED, FLIGHT = "src/data/lua_shared.c", "src/data/lua_flight.c"
local SQLITE, META_SQLITE = "src/data/lua_sqlite.c", "lua/meta/sqlite.lua"
local META, META_SHARED, META_DOCS = "lua/meta/barq.lua", "lua/meta/shared.lua", "lua/meta/docs.lua"
local OFFLOAD, META_OFFLOAD = "src/data/lua_offload.c", "lua/meta/offload.lua"
local TESTING, META_TESTING = "src/lua_testing.c", "lua/meta/testing.lua"

describe("the annotations of what C gives", function()
  it("name the fields of req", function()
    assert.same(sorted(names_in_c(REQUEST, "fields%[%]")),
      sorted(annotated_fields(META, "barq.Request")))
  end)

  it("name the methods of req", function()
    assert.same(sorted(names_in_c(REQUEST, "methods%[%]")),
      sorted(annotated_functions(META, "Request")))
  end)

  it("name what barq.core has", function()
    local given = names_in_c(CORE, "functions%[%]")
    for _, head in ipairs { "void bq_core_open", "static void end_module" } do
      local body = assert(read(CORE):match("\n" .. head .. ".-\n}"))
      for name in body:gmatch('lua_setfield%(L, %-?%d+, "([%w_]+)"%)') do given[name] = true end
    end
    for _, list in ipairs { "task_functions%[%]", "waiting_functions%[%]" } do
      for name in pairs(names_in_c(TASK, list)) do given[name] = true end
    end
    local annotated = annotated_functions(META, "core")
    for name in pairs(annotated_fields(META, "barq.core")) do annotated[name] = true end
    assert.same(sorted(given), sorted(annotated))
  end)

  it("name what barq.shared.core has", function()
    local given = names_in_c(SHARED, "functions%[%]")
    names_in_calls(FLIGHT, 'bq_shared_add%(L, binding, metatable, "([%w_]+)"', given)
    for name in pairs(names_in_c(FLIGHT, "states%[%]")) do given[name] = true end
    given.methods, given.awaited = true, true
    local annotated = annotated_functions(META_SHARED, "core")
    for name in pairs(annotated_fields(META_SHARED, "barq.shared.core")) do
      annotated[name] = true
    end
    assert.same(sorted(given), sorted(annotated))
  end)

  it("name what barq.sqlite.core has", function()
    local given = names_in_c(SQLITE, "functions%[%]")
    names_in_calls(SQLITE, 'add_methods%(L, "([%w_]+)"', given)
    given.blob_type = true
    local annotated = annotated_functions(META_SQLITE, "core")
    for name in pairs(annotated_fields(META_SQLITE, "barq.sqlite.core")) do
      annotated[name] = true
    end
    assert.same(sorted(given), sorted(annotated))
  end)

  it("name what barq.offload.core has", function()
    assert.same(sorted(names_in_c(OFFLOAD, "functions%[%]")),
      sorted(annotated_functions(META_OFFLOAD, "core")))
  end)

  it("name what barq.docs.core has", function()
    local given = {}
    local body = assert(read("src/docs_ui.c"):match("\nint bq_docs_ui_open.-\n}"))
    for name in body:gmatch('lua_setfield%(L, %-?%d+, "([%w_]+)"%)') do given[name] = true end
    local annotated = annotated_functions(META_DOCS, "core")
    for name in pairs(annotated_fields(META_DOCS, "barq.docs.core")) do annotated[name] = true end
    assert.same(sorted(given), sorted(annotated))
  end)

  it("name what barq.testing.core has", function()
    assert.same(sorted(names_in_c(TESTING, "functions%[%]")),
      sorted(annotated_functions(META_TESTING, "core")))
    local methods = names_in_c(TESTING, "methods%[%]")
    methods.__gc = nil -- Lua's own affair
    assert.same(sorted(methods), sorted(annotated_functions(META_TESTING, "App")))
  end)
end)

local sources = { META, META_SHARED, META_SQLITE, META_OFFLOAD, META_DOCS, META_TESTING }
for path in io.popen("ls lua/barq/*.lua"):lines() do sources[#sources + 1] = path end

describe("the annotated parameters", function()
  for _, path in ipairs(sources) do
    it("in " .. path .. " are those of the function", function()
      local lines = lines_of(path)
      for _, definition in ipairs(definitions(lines)) do
        local _, params = doc_above(lines, definition.at)
        local names = {}
        for i, param in ipairs(params) do names[i] = param.name end
        if #names > 0 then
          assert.equal(definition.arguments, table.concat(names, ", "),
            ("%s:%d"):format(path, definition.at))
        end
      end
    end)
  end
end)

describe("barq's public", function()
  local core = modules.stand_in {
    version = "0.0.0", worker = 0, null = {}, array = function() end, object = function() end,
  }
  local fresh = modules.fresh(core)
  local barq = fresh "barq"
  local in_core = annotated_functions(META, "core")
  local verbs = annotated_fields("lua/barq/group.lua", "barq.Routes")

  local function from_core(value)
    for name, fn in pairs(core) do
      if fn == value then return in_core[name] end
    end
  end

  -- Words above `function x.name(`, above `x.name = `, or above the line it was defined at.
  local function is_documented(name, fn)
    local info = debug.getinfo(fn, "S")
    local path = "lua/" .. info.source:match("^@barq:(.*)$")
    local lines = lines_of(path)
    for at, line in ipairs(lines) do
      if at == info.linedefined or line:match("^[%w_]+%." .. name .. " = ") then
        if (doc_above(lines, at)) then return true end
      end
    end
    return false
  end

  local function check(name, value)
    if verbs[name] or from_core(value) then return end
    assert.is_true(is_documented(name, value), name .. " has no annotation")
  end

  for _, part in ipairs { barq, fresh "barq.declares", fresh "barq.beside" } do
    for name, value in pairs(part) do
      if type(value) == "function" then
        it(name .. " is annotated", function() check(name, value) end)
      end
    end
  end

  it("modules are fields for editors", function()
    local fields = annotated_fields("lua/barq/init.lua", "barq")
    for _, name in ipairs { "log", "offload", "shared", "sqlite" } do
      assert.truthy(barq[name])
      assert.is_true(fields[name], name .. " has no annotation")
    end
  end)

  it("members are each found where the others are not", function()
    for _, module in ipairs { "barq.declares", "barq.beside" } do
      for name, value in pairs(fresh(module)) do assert.equal(value, barq[name], name) end
    end
  end)

  it("log functions are annotated", function()
    for _, level in ipairs { "debug", "info", "warn", "error" } do check(level, barq.log[level]) end
  end)

  it("verbs are what is declared", function()
    assert.same(sorted(modules.fresh(core)("barq.group").verbs), sorted(verbs))
    assert.truthy(read("lua/barq/init.lua"):find("---@class barq: barq.Routes", 1, true))
    assert.truthy(read("lua/barq/group.lua"):find("---@class barq.Group: barq.Routes", 1, true))
  end)
end)
