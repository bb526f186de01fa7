-- A module that returns its group, which app.lua mounts.
local barq = require "barq"

local users = barq.group("/users")

-- With a dot, with a colon, and before what holds for the whole group is known.
users.get("/{id:int}", { name = "get_user" }, function(req)
  return { id = req.params.id, url = barq.url_for("get_user", { id = req.params.id }) }
end)
users:get("/me", function() return "me" end)

local posts = users:group("/{user:int}/posts")
posts.get("", function(req) return { user = req.params.user } end)
posts.get("/{post}", function(req) return req.params end)

return users
