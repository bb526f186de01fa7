-- examples.lua: the examples of the documentation, taken out of their pages.
--
--   ```lua      an application, if it says require "barq"; else more of the one above it. With
--               "-- users.lua" as its first line: that file, which lies beside the one above.
--   ```http     requests, and the answers that the application has for them:
--                   POST /items {"name":"Lamp"}      method, target and perhaps the body
--                   X-Tenant: a                      header fields
--                   → 201 {"id":1}                   status and body, which may go on indented
--                   Location: /items/1               header fields of the answer
--   ```console  "$ barq-server check app.lua" and what it prints
--   ```log      lines that are in the application's log by then
--
-- In whatever is expected "…" stands for anything. Blocks of other kinds are not looked at.
local cjson = require "cjson"

local examples = {}

---@class examples.Block
---@field kind string what follows the opening fence
---@field text string
---@field line integer of its first line in the page

---@class examples.Application
---@field line integer in the page
---@field source string
---@field files table<string, string> what lies beside it
---@field steps examples.Block[] what is expected of it, in order

--- All fenced blocks of a page.
---@param page string its text
---@return examples.Block[]
function examples.blocks(page)
  local blocks, open, number = {}, nil, 0
  for line in (page .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local fence = line:match("^```(.*)$")
    if fence and open then
      open.text = table.concat(open.lines, "\n") .. "\n"
      blocks[#blocks + 1], open = open, nil
    elseif fence then
      open = { kind = fence, lines = {}, line = number + 1 }
    elseif open then
      open.lines[#open.lines + 1] = line
    end
  end
  if open then error(("line %d: a block that does not end"):format(open.line - 1), 0) end
  return blocks
end

local function file_of(block)
  local name = block.kind == "lua" and block.text:match("^%-%- ([%w_/]+%.%w+)\n")
  return name ~= "app.lua" and name or nil
end

local function add(app, block)
  local file = file_of(block)
  if file then
    app.files[file] = block.text
  elseif block.kind == "lua" then
    app.source = app.source .. block.text
  else
    app.steps[#app.steps + 1] = block
  end
end

local looked_at = { lua = true, http = true, console = true, log = true }

--- The applications of a page, each with what is expected of it.
---@param page string its text
---@return examples.Application[]
function examples.applications(page)
  local list = {}
  for _, block in ipairs(examples.blocks(page)) do
    if block.kind == "lua" and not file_of(block)
        and block.text:find('require "barq"', 1, true) then
      list[#list + 1] = { line = block.line, source = block.text, files = {}, steps = {} }
    elseif looked_at[block.kind] then
      if not list[1] then error(("line %d: no application yet"):format(block.line), 0) end
      add(list[#list], block)
    end
  end
  return list
end

---@class examples.Exchange
---@field line integer in the page
---@field method string
---@field target string
---@field headers table<string, string>
---@field body? string
---@field status integer
---@field answer { headers: table<string, string>, body: string }

-- A body without a Content-Type says by its first character what it is.
local function complete(exchange)
  if not exchange.status then error(("line %d: no answer is expected"):format(exchange.line), 0) end
  local headers, body = exchange.headers, exchange.body
  if body and not headers["Content-Type"] then
    headers["Content-Type"] = body:find("^[%[{\"%d]") and "application/json"
      or "application/x-www-form-urlencoded"
  end
  return exchange
end

local function read_exchange_line(now, line)
  local status, body = line:match("^→ (%d%d%d) ?(.*)$")
  if status then
    now.status, now.answer = tonumber(status), { headers = {}, body = body }
    return
  end
  local name, value = line:match("^([%w-]+): (.*)$")
  if name then
    local headers = now.answer and now.answer.headers or now.headers
    headers[now.answer and name:lower() or name] = value
  elseif now.answer then
    now.answer.body = now.answer.body .. line:match("^%s*(.-)%s*$")
  else
    now.body = (now.body or "") .. line:match("^%s*(.-)%s*$")
  end
end

--- The exchanges of an http block.
---@param block examples.Block
---@return examples.Exchange[]
function examples.exchanges(block)
  local list, number = {}, block.line - 1
  for line in block.text:gmatch("(.-)\n") do
    number = number + 1
    local method, target, body = line:match("^(%u+) (/%S*) ?(.*)$")
    if method then
      list[#list + 1] = { method = method, target = target, headers = {}, line = number,
        body = body ~= "" and body or nil }
    elseif line ~= "" then
      if not list[1] then error(("line %d: a request expected"):format(number), 0) end
      read_exchange_line(list[#list], line)
    end
  end
  for _, exchange in ipairs(list) do complete(exchange) end
  return list
end

--- The commands of a console block: arguments of barq-server, and what it prints.
---@param block examples.Block
---@return { arguments: string[], output: string, line: integer }[]
function examples.commands(block)
  local list, number = {}, block.line - 1
  for line in block.text:gmatch("(.-)\n") do
    number = number + 1
    local words = line:match("^%$ barq%-server (.*)$")
    if words then
      local arguments = {}
      for word in words:gmatch("%S+") do arguments[#arguments + 1] = word end
      list[#list + 1] = { arguments = arguments, output = "", line = number }
    elseif list[1] then
      list[#list].output = list[#list].output .. line .. "\n"
    else
      error(("line %d: only commands of barq-server can be run"):format(number), 0)
    end
  end
  return list
end

-- An empty array and an empty object are the same table to lua-cjson.
local function decoded(text)
  local ok, value = pcall(cjson.decode, (text:gsub("%[%s*%]", '["an empty array"]')))
  return ok and type(value) == "table" and value or nil
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- Whether a text is what is expected: the same but for "…", or the same JSON.
---@param wanted string
---@param text string
---@return boolean
function examples.matches(wanted, text)
  if wanted == text then return true end
  local json, other = decoded(wanted), decoded(text)
  if json and other and same(json, other) then return true end
  if not wanted:find("…", 1, true) then return false end
  local pattern = wanted:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("…", ".-")
  return text:find("^" .. pattern .. "$") ~= nil
end

return examples
