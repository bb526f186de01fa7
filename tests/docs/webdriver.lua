-- webdriver.lua: a headless Chromium that a test looks through, by the WebDriver protocol
-- (W3C) that chromedriver speaks.
--
--   local browser = webdriver.open()
--   browser:go("http://127.0.0.1:8000/docs")
--   assert.equal("Items", browser:run("return document.title"))
--   browser:close()
local cjson = require "cjson"
local clock = require "support.clock"
local fcntl = require "posix.fcntl"
local ffi = require "ffi"
local http = require "support.http"
local signals = require "posix.signal"
local unistd = require "posix.unistd"
local wait = require "posix.sys.wait"

ffi.cdef "int prctl(int option, unsigned long argument, ...);"
local PR_SET_PDEATHSIG = 1
local SECONDS = 30

local webdriver = {}

---@class webdriver.Browser
local Browser = {}
Browser.__index = Browser

local function spawn(output)
  local pid = assert(unistd.fork())
  if pid > 0 then return pid end
  ffi.C.prctl(PR_SET_PDEATHSIG, ffi.cast("unsigned long", signals.SIGTERM))
  local file = assert(fcntl.open(output, fcntl.O_WRONLY + fcntl.O_CREAT + fcntl.O_TRUNC, 384))
  unistd.dup2(file, 1)
  unistd.dup2(file, 2)
  unistd.execp("chromedriver", { "--port=0" })
  unistd._exit(127)
end

local function port_in(output)
  local port = clock.wait_until(SECONDS, function()
    local file = io.open(output)
    local text = file and file:read("*a") or ""
    if file then file:close() end
    return text:match("successfully on port (%d+)")
  end)
  return tonumber(port) or error("chromedriver did not start; its log: " .. output, 0)
end

function Browser:ask(method, path, body)
  local text = method == "POST" and cjson.encode(body or {})
  -- chromedriver keeps connections open even where it is asked not to.
  local answer = http.request(self.port, method, path, {
    headers = { ["Content-Type"] = "application/json", Connection = "keep-alive" },
    body = text or nil, timeout = SECONDS,
  })
  local value = answer:json().value
  if answer.status ~= 200 then
    error(("%s %s: %s"):format(method, path, value.message), 0)
  end
  return value
end

function Browser:command(method, name, body)
  return self:ask(method, ("/session/%s/%s"):format(self.session, name), body)
end

-- Chromium's own sandbox does not work for root.
local function capabilities()
  local arguments = { "--headless=new", "--disable-gpu", "--disable-dev-shm-usage" }
  if unistd.geteuid() == 0 then arguments[#arguments + 1] = "--no-sandbox" end
  return {
    browserName = "chrome",
    ["goog:chromeOptions"] = { args = arguments },
    ["goog:loggingPrefs"] = { browser = "ALL", performance = "ALL" },
  }
end

local function start_session(self)
  self.port = port_in(self.output)
  local body = { capabilities = { alwaysMatch = capabilities() } }
  self.session = self:ask("POST", "/session", body).sessionId
end

--- Starts a browser.
---@return webdriver.Browser
function webdriver.open()
  local output = os.tmpname()
  local self = setmetatable({ output = output, pid = spawn(output) }, Browser)
  local ok, message = pcall(start_session, self)
  if ok then return self end
  self:close()
  error(message, 0)
end

--- The size of its window, in pixels.
---@param width integer
---@param height integer
function Browser:resize(width, height)
  self:command("POST", "window/rect", { width = width, height = height })
end

--- What pages are told that the person prefers: "light" or "dark".
---@param scheme string
function Browser:prefer(scheme)
  self:command("POST", "goog/cdp/execute", { cmd = "Emulation.setEmulatedMedia", params = {
    features = { { name = "prefers-color-scheme", value = scheme } },
  } })
end

---@param url string
function Browser:go(url) self:command("POST", "url", { url = url }) end

--- Runs a function's body in the page.
---@param script string
---@param ... any its arguments
---@return any value what it returned
function Browser:run(script, ...)
  local arguments = { ... }
  arguments[#arguments + 1] = cjson.null -- so that it is an array even without any
  local value = self:command("POST", "execute/sync", { script = script, args = arguments })
  return value ~= cjson.null and value or nil
end

--- Runs it until it returns something true, or the time is over.
---@return any value
function Browser:wait_for(script, ...)
  local arguments = { ... }
  local value = clock.wait_until(SECONDS, function()
    return self:run(script, unpack(arguments))
  end)
  return value or error("the page never came to: " .. script, 2)
end

--- What the page complained about.
---@return string[]
function Browser:complaints()
  local list = {}
  for i, entry in ipairs(self:command("POST", "se/log", { type = "browser" })) do
    list[i] = entry.level .. ": " .. entry.message
  end
  return list
end

--- The addresses that the page asked for since the last call.
---@return string[]
function Browser:requests()
  local list = {}
  for _, entry in ipairs(self:command("POST", "se/log", { type = "performance" })) do
    local event = cjson.decode(entry.message).message
    if event.method == "Network.requestWillBeSent" then
      list[#list + 1] = event.params.request.url
    end
  end
  return list
end

--- Writes what the window shows into a PNG file.
---@param path string
function Browser:screenshot(path)
  local text = self:command("GET", "screenshot")
  local pipe = assert(io.popen(("base64 -d > '%s'"):format(path), "w"))
  pipe:write(text)
  pipe:close()
end

--- Ends the browser.
function Browser:close()
  if self.session then pcall(self.ask, self, "DELETE", "/session/" .. self.session) end
  signals.kill(self.pid, signals.SIGTERM)
  wait.wait(self.pid)
  os.remove(self.output)
end

return webdriver
