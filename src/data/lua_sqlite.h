/*
 * lua_sqlite.h: the thin binding under lua/barq/sqlite.lua.
 */
#ifndef BQ_DATA_LUA_SQLITE_H
#define BQ_DATA_LUA_SQLITE_H

#include "vm/lua.h"

/* Pushes the module "barq.sqlite.core". Raises: without memory. */
void bq_sqlite_open_module(lua_State *L);

#endif
