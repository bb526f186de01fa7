-- docs.lua: the server's own routes: the OpenAPI document, and the page that shows it.
--
-- They are routes like the application's, inside its middleware (which can so protect them), but
-- without its dependencies and not in the document. Every address in the page is relative: behind
-- a proxy that strips a prefix it still finds its files.
local errors = require "barq.errors"
local response = require "barq.response"

local docs = {}

local escapes = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;",
}

local function escape(text) return (text:gsub("[&<>\"']", escapes)) end

local function page(title, head, body)
  return table.concat({
    "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    "<title>" .. escape(title) .. "</title>", head, "</head>", "<body>", body, "</body>", "</html>",
    "",
  }, "\n")
end

local document_link = '<a href="./openapi.json">openapi.json</a>'

-- files: file name → its path from the page.
local function ui_page(title, files)
  local head = table.concat({
    '<link rel="icon" type="image/png" href="' .. files["favicon-32x32.png"] .. '">',
    '<link rel="license" href="' .. files["licenses.txt"] .. '">',
    '<link rel="stylesheet" href="' .. files["swagger-ui.css"] .. '">',
  }, "\n")
  return page(title, head, table.concat({
    "<noscript>This page needs JavaScript. What it shows is in " .. document_link .. ".</noscript>",
    '<div id="docs"></div>',
    '<script src="' .. files["swagger-ui-bundle.js"] .. '"></script>',
    '<script src="' .. files["start.js"] .. '"></script>',
  }, "\n"))
end

local function bare_page(title)
  return page(title, "", table.concat({
    "<h1>" .. escape(title) .. "</h1>",
    "<p>This API is described in " .. document_link .. ".</p>",
    "<p>The page that shows it is not part of this build of barq-server (BARQ_DOCS_UI=OFF).</p>",
  }, "\n"))
end

-- Where "try it out" sends requests: the page's own origin, and those of the declared servers.
local function connect_sources(servers)
  local sources = { "'self'" }
  for _, server in ipairs(servers or {}) do
    local url = type(server) == "table" and server.url or server
    local origin = type(url) == "string" and url:match("^(https?://[%w.:%[%]-]+)%f[/%z]")
    if origin then sources[#sources + 1] = origin end
  end
  return table.concat(sources, " ")
end

-- The UI sets styles from its script, and its style sheet has images in it.
local function policy(servers)
  return "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src "
    .. connect_sources(servers)
    .. "; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
end

-- Whether an Accept-Encoding field allows gzip (RFC 9110, section 12.5.3).
local function takes_gzip(field)
  for coding, parameters in (field or ""):lower():gmatch("([^%s,;]+)([^,]*)") do
    if coding == "gzip" then return not parameters:find("^%s*;%s*q%s*=%s*0%.?0*%s*$") end
  end
  return false
end

-- Whether an If-None-Match field names the tag (RFC 9110, section 13.1.2): its quotes delimit it.
local function matches(field, tag)
  return field ~= nil and (field:match("^%s*%*%s*$") or field:find(tag, 1, true)) ~= nil
end

-- A file's name changes with its content: whoever has it never asks again.
local function send_file(req, file, read)
  local gzip = takes_gzip(req.headers["accept-encoding"])
  local tag = '"' .. file.hashed .. (gzip and ".gz" or "") .. '"'
  local headers = {
    ["etag"] = tag,
    ["cache-control"] = "public, max-age=31536000, immutable",
    ["vary"] = "Accept-Encoding",
    ["x-content-type-options"] = "nosniff",
  }
  if matches(req.headers["if-none-match"], tag) then return response.new(304, headers, nil) end
  headers["content-type"] = file.type
  headers["content-encoding"] = gzip and "gzip" or nil
  return response.new(200, headers, read(file.index, gzip))
end

local function files_handler(files, read)
  local by_name = {}
  for index, file in ipairs(files) do
    by_name[file.hashed] = { index = index, hashed = file.hashed, type = file.type }
  end
  return function(req)
    return send_file(req, by_name[req.params.file] or errors.abort(404), read)
  end
end

local function page_handler(html, servers)
  local headers = {
    ["content-type"] = "text/html; charset=utf-8",
    ["cache-control"] = "no-cache",
    ["content-security-policy"] = policy(servers),
    ["referrer-policy"] = "same-origin",
    ["x-content-type-options"] = "nosniff",
  }
  return function() return response.new(200, headers, html) end
end

---@class barq.docs.Route
---@field path string
---@field handler fun(req: barq.Request): barq.Response

--- The OpenAPI document's route.
---@param text fun(): string the document
---@return barq.docs.Route[]
function docs.document(text)
  local function handler()
    return response.new(200, { ["content-type"] = "application/json" }, text())
  end
  return { { path = "/openapi.json", handler = handler } }
end

--- The page's route, and its files'.
---@param info barq.OpenapiInfo
---@return barq.docs.Route[]
function docs.ui(info)
  local core = require "barq.docs.core" -- here, since only servers bring it along
  local title, paths = info.title or "barq", {}
  for _, file in ipairs(core.files) do paths[file.name] = "./docs/assets/" .. file.hashed end
  if not next(paths) then
    return { { path = "/docs", handler = page_handler(bare_page(title), info.servers) } }
  end
  return {
    { path = "/docs", handler = page_handler(ui_page(title, paths), info.servers) },
    { path = "/docs/assets/{file}", handler = files_handler(core.files, core.read) },
  }
end

return docs
