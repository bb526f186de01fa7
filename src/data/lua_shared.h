/*
 * lua_shared.h: the thin binding under lua/barq/shared.lua.
 */
#ifndef BQ_DATA_LUA_SHARED_H
#define BQ_DATA_LUA_SHARED_H

#include "data/shared.h"
#include "vm/lua.h"

/* Pushes the module "barq.shared.core": functions on one store each, which
 * lua/barq/shared.lua makes into methods. Errors blame who called the method, two
 * levels up. stores outlives L. Raises: without memory. */
void bq_shared_open(lua_State *L, struct bq_stores *stores);

#endif
