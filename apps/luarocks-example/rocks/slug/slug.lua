-- slug: titles as parts of URLs.
local slug = {}

--- "Great Expectations!" → "great-expectations"
---@param title string
---@return string
function slug.of(title)
  return (title:lower():gsub("[^%w]+", "-"):gsub("^%-", ""):gsub("%-$", ""))
end

return slug
