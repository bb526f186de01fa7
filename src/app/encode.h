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

/* What barq.array or barq.object say of a table. */
enum bq_encode_mark { BQ_ENCODE_UNMARKED, BQ_ENCODE_ARRAY, BQ_ENCODE_OBJECT };

/* One sentence that names the place, the value and the way out, with no line break:
 * 'field "a.b[3]": a function has no JSON form; send ...'. */
struct bq_encode_error {
    char text[256];
};

/* Appends the value at index. Never raises, runs no metamethods, leaves the Lua stack as
 * it is; a barq.object may have numbers as keys, which become strings (1 and "1" in one
 * table make the name come twice). Fails, and out holds what it held before: BQ_INVALID and
 * *error (a string that is not UTF-8; a function, userdata, thread or cdata; NaN or
 * infinity; positions and names mixed, or positions with holes; nesting beyond
 * BQ_ENCODE_DEPTH_MAX, which is also what a cycle comes to); BQ_MEMORY (of out, or of the
 * Lua stack). */
int bq_encode(lua_State *L, int index, struct bq_buf *out, struct bq_encode_error *error);

/* The mark that this number means in slot 1 of a table's metatable. */
enum bq_encode_mark bq_encode_mark_of(double slot);

/* Makes the metatables "barq.array" and "barq.object" in the registry and pushes two
 * functions, array(t) and object(t): they mark the table (a new one without argument) and
 * return it; the last mark counts. A table that has a metatable of its own raises.
 * Raises: on memory exhaustion. */
void bq_encode_open(lua_State *L);

#endif
