-- An application of two files, for app_spec.lua: started from elsewhere, it finds its modules.
local barq = require "barq"

barq.mount("/v1", require "users")
