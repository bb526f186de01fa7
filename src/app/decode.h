/*
 * decode.h: JSON text without a schema to Lua values, by lua-cjson behind the strict
 * check of json/check.h.
 */
#ifndef BQ_APP_DECODE_H
#define BQ_APP_DECODE_H

#include "vm/lua.h"
#include "json/check.h"

#define BQ_DECODE_DEPTH_MAX 128

/* Prepares a private lua-cjson in the registry. Raises: on memory exhaustion. */
void bq_decode_open(lua_State *L);

/* Pushes the value. Fails: BQ_INVALID or BQ_LIMIT and *error, nothing is pushed.
 * Raises: on memory exhaustion (inside lua-cjson, its scratch string is lost then). */
int bq_decode(lua_State *L, bq_str text, struct bq_json_error *error);

/* Pushes barq.null, a light userdata. */
void bq_null_push(lua_State *L);

#endif
