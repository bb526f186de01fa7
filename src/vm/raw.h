/*
 * raw.h: Lua's values as this LuaJIT holds them, to be looked at in place.
 *
 * Lua's C API costs some forty instructions for each value that a walk over a table sees, and an
 * answer consists of such walks: reading the tables where they lie takes a fifth of the time. How
 * they lie is no part of the API, though it has been the same in all LuaJITs of the last years with
 * 64-bit references, OpenResty's among them. So nothing here is used before bq_raw_probe has
 * found tables of known contents to lie just so in this very library, and whoever reads this way
 * can do without.
 *
 * For reading only, and only until Lua runs or allocates again; raw_make.h knows the one moment
 * when a table may be written.
 */
#ifndef BQ_VM_RAW_H
#define BQ_VM_RAW_H

#include "base/str.h"
#include "vm/lua.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A double, or 17 bits of a tag above 47 bits of an address, an integer or ones. */
typedef uint64_t bq_raw;

/* The tags, as signed numbers; doubles are all that is below the last one. */
enum bq_raw_tag {
    BQ_RAW_NIL = -1,
    BQ_RAW_FALSE = -2,
    BQ_RAW_TRUE = -3,
    BQ_RAW_LIGHTUSERDATA = -4,
    BQ_RAW_STRING = -5,
    BQ_RAW_TABLE = -12,
    BQ_RAW_INTEGER = -14, /* where LuaJIT is built to have them, as for ARM */
};

#define BQ_RAW_TAG_SHIFT 47

struct bq_raw_string {
    uint64_t next;
    uint8_t marks, type, flags[2];
    uint32_t id, hash, n;
    char bytes[]; /* n, and a zero */
};

/* A pair of the hash part. Free where the value is nil, whatever the key. */
struct bq_raw_pair {
    bq_raw value, key;
    uint64_t chain;
};

/* lua_next goes through the array part, which begins with position 0, and then through the pairs:
 * both in the order in which they lie. */
struct bq_raw_table {
    uint64_t next;
    uint8_t marks, type, flags[6];
    const bq_raw *array;
    uint64_t gray;
    const struct bq_raw_table *metatable;
    const struct bq_raw_pair *pairs;
    uint32_t array_size;
    uint32_t pairs_mask; /* their number less one */
};

/* A coroutine: what it calls with begins at base; its globals are the table that setfenv(0, …)
 * changes. */
struct bq_raw_stack {
    uint64_t next;
    uint8_t marks, type, flags[2];
    uint64_t global, gray;
    const bq_raw *base, *top; /* top is the first free one */
    const void *end, *bottom, *upvalues, *globals;
};

/* Whether values lie as told above: tables of known contents are made and looked at. Gives what
 * barq.null, the light userdata NULL, is in a table (LuaJIT shortens such addresses, each state in
 * its own way), or 0: they do not. Raises: on memory exhaustion. */
bq_raw bq_raw_probe(lua_State *L);

static inline int bq_raw_tag(bq_raw v)
{
    return (int)((int64_t)v >> BQ_RAW_TAG_SHIFT);
}

static inline const void *bq_raw_address(bq_raw v)
{
    return (const void *)(uintptr_t)(v & (((uint64_t)1 << BQ_RAW_TAG_SHIFT) - 1));
}

/* lua_gettop. */
static inline size_t bq_raw_count(lua_State *L)
{
    const struct bq_raw_stack *stack = (const struct bq_raw_stack *)L;
    return (size_t)(stack->top - stack->base);
}

/* The value at the top, as it is in a table. */
static inline bq_raw bq_raw_top(lua_State *L)
{
    return ((const struct bq_raw_stack *)L)->top[-1];
}

/* Of a STRING. Valid: as long as Lua holds it. */
static inline bq_str bq_raw_str(bq_raw v)
{
    const struct bq_raw_string *s = bq_raw_address(v);
    return bq_str_of(s->bytes, s->n);
}

/* False: it is no number, or an integer. */
static inline bool bq_raw_double(bq_raw v, double *number)
{
    memcpy(number, &v, sizeof *number);
    return (uint32_t)bq_raw_tag(v) < (uint32_t)BQ_RAW_INTEGER;
}

/* False: it is no number. */
static inline bool bq_raw_number(bq_raw v, double *number)
{
    if (bq_raw_double(v, number))
        return true;
    *number = (int32_t)(uint32_t)v;
    return bq_raw_tag(v) == BQ_RAW_INTEGER;
}

/* The value that the string at this address, as lua_tolstring gives it, is in a table. */
static inline bq_raw bq_raw_of_string(const char *p)
{
    uintptr_t address = (uintptr_t)p - offsetof(struct bq_raw_string, bytes);
    return (uint64_t)BQ_RAW_STRING << BQ_RAW_TAG_SHIFT | address;
}

#endif
