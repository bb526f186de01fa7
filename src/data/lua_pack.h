/*
 * lua_pack.h: Lua values as bytes and back, for the shared store.
 *
 *   value: '0' barq.null │ 't' true │ 'f' false │ 'n' double
 *        │ 's' length:u8 bytes │ 'S' length:u32 bytes
 *        │ ('T' │ 'A' │ 'O') items:u32 pairs:u32 item… (key value)…
 *
 * Numbers are in the machine's byte order: the bytes never leave the process. 'A' and
 * 'O' are tables with the metatables that the registry has as "barq.array" and
 * "barq.object" (app/encode.h makes them); every other metatable is dropped.
 */
#ifndef BQ_DATA_LUA_PACK_H
#define BQ_DATA_LUA_PACK_H

#include "base/buf.h"
#include "vm/lua.h"

#define BQ_PACK_DEPTH_MAX 64

/* What could not be stored, and where: "a.b[3]: a function cannot be stored". */
struct bq_pack_error {
    char text[256];
};

/* Appends the value at index; runs no metamethods. out is empty, and owned by something
 * that outlives an error of memory, which may be raised.
 * Fails: BQ_INVALID and error (a function, thread or userdata; a table that contains
 * itself; nesting beyond BQ_PACK_DEPTH_MAX), BQ_LIMIT (more than bytes_max), BQ_MEMORY. */
int bq_pack(lua_State *L, int index, size_t bytes_max, struct bq_buf *out,
            struct bq_pack_error *error);

/* Pushes the value that bq_pack wrote. Marked tables get their metatables
 * again, if this state has them. Raises: without memory. */
void bq_unpack(lua_State *L, bq_str bytes);

#endif
