-- The examples of the README and of docs/, each one run: what a page shows is what barq does.
-- How a page says what it expects is told in support/examples.lua.
local clock = require "support.clock"
local dirent = require "posix.dirent"
local examples = require "support.examples"
local http = require "support.http"
local server = require "support.server"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function pages()
  local list = { "README.md" }
  for name in dirent.files("docs") do
    if name:find("%.md$") then list[#list + 1] = "docs/" .. name end
  end
  table.sort(list)
  return list
end

local function fail(path, line, format, ...)
  error(("%s:%d: %s"):format(path, line, format:format(...)), 0)
end

-- What starts, it or a command on it, from the application's own folder.
local function start(app, options)
  options.app, options.files = app.source, app.files
  return server.start(options)
end

local function expect_answer(path, wanted, got)
  local what = ("%s %s"):format(wanted.method, wanted.target)
  if got.status ~= wanted.status then
    fail(path, wanted.line, "%s is %d, not %d: %s", what, got.status, wanted.status, got.body)
  end
  if not examples.matches(wanted.answer.body, got.body) then
    fail(path, wanted.line, "%s gives\n%s\ninstead of\n%s", what, got.body, wanted.answer.body)
  end
  for name, value in pairs(wanted.answer.headers) do
    if not examples.matches(value, got.headers[name] or "(nothing)") then
      fail(path, wanted.line, "%s: %s is %s, not %s", what, name, tostring(got.headers[name]),
        value)
    end
  end
end

local run = {}

function run.http(path, block, _, running)
  for _, wanted in ipairs(examples.exchanges(block)) do
    local got = http.request(running.port, wanted.method, wanted.target,
      { headers = wanted.headers, body = wanted.body })
    expect_answer(path, wanted, got)
  end
end

-- Without the time before each line; a line that goes on is indented.
local function log_has(log, wanted)
  for line in log:gmatch("[^\n]+") do
    local text = line:gsub("^%d+%-%d+%-%d+T%S+ ", "")
    if examples.matches(wanted, text) then return true end
  end
end

function run.log(path, block, _, running)
  for line in block.text:gmatch("[^\n]+") do
    -- What follows an answer may still be on its way.
    local found = clock.wait_until(5, function() return log_has(running:log(), line) end)
    if not found then
      fail(path, block.line, "%q is not in the log:\n%s", line, running:log())
    end
  end
end

function run.console(path, block, app)
  for _, command in ipairs(examples.commands(block)) do
    local words = command.arguments
    local args = { "--log-level=info" }
    for i = 3, #words do args[#args + 1] = words[i] end
    local s = start(app, { command = words[1], args = args, expect_failure = true })
    local printed = (s:output() .. s:log()):gsub("%f[^\n%z]%d+%-%d+%-%d+T%S+ ", "")
    if not examples.matches(command.output, printed) then
      fail(path, command.line, "it prints\n%s", printed)
    end
  end
end

local function has_step(app, kind)
  for _, step in ipairs(app.steps) do
    if step.kind == kind then return true end
  end
end

local function check(path, app)
  local s = start(app, { command = "check", expect_failure = true })
  if s:output() ~= "ok\n" then fail(path, app.line, "it does not load:\n%s", s:log()) end
end

-- An application of which commands are shown may be one that does not load.
local function run_application(path, app)
  local running
  if has_step(app, "http") then
    running = start(app, { args = { "--log-level=debug" } })
  elseif not has_step(app, "console") then
    check(path, app)
  end
  for _, step in ipairs(app.steps) do run[step.kind](path, step, app, running) end
end

for _, path in ipairs(pages()) do
  describe(path, function()
    after_each(server.cleanup)

    for _, app in ipairs(examples.applications(read(path))) do
      it(("shows what is so in the example at line %d"):format(app.line), function()
        run_application(path, app)
      end)
    end
  end)
end

describe("docs/running.md", function()
  after_each(server.cleanup)

  it("lists every option with its default", function()
    local page = read("docs/running.md")
    local help = server.start { app = "", command = "serve", args = { "--help" },
      expect_failure = true }:output()
    local count = 0
    for name, preset in help:gmatch("\n  %-%-([%l-]+)[^\n]*%(([^\n()]*)%)") do
      count = count + 1
      local row = ("\n| `%s` | `%s` |"):format(name:gsub("-", "_"), preset)
      assert(page:find(row, 1, true), "no row" .. row)
    end
    assert.is_true(count > 15)
  end)
end)

describe("docs/schemas.md", function()
  after_each(server.cleanup)

  it("names every type", function()
    local page = read("docs/schemas.md")
    local names = server.start { command = "check", expect_failure = true, app = [[
      for name in pairs(require("barq.schema.node").known) do print("t." .. name) end
    ]] }:output()
    local count = 0
    for name in names:gmatch("t%.[%w_]+") do
      count = count + 1
      assert(page:find("`" .. name .. "[`({]"), "no " .. name)
    end
    assert.is_true(count > 20)
  end)
end)

-- What holds the pages to the truth must not let everything pass.
describe("an example", function()
  after_each(server.cleanup)

  local function page(answer)
    return ([[
```lua
local barq = require "barq"
barq.get("/", function() return { a = {} } end)
```
```lua
barq.post("/echo", function(req) return req.body end)
```
```http
GET /
→ %s
```
]]):format(answer)
  end

  local function outcome(answer)
    local app = examples.applications(page(answer))[1]
    return pcall(run_application, "page.md", app)
  end

  it("passes when it is true", function()
    assert.is_true(outcome('200 { "a": [] }\nContent-Type: application/json'))
    assert.is_true(outcome("200 {…}"))
  end)

  it("fails with its place when it is not", function()
    for _, answer in ipairs { '201 {"a":[]}', '200 {"a":{}}', "200", '200 {"b":…',
      '200 {"a":[]}\nContent-Type: text/plain' } do
      local ok, message = outcome(answer)
      assert.is_false(ok)
      assert.truthy(message:find("page.md:9: ", 1, true))
    end
  end)

  it("is more of the application above it unless it begins one", function()
    local app = examples.applications(page "200")
    assert.equal(1, #app)
    assert.truthy(app[1].source:find('barq.post("/echo"', 1, true))
    assert.is_false(pcall(examples.applications, "```lua\nlocal x = 1\n```\n"))
  end)
end)
