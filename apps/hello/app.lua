local barq = require "barq"

barq.get("/", function()
  return { message = "Hello, World!" }
end)
