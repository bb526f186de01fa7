/*
 * lua_sqlite_values.h: Lua values as packed parameters, packed rows as Lua tables.
 */
#ifndef BQ_DATA_LUA_SQLITE_VALUES_H
#define BQ_DATA_LUA_SQLITE_VALUES_H

#include "data/sqlite.h"
#include "vm/lua.h"

/* The registry's metatable of bytes that are bound as BLOB: { bytes }. */
#define BQ_SQLITE_BLOB_TYPE "barq.sqlite.blob"

/* Packs the values at first to last, or the one table of names among them, as the call's
 * parameters. Raises: without memory of Lua's; the call's buffers stay their owner's.
 * Fails: BQ_INVALID and the call's code and message. */
int bq_sqlite_pack_params(lua_State *L, int first, int last, struct bq_sqlite_call *call);

/* Integers that a double cannot say exactly are pushed as decimal strings. */
void bq_sqlite_push_integer(lua_State *L, int64_t i);

/* Pushes the columns' names, and gives the index of the first. Raises: without memory. */
int bq_sqlite_push_names(lua_State *L, const struct bq_sqlite_call *call);

/* Pushes the next row of the call, which then is consumed; there is one. names is what
 * bq_sqlite_push_names gave. nulls: NULL is barq.null, not an absent field. */
void bq_sqlite_push_row(lua_State *L, struct bq_sqlite_call *call, int names, bool nulls);

/* Pushes an array of all rows. */
void bq_sqlite_push_rows(lua_State *L, struct bq_sqlite_call *call, bool nulls);

#endif
