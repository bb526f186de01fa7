-- dev_page.lua: what --dev answers where a handler failed: the error, the source around the line,
-- the calls with their locals, and the request; a page for browsers, JSON for others.
local core = require "barq.core"
local response = require "barq.response"

local dev_page = {}

local LINES_AROUND = 5
local TEXT_SHOWN, FIELDS_SHOWN, LOCALS_SHOWN, FRAMES_SHOWN, FRAMES_OPEN = 120, 6, 30, 30, 5
local ERROR_SHOWN, LINE_SHOWN = 8192, 400

local STYLE = [[
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem;
  color: #24292f; background: #fff; overflow-wrap: anywhere }
h1 { font-size: 1.3rem; margin: 0; max-height: 12rem; overflow: auto; white-space: pre-wrap }
h2 { font-size: 1rem; margin: 1.5rem 0 .3rem }
p.where { color: #57606a; margin: .2rem 0 1rem }
pre, td { font: 13px/1.5 ui-monospace, monospace }
pre { background: #f6f8fa; padding: .6rem; overflow-x: auto; margin: .3rem 0; tab-size: 4 }
pre b { background: #ffd8d3; display: inline-block; min-width: 100% }
details { margin: .2rem 0 } summary { cursor: pointer; font: 13px/1.7 ui-monospace, monospace }
table { border-collapse: collapse; table-layout: fixed; width: 100%; margin-bottom: .8rem }
td { padding: 0 1rem 0 0; vertical-align: top }
td:first-child { color: #57606a; width: 11rem }
@media (max-width: 40rem) { td:first-child { width: 8rem } }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117 } pre { background: #161b22 }
  pre b { background: #67211c } p.where, td:first-child { color: #9198a1 }
}]]

local escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text) return (text:gsub('[&<>"]', escapes)) end

-- The forms of a character beyond ASCII (RFC 3629).
local TAIL = "[\128-\191]"
local SEQUENCES = {
  "^[\194-\223]" .. TAIL, "^\224[\160-\191]" .. TAIL, "^[\225-\236\238\239]" .. TAIL:rep(2),
  "^\237[\128-\159]" .. TAIL, "^\240[\144-\191]" .. TAIL:rep(2), "^[\241-\243]" .. TAIL:rep(3),
  "^\244[\128-\143]" .. TAIL:rep(2),
}

local function sequence_at(text, at)
  for _, pattern in ipairs(SEQUENCES) do
    local found = text:match(pattern, at)
    if found then return found end
  end
end

-- At the end of a character.
local function cut(text, bytes)
  if #text <= bytes then return text end
  return (text:sub(1, bytes):gsub("[\192-\255]" .. TAIL .. "*$", "")) .. "…"
end

-- Valid UTF-8 in any case, since it becomes JSON or a page.
local function legible(text)
  local parts, at = {}, 1
  while at <= #text do
    local found = text:match("^[\32-\126]+", at) or sequence_at(text, at)
    parts[#parts + 1] = found or ("\\x%02x"):format(text:byte(at))
    at = at + (found and #found or 1)
  end
  return table.concat(parts)
end

local function shorten(text)
  return legible(cut(text, TEXT_SHOWN))
end

local function show_scalar(value)
  if type(value) == "string" then return '"' .. shorten(value) .. '"' end
  if rawequal(value, core.null) then return "barq.null" end
  if type(value) == "table" then return "{…}" end
  local ok, text = pcall(tostring, value) -- the metamethod of a userdata or cdata may raise
  return shorten(ok and type(text) == "string" and text or type(value))
end

-- Metatable → what its tables are called, which keep a number for themselves in [1].
local handles = setmetatable({}, { __mode = "k" })

-- A table's own fields, one level deep; no metamethod runs.
local function show(value)
  if type(value) ~= "table" then return show_scalar(value) end
  local kind = handles[debug.getmetatable(value)]
  local parts = {}
  for key, field in next, value, kind and 1 or nil do
    if #parts == FIELDS_SHOWN then
      parts[#parts + 1] = "…"
      break
    end
    local shown = show_scalar(field)
    parts[#parts + 1] = type(key) == "number" and shown
      or (show_scalar(key):gsub('"', "")) .. " = " .. shown
  end
  return #parts == 0 and (kind or "{}")
    or (kind and kind .. " " or "") .. "{ " .. table.concat(parts, ", ") .. " }"
end

-- Of the running coroutine; level is its caller's.
local function locals_at(level)
  local list = {}
  for i = 1, LOCALS_SHOWN do
    local name, value = debug.getlocal(level + 1, i)
    if not name then break end
    if name:sub(1, 1) ~= "(" then list[#list + 1] = { name = name, value = show(value) } end
  end
  return list
end

-- The calls of the application's own code in the running coroutine, the innermost first.
local function frames()
  local list = {}
  for level = 1, FRAMES_SHOWN do
    local info = debug.getinfo(level, "Sln")
    if not info then break end
    if info.what ~= "C" and info.source:sub(1, 6) ~= "@barq:" then
      list[#list + 1] = {
        file = info.source:match("^@(.*)"), place = info.short_src .. ":" .. info.currentline,
        line = info.currentline, name = info.name, locals = locals_at(level),
      }
    end
  end
  return list
end

-- What a handler's coroutine was doing when it raised: LuaJIT forgets lines and locals afterwards.
-- By coroutine, and the last one for middleware, which has only the error.
local captured = setmetatable({}, { __mode = "k" })
local last = {}

local function capture(err)
  local ok, calls = pcall(frames)
  last = { err = err, frames = ok and calls or {},
    trace = debug.traceback(cut(core.describe(err), ERROR_SHOWN), 2) }
  captured[coroutine.running() or capture] = last
  return err
end

local function find(thread, err)
  return thread and captured[thread] or rawequal(last.err, err) and last or nil
end

local function pass(ok, ...)
  if ok then return ... end
  error((...), 0)
end

--- The handler, watched: what it raises can be shown with its locals.
---@param handler function
---@return function
function dev_page.watched(handler)
  return function(req, ...)
    if req then handles[debug.getmetatable(req)] = "request" end
    return pass(xpcall(handler, capture, req, ...))
  end
end

--- The traceback of an error that a watched handler raised.
---@param thread? thread the coroutine that raised it
---@param err any
---@return string?
function dev_page.trace_of(thread, err)
  local found = find(thread, err)
  return found and found.trace
end

-- Without a thread: what the text says.
local function frames_in(text)
  local list = {}
  for path, line in text:gmatch("([^%s:\"'<>]+%.lua):(%d+)") do
    if #list < FRAMES_SHOWN and not path:find("^barq/") then
      list[#list + 1] =
        { file = path, place = path .. ":" .. line, line = tonumber(line), locals = {} }
    end
  end
  return list
end

-- The lines around one: { number, text } each.
local function source_around(frame)
  local file = frame and frame.file and io.open(frame.file, "rb")
  if not file then return {} end
  local lines, number = {}, 0
  for text in file:lines() do
    number = number + 1
    if number > frame.line + LINES_AROUND then break end
    if number >= frame.line - LINES_AROUND then lines[#lines + 1] = { number, text } end
  end
  file:close()
  return lines
end

local function source_block(frame)
  local parts = {}
  for _, line in ipairs(source_around(frame)) do
    local text = ("%5d  %s"):format(line[1], escape(cut(line[2], LINE_SHOWN)))
    parts[#parts + 1] = line[1] == frame.line and "<b>" .. text .. "</b>" or text
  end
  return #parts > 0 and "<pre>" .. table.concat(parts, "\n") .. "</pre>" or ""
end

local function table_of(rows)
  local parts = {}
  for _, row in ipairs(rows) do
    parts[#parts + 1] =
      ("<tr><td>%s</td><td>%s</td></tr>"):format(escape(row.name), escape(row.value))
  end
  return "<table>" .. table.concat(parts) .. "</table>"
end

local function frame_block(frame, open)
  local what = escape(frame.place) .. (frame.name and " in " .. escape(frame.name) or "")
  local locals = #frame.locals > 0 and table_of(frame.locals) or ""
  return (open and "<details open>" or "<details>") .. "<summary>" .. what .. "</summary>" ..
    source_block(frame) .. locals .. "</details>"
end

-- Read, they are there to be listed. What could be a secret is not shown.
local HEADERS = { "host", "user-agent", "content-type", "content-length", "referer", "origin" }

local function request_rows(req)
  for _, name in ipairs(HEADERS) do local _ = req.headers[name] end
  local rows = { { name = "request", value = req.method .. " " .. req.path } }
  if req.route then rows[#rows + 1] = { name = "route", value = show(req.route) } end
  for _, name in ipairs { "params", "query", "headers" } do
    local ok, fields = pcall(function() return req[name] end)
    for key, value in next, ok and type(fields) == "table" and fields or {} do
      local secret = key == "authorization" or key == "cookie"
      if type(key) == "string" and not secret then
        rows[#rows + 1] = { name = name .. "." .. key, value = show(value) }
      end
    end
  end
  return rows
end

local function page(req, text, calls, trace)
  local blocks = {}
  for i, frame in ipairs(calls) do blocks[i] = frame_block(frame, i <= FRAMES_OPEN) end
  return table.concat({
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    "<title>" .. escape(shorten(text)) .. "</title><style>" .. STYLE .. "</style></head><body>",
    "<h1>" .. escape(text) .. "</h1>",
    '<p class="where">' .. escape(req.method .. " " .. req.path) .. "</p>",
    "<h2>Calls</h2>", table.concat(blocks, "\n"),
    "<h2>Request</h2>", table_of(request_rows(req)),
    "<h2>Traceback</h2><pre>" .. escape(trace) .. "</pre>",
    '<p class="where">Shown because the server runs with --dev. Others get a plain 500.</p>',
    "</body></html>",
  }, "\n")
end

local function places_of(calls)
  local list = core.array {}
  for i, frame in ipairs(calls) do
    local locals = core.object {}
    for _, l in ipairs(frame.locals) do locals[l.name] = l.value end
    list[i] = { place = frame.place, name = frame.name, locals = locals }
  end
  return list
end

local function build(req, err, trace, thread)
  local text = cut(tostring(type(err) == "string" and err or core.describe(err)), ERROR_SHOWN)
    :gsub("[^\n\t]+", legible)
  local found = find(thread, err)
  local calls = found and #found.frames > 0 and found.frames
    or frames_in(cut(trace or text, ERROR_SHOWN))
  if (req.headers.accept or ""):find("text/html", 1, true) then
    return response.new(500, {
      ["content-type"] = "text/html; charset=utf-8",
      ["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'",
    }, page(req, text, calls, cut(trace or text, 2 * ERROR_SHOWN)))
  end
  return response.new(500, { ["content-type"] = "application/json" }, {
    detail = "Internal Server Error", error = text, calls = places_of(calls),
  })
end

--- The answer to an error that nothing handled, in development.
---@param req barq.Request
---@param err any
---@param trace? string
---@param thread? thread the coroutine that raised it
---@return barq.Response? answer nil where even that fails: a plain 500 will do
function dev_page.respond(req, err, trace, thread)
  local ok, answer = pcall(build, req, err, trace, thread)
  return ok and answer or nil
end

return dev_page
