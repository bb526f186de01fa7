/*
 * encode.h: Lua values as JSON text, by our own writer.
 *
 * A table is an array when its keys are exactly 1 … n, an object when all its keys
 * are strings, and "[]" when it is empty; barq.array and barq.object mark a table
 * (in its metatable) where that guess would be wrong. barq.null is null.
 */
#ifndef BQ_APP_ENCODE_H
#define BQ_APP_ENCODE_H

#include "base/buf.h"
#include "vm/lua.h"

#define BQ_ENCODE_DEPTH_MAX 128

/* Sentences about the value that could not be encoded: 'field "a.b[3]": a function has no JSON
 * form' and the way out. */
struct bq_encode_error {
    char text[256];
};

/* Appends the value at index. Never raises, runs no metamethods. Valid UTF-8 is
 * demanded of every string. Fails: BQ_INVALID and error (a function, userdata,
 * thread, NaN or infinity, a table with positions and names mixed or with holes,
 * nesting beyond BQ_ENCODE_DEPTH_MAX, which is also what a cycle comes to);
 * BQ_MEMORY (of out, or of the Lua stack). */
int bq_encode(lua_State *L, int index, struct bq_buf *out, struct bq_encode_error *error);

/* Makes the metatables for barq.array and barq.object and pushes two functions,
 * array(t) and object(t): they mark the table (a new one without argument) and
 * return it; a table that has another metatable raises. */
void bq_encode_open(lua_State *L);

#endif
