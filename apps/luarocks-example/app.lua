-- Two modules from LuaRocks: slug is written in Lua, distance in C. How they get into an image is
-- in the Dockerfile.
local barq = require "barq"
local distance = require "distance"
local slug = require "slug"
local t = barq.t

local shelf = { "a-christmas-carol", "david-copperfield", "great-expectations", "hard-times" }

--- The book whose name is nearest to a title, typing mistakes and all.
barq.get("/books", {
  query = { title = t.string { min = 1, max = 200 } },
  returns = t.object { slug = t.string, nearest = t.string, distance = t.integer },
}, function(req)
  local wanted = slug.of(req.query.title)
  local nearest, least = shelf[1], math.huge
  for _, name in ipairs(shelf) do
    local far = distance.between(wanted, name)
    if far < least then nearest, least = name, far end
  end
  return { slug = wanted, nearest = nearest, distance = least }
end)
