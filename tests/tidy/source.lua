-- source.lua: finds and reads the files of the checkout for the checks of tidy.lua.
local source = {}

-- Paths below the given folders (or files) whose name ends in one of the extensions, sorted.
function source.find(places, extensions)
  local names = {}
  for _, extension in ipairs(extensions) do
    names[#names + 1] = ("-name '*%s'"):format(extension)
  end
  local command = "find %s -name build -prune -o -type f \\( %s \\) -print 2>/dev/null"
  command = command:format(table.concat(places, " "), table.concat(names, " -o "))
  local pipe = assert(io.popen(command .. " | LC_ALL=C sort"))
  local found = {}
  for path in pipe:lines() do
    found[#found + 1] = (path:gsub("^%./", ""))
  end
  pipe:close()
  return found
end

function source.exists(path)
  local file = io.open(path)
  return file ~= nil and file:close()
end

local texts = {}

function source.text(path)
  if not texts[path] then
    local file = assert(io.open(path, "rb"))
    texts[path] = file:read("*a")
    file:close()
  end
  return texts[path]
end

-- Iterates over number, line.
function source.lines(path)
  local number, rest = 0, source.text(path)
  if rest:sub(-1) ~= "\n" then
    rest = rest .. "\n"
  end
  local next_line = rest:gmatch("(.-)\n")
  return function()
    local line = next_line()
    number = number + 1
    if line then
      return number, line
    end
  end
end

local function quoted_end(text, first)
  local quote, at = text:sub(first, first), first + 1
  while at <= #text and text:sub(at, at) ~= quote do
    at = at + (text:sub(at, at) == "\\" and 2 or 1)
  end
  return at
end

-- Where the comment, string or character that may begin at first ends; first - 1 if none does.
local function skipped_end(text, first)
  local two = text:sub(first, first + 1)
  if two == "/*" then
    return select(2, text:find("*/", first + 2, true)) or #text
  elseif two == "//" then
    return (text:find("\n", first, true) or #text + 1) - 1
  elseif two:sub(1, 1) == "/" then
    return first - 1
  end
  return quoted_end(text, first)
end

-- C without comments, strings and characters; line numbers stay what they were.
function source.code(path)
  local out, at, text = {}, 1, source.text(path)
  while true do
    local first = text:find("[/\"']", at)
    if not first then
      break
    end
    local last = skipped_end(text, first)
    out[#out + 1] = text:sub(at, first - 1)
    out[#out + 1] = text:sub(first, last):gsub("[^\n]", " ")
    if last < first then
      out[#out + 1], last = "/", first
    end
    at = last + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

-- The room of a path below src/: "porch" for src/*.c.
function source.room(path)
  return path:match("^src/([%w_]+)/") or "porch"
end

-- The headers that a C file includes: a list of { name, line, quoted }.
function source.includes(path)
  local list = {}
  for number, line in source.lines(path) do
    local mark, name = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
    if name then
      list[#list + 1] = { name = name, line = number, quoted = mark == '"' }
    end
  end
  return list
end

return source
