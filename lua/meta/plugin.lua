-- plugin.lua: for the Lua language server (its option runtime.plugin): completes what barq makes
-- of a schema, as req.body.name after `body = Item`.
--
-- Annotations cannot say it: the type of a handler's first argument follows from the table beside
-- it. The language server lets a plugin change the text that it reads, not what the editor shows:
-- this one writes a class for each schema on top, and one for the request of each handler. It reads
-- text, not Lua: a declaration that it does not understand stays as it is, and completes as before.
-- luacheck: globals OnSetText

local plain = {
  string = "string", email = "string", uuid = "string", uri = "string", date = "string",
  datetime = "string", time = "string", ipv4 = "string", ipv6 = "string", bytes = "string",
  int64 = "string", integer = "integer", number = "number", boolean = "boolean", any = "any",
}
local verbs = {
  get = true, post = true, put = true, patch = true, delete = true, head = true, options = true,
  any = true,
}
local parts = { "body", "form", "params", "query", "headers", "cookies" }

local type_of

-- Where the string or comment that begins there ends, in the same line unless it is a long one.
local function end_of(text, at)
  local quote = text:match("^[\"']", at)
  if quote then
    local finish = at
    repeat
      finish = text:find("[\n\\" .. quote .. "]", finish + 1) or #text
      local escape = text:sub(finish, finish) == "\\"
      if escape then finish = finish + 1 end
    until not escape or finish >= #text
    return finish
  end
  local level = text:match("^%-?%-?%[(=*)%[", at)
  if level then return select(2, text:find("]" .. level .. "]", at, true)) or #text end
  return (text:find("\n", at, true) or #text + 1) - 1
end

-- The same text, as long, without comments, and with HIDDEN for what strings hold of punctuation:
-- every bracket and comma is one.
local HIDDEN = "\1"
local function masked(text)
  local out, from = {}, 1
  while true do
    local at = text:find("[\"'%-%[]", from)
    if not at then break end
    local comment = text:find("^%-%-", at)
    if comment or text:find("^[\"']", at) or text:find("^%[=*%[", at) then
      local finish = end_of(text, at)
      out[#out + 1] = text:sub(from, at - 1)
      out[#out + 1] = text:sub(at, finish):gsub(comment and "[^\n]" or "[%(%){}%[%],]",
        comment and " " or HIDDEN)
      from = finish + 1
    else
      out[#out + 1] = text:sub(from, at)
      from = at + 1
    end
  end
  out[#out + 1] = text:sub(from)
  return table.concat(out)
end

-- The parts of a list between commas, at the top: "a = 1", "b = { 2, 3 }".
local function entries(inside)
  local list, depth, from = {}, 0, 1
  for at, c in inside:gmatch("()([%(%){}%[%],])") do
    if c:find("[%({%[]") then
      depth = depth + 1
    elseif c ~= "," then
      depth = depth - 1
    elseif depth == 0 then
      list[#list + 1] = inside:sub(from, at - 1)
      from = at + 1
    end
  end
  list[#list + 1] = inside:sub(from)
  return list
end

-- { name, type, optional } for each field of "{ name = t.string, … }".
local function fields_of(braces, known)
  local fields = {}
  for _, entry in ipairs(entries(braces:sub(2, -2))) do
    local name, expression = entry:match("^%s*([%a_][%w_]*)%s*=%s*(.-)%s*$")
    if name then
      local kind, optional = type_of(expression, known)
      fields[#fields + 1] = { name = name, type = kind, optional = optional }
    end
  end
  return fields
end

local function shape(braces, known)
  local list = {}
  for i, field in ipairs(fields_of(braces, known)) do
    list[i] = ("%s%s: %s"):format(field.name, field.optional and "?" or "", field.type)
  end
  return "{ " .. table.concat(list, ", ") .. " }"
end

local function choices(braces)
  local list = {}
  for _, entry in ipairs(entries(braces:sub(2, -2))) do
    local choice = entry:match('^%s*("[^"\n]*")%s*$')
    if choice and choice:find(HIDDEN, 1, true) then return "string" end
    list[#list + 1] = choice
  end
  return #list > 0 and table.concat(list, "|") or "any"
end

local function first_argument(parentheses, known)
  return (type_of(entries(parentheses:sub(2, -2))[1]:match("^%s*(.-)%s*$"), known))
end

-- What is called with an argument: t.array(…), t.enum{…}.
local makes = {
  array = function(argument, known) return "(" .. first_argument(argument, known) .. ")[]" end,
  map = function(argument, known)
    return "table<string, " .. first_argument(argument, known) .. ">"
  end,
  nullable = function(argument, known)
    return first_argument(argument, known) .. "|lightuserdata"
  end,
  optional = function(argument, known) return first_argument(argument, known), true end,
  enum = choices,
  object = function(argument, known)
    local braces = argument:match "%b{}"
    return braces and shape(braces, known) or "table"
  end,
  ref = function(argument)
    local name = argument:match '"([%a_][%w_]*)"'
    return name and "barq.schemas." .. name or "any"
  end,
}

-- The type of an expression that makes a schema's node, and whether it may be absent.
function type_of(expression, known)
  if expression:find "^{" then return shape(expression, known) end
  local name, rest = expression:match "^[%w_.]*%f[%w_]t%.([%a_][%w_]*)%s*(.*)$"
  if name and plain[name] then return plain[name] end
  if name and makes[name] then
    local argument = rest:match "^%b()" or rest:match "^%b{}"
    if argument then return makes[name](argument, known) end
  end
  -- A variable of this file, or the field of a module that has the schema's name.
  local variable = expression:match "^([%a_][%w_]*)%s*$"
    or expression:match "^([%a_][%w_]*)%s*[%({]"
  if variable and known[variable] then return "barq.schemas." .. known[variable] end
  local member = expression:match "^[%a_][%w_]*%.([%a_][%w_]*)%s*$"
  return member and known[member] and "barq.schemas." .. known[member] or "any"
end

-- The schemas that a text declares, in order: { variable, name, base, braces }.
local function schemas_in(text)
  local found = {}
  local function add(pattern, read)
    for at, a, b, c, d in text:gmatch("()" .. pattern) do
      local schema = read(a, b, c, d)
      schema.at = at
      found[#found + 1] = schema
    end
  end
  add('([%a_][%w_]*)%s*=%s*[%w_.]*schema%s*%(%s*"([%a_][%w_]*)"%s*,%s*(%b{})',
    function(variable, name, braces)
      return { variable = variable, name = name, braces = braces }
    end)
  add('([%a_][%w_]*)%s*=%s*([%w_.]+):extend%s*%(%s*"([%a_][%w_]*)"%s*,%s*(%b{})',
    function(variable, base, name, braces)
      return { variable = variable, base = base, name = name, braces = braces }
    end)
  -- The fields of these are some of the base's.
  add("([%a_][%w_]*)%s*=%s*([%w_.]+):(%a+)%s*[%({]", function(variable, base, verb)
    local derived = verb == "pick" or verb == "omit" or verb == "partial"
    return { variable = derived and variable or nil, same_as = base }
  end)
  table.sort(found, function(a, b) return a.at < b.at end)
  return found
end

local all_known = {} -- variable -> name of a schema, of every file that was read: for modules

local function classes(text, known, lines)
  for _, schema in ipairs(schemas_in(text)) do
    local base = schema.base or schema.same_as
    base = base and known[base:match "[^.]*$"]
    if schema.name then
      known[schema.variable], all_known[schema.variable] = schema.name, schema.name
      lines[#lines + 1] = ("---@class barq.schemas.%s%s"):format(schema.name,
        base and ": barq.schemas." .. base or "")
      for _, field in ipairs(fields_of(schema.braces, known)) do
        lines[#lines + 1] = ("---@field %s%s %s"):format(field.name, field.optional and "?" or "",
          field.type)
      end
      lines[#lines + 1] = ""
    elseif schema.variable and base then
      known[schema.variable], all_known[schema.variable] = base, base
    end
  end
end

local function declared(spec, known)
  local fields, of = {}, {}
  for _, entry in ipairs(entries(spec:sub(2, -2))) do
    local name, expression = entry:match "^%s*([%a_]+)%s*=%s*(.-)%s*$"
    if name then of[name] = expression end
  end
  for _, part in ipairs(parts) do
    if of[part] then
      fields[#fields + 1] = ("---@field %s %s"):format(part == "form" and "body" or part,
        (type_of(of[part], known)))
    end
  end
  return fields
end

-- Handlers with a spec before them: the class of their request, and where it is said.
local function requests(text, prefix, known, lines, diffs)
  local pattern = '[.:](%a+)%s*%(%s*"[^"\n]*"%s*,%s*(%b{})%s*,%s*()function%s*%(%s*([%a_][%w_]*)'
  for verb, spec, at, argument in text:gmatch(pattern) do
    local fields = verbs[verb] and declared(spec, known) or {}
    if #fields > 0 then
      local name = ("barq.Request.%s_%d"):format(prefix, #diffs + 1)
      lines[#lines + 1] = ("---@class %s: barq.Request"):format(name)
      for _, field in ipairs(fields) do lines[#lines + 1] = field end
      lines[#lines + 1] = ""
      diffs[#diffs + 1] = {
        start = at, finish = at - 1, text = ("\n---@param %s %s\n"):format(argument, name),
      }
    end
  end
end

--- What the language server calls with each text that it reads.
---@param uri string
---@param text string
---@return { start: integer, finish: integer, text: string }[]? diffs what it reads instead
function OnSetText(uri, text)
  if uri:find("/.barq/", 1, true) or not text:find("barq", 1, true) then return nil end
  local known = setmetatable({}, { __index = all_known })
  local lines, diffs = {}, {}
  text = masked(text)
  classes(text, known, lines)
  local prefix = (uri:match "([^/]*/?[^/]*)%.lua$" or "file"):gsub("[^%w]", "_")
  requests(text, prefix, known, lines, diffs)
  if #lines == 0 then return nil end
  table.insert(diffs, 1, { start = 1, finish = 0, text = table.concat(lines, "\n") .. "\n" })
  return diffs
end
