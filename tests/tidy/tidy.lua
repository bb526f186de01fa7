-- tidy.lua: how the tree must look, as tests. Run by luajit from the top folder; prints TAP.
package.path = "./tests/tidy/?.lua;" .. package.path
local rooms = require "rooms"
local source = require "source"

local c_files = source.find({ "src", "tests", "bench" }, { ".c", ".h" })
local room_files = source.find({ "src" }, { ".c", ".h" })
local lua_files = source.find({ "lua", "apps", "tests", "bench" }, { ".lua" })
local scripts = source.find({ "dev", "tests/run", "tests/docker", ".ci/run" },
  { "dev", "run", "/deb" })
local build_files = source.find({ "CMakeLists.txt", "cmake" }, { ".txt", ".cmake" })
local cards = source.find({ "." }, { ".md" })

local function joined(...)
  local all = {}
  for _, list in ipairs { ... } do
    for _, item in ipairs(list) do
      all[#all + 1] = item
    end
  end
  return all
end

local code_files = joined(c_files, lua_files, scripts, build_files)
local all_files = joined(code_files, cards)

local function set(list)
  local members = {}
  for _, item in ipairs(list) do
    members[item] = true
  end
  return members
end

-- A check is a sentence and a function that calls report(path, line, message) for each breach.
local checks = {}

local function check(sentence, run)
  checks[#checks + 1] = { sentence = sentence, run = run }
end

check("rooms include only the rooms they may use", function(report)
  for _, path in ipairs(room_files) do
    local room = source.room(path)
    local may = room ~= "porch" and set(rooms.uses[room] or {})
    for _, include in ipairs(source.includes(path)) do
      local other = include.quoted and (include.name:match("^([%w_]+)/") or "porch")
      if may and other and other ~= room and not may[other] then
        report(path, include.line, ("%s may not use %s (%s)"):format(room, other, include.name))
      end
    end
  end
end)

check("the build links each room with what it may use, and no more", function(report)
  local seen = {}
  for number, line in source.lines("CMakeLists.txt") do
    local name, arguments = line:match("^barq_room%((%w+)%s*(.-)%)")
    if name then
      seen[name] = true
      local uses = (arguments .. " "):match("USES%s+([%l ]*)") or ""
      local expected = table.concat(rooms.uses[name] or { "(unknown room)" }, " ")
      if uses:gsub("%s+$", "") ~= expected then
        report("CMakeLists.txt", number, ("%s should use %s"):format(name, expected))
      end
    end
  end
  for name in pairs(rooms.uses) do
    if not seen[name] then
      report("CMakeLists.txt", 1, ("no barq_room(%s …)"):format(name))
    end
  end
end)

check("headers of other people's code stay in their quarantine", function(report)
  local function allowed(path, places)
    for _, place in ipairs(places) do
      if place == source.room(path) or "src/" .. place == path then
        return true
      end
    end
    return false
  end
  for _, path in ipairs(room_files) do
    for _, include in ipairs(source.includes(path)) do
      for _, rule in ipairs(rooms.quarantine) do
        if include.name:find(rule[1]) and not allowed(path, rule[2]) then
          report(path, include.line, ("%s belongs to %s"):format(include.name,
            table.concat(rule[2], ", ")))
        end
      end
    end
  end
end)

-- Reports calls of the named functions in C, comments and strings aside.
local function find_calls(path, names, report, message)
  local number = 0
  for line in (source.code(path) .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    for before, name in (" " .. line):gmatch("([^%w_])([%a_][%w_]*)%s*%(") do
      if names[name] and before ~= "." and before ~= ">" then
        report(path, number, message:format(name))
      end
    end
  end
end

check("http and json know no clock and no descriptors", function(report)
  local impure, pure = set(rooms.impure_calls), set(rooms.pure)
  for _, path in ipairs(room_files) do
    if pure[source.room(path)] then
      find_calls(path, impure, report, "calls %s")
    end
  end
end)

check("no function that overruns its buffer or hides its errors is called", function(report)
  local banned = set { "strcpy", "strcat", "sprintf", "vsprintf", "strtok", "gets", "atoi", "atol",
    "alloca" }
  for _, path in ipairs(c_files) do
    if path ~= "src/base/banned.h" then
      find_calls(path, banned, report, "%s is banned")
    end
  end
end)

check("the heap is used through base/mem.h", function(report)
  local heap = set { "malloc", "calloc", "realloc", "free", "strdup", "strndup", "asprintf" }
  for _, path in ipairs(room_files) do
    if path ~= "src/base/mem.c" then
      find_calls(path, heap, report, "%s: use base/mem.h")
    end
  end
end)

check("a source file includes a header of its own room", function(report)
  for _, path in ipairs(room_files) do
    local room, own = source.room(path), path == "src/main.c" or path:find("%.h$")
    for _, include in ipairs(source.includes(path)) do
      own = own or include.quoted and (include.name:match("^([%w_]+)/") or "porch") == room
    end
    if not own then
      report(path, 1, "what it defines is declared nowhere in its room")
    end
  end
end)

check("every header is guarded by its path", function(report)
  for _, path in ipairs(room_files) do
    if path:find("%.h$") then
      local guard = "BQ_" .. path:match("^src/(.*)%.h$"):upper():gsub("/", "_") .. "_H"
      local opening = ("#ifndef %s\n#define %s\n"):format(guard, guard)
      if not source.text(path):find(opening, 1, true) then
        report(path, 1, ("no include guard %s"):format(guard))
      end
    end
  end
end)

check("every file opens by saying what it is for", function(report)
  -- Whether a file's first comment begins with its name: "arena.c: …", "-- barq.shared: …".
  local function named(path, mark)
    local stem = path:match("([^/]+)$"):gsub("%.%w+$", ""):gsub("%p", "%%%0")
    return ("\n" .. source.text(path):sub(1, 400)):find(mark .. "[%w_./]*" .. stem .. "[%w.]*: %S")
  end
  for _, path in ipairs(joined(room_files, source.find({ "bench" }, { ".c" }))) do
    if source.text(path):sub(1, 2) ~= "/*" or not named(path, "\n[/ ]%*%s") then
      report(path, 1, "does not open with /* name: its job")
    end
  end
  -- Not the applications: they show what people write, down to the five lines of the README.
  for _, path in ipairs(source.find({ "lua", "bench" }, { ".lua" })) do
    if source.text(path):sub(1, 2) ~= "--" or not named(path, "\n%-%-+ ") then
      report(path, 1, "does not open with -- name: its job")
    end
  end
  for _, path in ipairs(scripts) do
    if not source.text(path):find("^#!/usr/bin/env ") or not named(path, "\n# ") then
      report(path, 1, "does not open with #! and # name: its job")
    end
  end
  for _, path in ipairs(source.find({ "tests" }, { ".c", ".h", ".lua" })) do
    if not source.text(path):find("^/%*") and not source.text(path):find("^%-%-") then
      report(path, 1, "does not open with a comment")
    end
  end
end)

check("no C function is longer than 70 lines", function(report)
  for _, path in ipairs(c_files) do
    local start
    for number, line in source.lines(path) do
      if line == "{" then
        start = number
      elseif line == "}" and start then
        if number - start - 1 > 70 then
          report(path, start, ("a function of %d lines"):format(number - start - 1))
        end
        start = nil
      end
    end
  end
end)

check("no Lua function is longer than 50 lines, no Lua file than 400", function(report)
  for _, path in ipairs(lua_files) do
    local start, last
    for number, line in source.lines(path) do
      last = number
      if line:find("^function ") or line:find("^local function ") then
        start = number
      elseif line == "end" and start then
        if number - start - 1 > 50 then
          report(path, start, ("a function of %d lines"):format(number - start - 1))
        end
        start = nil
      end
    end
    if last and last > 400 and not path:find("^tests/") then
      report(path, last, "the file is too long: one idea per file")
    end
  end
end)

check("no line is longer than 100 columns", function(report)
  for _, path in ipairs(code_files) do
    for number, line in source.lines(path) do
      local columns = #line:gsub("[\128-\191]", "")
      -- An annotation of the Lua language server cannot be folded.
      if columns > 100 and not line:find("^%s*%-%-%-@") then
        report(path, number, ("%d columns"):format(columns))
      end
    end
  end
end)

check("no trailing white space, tab or carriage return, and a newline at the end", function(report)
  for _, path in ipairs(all_files) do
    for number, line in source.lines(path) do
      if line:find("[\t\r]") or line:find("%s$") then
        report(path, number, "white space")
      end
    end
    if source.text(path):sub(-1) ~= "\n" then
      report(path, 1, "no newline at the end")
    end
  end
end)

check("nothing is left for later", function(report)
  local marks = { "TO" .. "DO", "FIX" .. "ME", "XX" .. "X" }
  for _, path in ipairs(all_files) do
    for number, line in source.lines(path) do
      for _, mark in ipairs(marks) do
        if line:find("%f[%w]" .. mark .. "%f[%W]") then
          report(path, number, mark)
        end
      end
    end
  end
end)

check("files are named by their idea", function(report)
  local vague = set { "util", "utils", "misc", "helper", "helpers", "common", "manager", "extra" }
  for _, path in ipairs(all_files) do
    for word in path:match("[^/]+$"):gmatch("%a+") do
      if vague[word] then
        report(path, 1, ("what is a %s?"):format(word))
      end
    end
  end
end)

check("structs have tags; only small values are typedefs", function(report)
  for _, path in ipairs(room_files) do
    local code = source.code(path)
    for body in code:gmatch("typedef%s+struct[%s%w_]*(%b{}%s*[%w_]+)%s*;") do
      local name = body:match("[%w_]+$")
      if not rooms.value_types[name] then
        report(path, 1, ("%s: a struct with a tag instead"):format(name))
      end
    end
    for name in code:gmatch("typedef%s+struct%s+[%w_]+%s+([%w_]+)%s*;") do
      report(path, 1, ("%s: a struct with a tag instead"):format(name))
    end
  end
end)

check("no variable of a file changes", function(report)
  -- Counters of test builds, and what a process has once by nature.
  local known = set { "src/base/fault.c", "src/base/mem.c", "src/base/log.c" }
  for _, path in ipairs(room_files) do
    local number = 0
    for line in (source.code(path) .. "\n"):gmatch("(.-)\n") do
      number = number + 1
      local variable = line:find("^static [%w_ *]+[%w_%[%]]*%s*[=;]") or
        line:find("^[%l][%w_ *]+ %*?[%w_]+[%w_%[%]]*%s*=")
      local fixed = line:find("%f[%w]const%f[%W]") or line:find("^typedef ")
      if variable and not fixed and not known[path] then
        report(path, number, "a mutable global")
      end
    end
  end
end)

check("every room has its card", function(report)
  for room in pairs(rooms.uses) do
    if not source.exists("src/" .. room .. "/README.md") then
      report("src/" .. room .. "/README.md", 1, "missing")
    end
  end
end)

check("links between pages lead somewhere", function(report)
  for _, path in ipairs(cards) do
    local folder = path:match("^(.*/)") or ""
    for number, line in source.lines(path) do
      for target in line:gmatch("%]%(([^)#%s]+)[^)]*%)") do
        if not target:find("^%a+:") and not source.exists(folder .. target) then
          report(path, number, ("no %s"):format(target))
        end
      end
    end
  end
end)

check("every source file has its unit test", function(report)
  for _, path in ipairs(room_files) do
    local name = path:match("([%w_]+)%.c$")
    local own = name and ("tests/unit/%s/%s_test.c"):format(source.room(path), name)
    local listed = rooms.covered_by[path]
    if listed and source.exists(own) then
      report(path, 1, "has a unit test now: take it off the list in rooms.lua")
    elseif name and not source.exists(listed or own) then
      report(path, 1, "no " .. (listed or own))
    end
  end
  for path in pairs(rooms.covered_by) do
    if not source.exists(path) then
      report(path, 1, "is on the list in rooms.lua, but gone")
    end
  end
end)

check("every package has its purpose", function(report)
  local seen = {}
  local purposes =
    set { "build", "run", "test", "docs", "bench", "peers", "deb", "docker" }
  for number, line in source.lines("packages.txt") do
    local package, purpose = line:match("^([%w.+-]+) (%l+)$")
    if not line:find("^#") and not purposes[purpose] then
      report("packages.txt", number, "not: package purpose")
    elseif package and seen[package] then
      report("packages.txt", number, package .. " is listed twice")
    end
    seen[package or ""] = package
  end
end)

local failed = 0
print("1.." .. #checks)
for number, one in ipairs(checks) do
  local breaches = {}
  one.run(function(path, line, message)
    breaches[#breaches + 1] = ("# %s:%d: %s"):format(path, line, message)
  end)
  failed = failed + (#breaches > 0 and 1 or 0)
  print(("%s %d - %s"):format(#breaches > 0 and "not ok" or "ok", number, one.sentence))
  for _, breach in ipairs(breaches) do
    print(breach)
  end
end
os.exit(failed == 0 and 0 or 1)
