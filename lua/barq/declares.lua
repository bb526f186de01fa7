-- declares.lua: the part of `barq` that is called while an application loads.
local config = require "barq.config"
local depends = require "barq.depends"
local errors = require "barq.errors"
local group = require "barq.group"
local hooks = require "barq.hooks"
local middleware = require "barq.middleware"
local schema = require "barq.schema"
local security = require "barq.security"

---@class barq
local declares = {
  all_routes = group.all,
  api_key = security.api_key,
  basic = security.basic,
  bearer = security.bearer,
  config = config.config,
  depends = depends.depends,
  group = group.group,
  info = config.info,
  mount = group.mount,
  on = hooks.on,
  on_error = errors.on_error,
  schema = schema.schema,
  t = schema.t,
  use = middleware.use,
}

for verb in pairs(group.verbs) do declares[verb] = group.root[verb] end

return declares
