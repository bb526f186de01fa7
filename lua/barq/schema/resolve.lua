-- resolve.lua: what can only be judged once all schemas are there: references, the tags of unions
-- that hold them, and recursion without an end.
local names = require "barq.names"
local node = require "barq.schema.node"
local problems = require "barq.problems"
local tags = require "barq.schema.tags"

local resolve = {}

local function link(ref, schemas)
  if ref.target then return end
  local schema = schemas[ref.ref]
  if not schema then
    node.blame(ref.place, 't.ref("%s"): there is no schema of that name%s', ref.ref,
      next(schemas) and names.hint(ref.ref, schemas) or "")
  end
  if ref.check and schema.node.check then
    node.blame(ref.place, 't.ref("%s"): the schema has a check already, and a reference no second '
      .. "one", ref.ref)
  end
  ref.target = schema.node
end

local function check_tag(union)
  local problem = tags.problem(union)
  if problem then node.blame(union.place, "t.union: %s", problem) end
end

local function each_child(n, visit)
  for _, field in ipairs(n.fields or {}) do visit(field[2]) end
  for _, variant in ipairs(n.variants or {}) do visit(variant) end
  if n.of then visit(n.of) end
  if n.target then visit(n.target) end
end

local endless

local ways = {}

function ways.object(n, open, path)
  for _, field in ipairs(n.fields) do
    local circle = endless(field[2], open, path .. "." .. field[1])
    if circle then return circle end
  end
end

function ways.array(n, open, path)
  return (n.min or 0) > 0 and endless(n.of, open, path .. "[]") or nil
end

ways.map = ways.array

function ways.union(n, open, path)
  local first
  for _, variant in ipairs(n.variants) do
    local circle = endless(variant, open, path)
    if not circle then return nil end
    first = first or circle
  end
  return first
end

function ways.ref(n, open, path)
  return endless(n.target, open, path)
end

-- The path on which a value would have to contain another of its kind without an end, or nil.
-- open holds the nodes around this one.
function endless(n, open, path)
  local way = ways[n.kind]
  if n.optional or n.nullable or n.default ~= nil or not way or open.finite[n] then return nil end
  if open[n] then return path end
  open[n] = true
  local circle = way(n, open, path)
  open[n] = nil
  if not circle then open.finite[n] = true end
  return circle
end

local function check_end(n, finite)
  local circle = endless(n, { finite = finite }, n.name or "t." .. n.label)
  if circle then
    node.blame(n.place, "a value of this schema would never end: %s needs another one: make one "
      .. "of them t.optional, t.nullable or the item of a t.array", circle)
  end
end

--- Resolves every reference there is.
---@param schemas table<string, barq.Schema>
--- Raises: on a reference to nothing, a tag that some variant lacks, a value that would never end.
function resolve.all(schemas)
  for _, n in ipairs(node.deferred) do
    if n.kind == "ref" then
      problems.attempt(link, n, schemas)
      -- What leads nowhere, and has been reported, is anything from then on.
      if not n.target then n.kind, n.label = "any", "any" end
    end
  end
  for _, n in ipairs(node.deferred) do
    if n.kind == "union" then problems.attempt(check_tag, n) end
  end
  local finite, sorted = {}, {}
  for name in pairs(schemas) do sorted[#sorted + 1] = name end
  table.sort(sorted)
  for _, name in ipairs(sorted) do problems.attempt(check_end, schemas[name].node, finite) end
end

local settled = setmetatable({}, { __mode = "k" })

--- Resolves the references that a node reaches, for schemas that are used while others are
--- still to come.
---@param root barq.Node
---@param schemas table<string, barq.Schema>
--- Raises: as `all`.
function resolve.one(root, schemas)
  if settled[root] then return end
  local seen, unions = {}, {}
  local function visit(n)
    if seen[n] then return end
    seen[n] = true
    if n.kind == "ref" then link(n, schemas) end
    if n.kind == "union" then unions[#unions + 1] = n end
    each_child(n, visit)
  end
  visit(root)
  for _, union in ipairs(unions) do check_tag(union) end
  check_end(root, {})
  settled[root] = true
end

return resolve
