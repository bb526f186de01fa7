/*
 * quick.h: the usual answers as JSON, by looking at Lua's tables where they lie (vm/raw.h).
 *
 * The same text as encode.c and schema_write.c give, at a fraction of the cost, for what handlers
 * nearly always return. These two writers know only "done" and "not for me", and the latter is
 * anything from a mistake to a table with its positions in odd places: then the buffer is as it
 * was, and whoever asked asks the others, which know every case, and how to complain.
 */
#ifndef BQ_APP_QUICK_H
#define BQ_APP_QUICK_H

#include "app/encode.h"
#include "app/schema.h"
#include "vm/raw.h"
#include "vm/vm.h"

/* As bq_schema_write, or without a schema as bq_encode; the quick way where it is one. */
int bq_write_value(const struct bq_vm *vm, lua_State *L, const struct bq_schema *schema, int index,
                   struct bq_buf *out, struct bq_encode_error *error);

/* The two writers, for tests; null as bq_raw_probe gave it. False: nothing is appended. Never
 * raise; leave Lua as it is. */
bool bq_quick_encode(lua_State *L, bq_raw null, int index, struct bq_buf *out);
bool bq_quick_write(lua_State *L, bq_raw null, const struct bq_schema *s, int index,
                    struct bq_buf *out);

/* --- what they share. False: not for us, and the buffer holds some of it --- */

#define BQ_QUICK_NAME_DEPTHS 2
#define BQ_QUICK_NAME_PAIRS  8
#define BQ_QUICK_REPEAT_MAX  16

/* Where the text of a name is, from the start of the buffer: with its quotes and a colon, and short
 * enough to be copied at once. */
struct bq_quick_name {
    bq_raw key; /* 0: none */
    uint32_t at, n;
};

struct bq_quick {
    struct bq_buf *out;
    bq_raw null;
    unsigned depth;
    struct bq_quick_name names[BQ_QUICK_NAME_DEPTHS][BQ_QUICK_NAME_PAIRS];
};

/* Appends the value as `how` says. */
typedef bool (*bq_quick_fn)(struct bq_quick *q, bq_raw v, const void *how);

/* Whatever it is; how is not looked at. */
bool bq_quick_any(struct bq_quick *q, bq_raw v, const void *how);

bool bq_quick_string(struct bq_quick *q, bq_raw v);
bool bq_quick_number(struct bq_quick *q, bq_raw v);

/* A table of positions, all of them in its array part; [] without any. */
bool bq_quick_list(struct bq_quick *q, const struct bq_raw_table *t, bq_quick_fn fn,
                   const void *how);

/* A table of names; `empty` without any. */
bool bq_quick_members(struct bq_quick *q, const struct bq_raw_table *t, bq_str empty,
                      bq_quick_fn fn, const void *how);

#endif
