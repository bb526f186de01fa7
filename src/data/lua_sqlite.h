/*
 * lua_sqlite.h: the thin binding under lua/barq/sqlite.lua.
 */
#ifndef BQ_DATA_LUA_SQLITE_H
#define BQ_DATA_LUA_SQLITE_H

#include "data/sqlite_tally.h"
#include "vm/lua.h"

/* Pushes the module "barq.sqlite.core". tally counts what its databases do, and outlives L; or
 * NULL. Raises: without memory. */
void bq_sqlite_open_module(lua_State *L, struct bq_sqlite_tally *tally);

#endif
