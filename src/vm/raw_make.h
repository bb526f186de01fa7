/*
 * raw_make.h: new tables, filled where raw.h knows their values to lie.
 *
 * Setting a field by the C API costs a walk from its name to its place, for each table anew, though
 * tables made for the same names in the same order have them in the same places. So the places are
 * found once, in a table that the API filled, and a table of the same size gets its keys and values
 * there.
 *
 * Writing is for the very moment after a table was made: the collector has not seen it, so that no
 * barrier is due for what is put into it, and nothing is allocated before all of it is in. From
 * then on it is a table as any other. The values that are not numbers, booleans or nil must be held
 * by Lua until then, since making the table may collect garbage: on the stack, for instance.
 */
#ifndef BQ_VM_RAW_MAKE_H
#define BQ_VM_RAW_MAKE_H

#include "base/arena.h"
#include "vm/raw.h"

#define BQ_RAW_NAMES_MAX 32

/* A field in tables of a shape. */
struct bq_raw_place {
    bq_raw name;
    uint32_t pair; /* where it lies … */
    uint32_t next; /* … and 1 + where its chain goes on, or 0 */
};

struct bq_raw_shape {
    uint32_t count, pairs_mask;
    struct bq_raw_place places[];
};

/* The shape of tables with the count strings at index first and behind it as names. Only in a state
 * that bq_raw_probe has found to be as it should, and used for no other; the names must be held by
 * Lua as long as the shape is used. Gives NULL, and nothing is lost but speed: there are none, more
 * than BQ_RAW_NAMES_MAX or the same twice, one begins as a metamethod's ("__index"), they do not
 * lie as expected, or there is no memory. Raises: on memory exhaustion. */
const struct bq_raw_shape *bq_raw_shape_make(lua_State *L, struct bq_arena *arena, int first,
                                             size_t count);

/* Pushes a table with these values, one for each name, which may be nil; gives what it is in
 * another one. Raises: on memory exhaustion. */
bq_raw bq_raw_push_record(lua_State *L, const struct bq_raw_shape *shape, const bq_raw *values);

/* The same with these values from position 1 on, and room for more. Raises: on memory exhaustion.
 */
bq_raw bq_raw_push_list(lua_State *L, const bq_raw *values, size_t count, size_t room);

/* What the value at the top is in a table; it is popped if Lua need not hold it. */
bq_raw bq_raw_take(lua_State *L);

/* Neither nan nor an integer that has to be one. */
static inline bq_raw bq_raw_of_double(double number)
{
    bq_raw v;
    memcpy(&v, &number, sizeof v);
    return v;
}

static inline bq_raw bq_raw_of_boolean(bool b)
{
    return ~((uint64_t) ~(b ? BQ_RAW_TRUE : BQ_RAW_FALSE) << BQ_RAW_TAG_SHIFT);
}

#define BQ_RAW_NIL_VALUE (~(bq_raw)0)

#endif
