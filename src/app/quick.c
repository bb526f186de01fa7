/*
 * quick.c: a value without a schema, and what both quick writers are made of.
 *
 * On the request path: each answer that is a table is tried here first.
 */
#include "app/quick.h"

#include "base/rc.h"
#include "json/write.h"

/* --- scalars ------------------------------------------------------------------------------ */

bool bq_quick_string(struct bq_quick *q, bq_raw v)
{
    return bq_json_write_string(q->out, bq_raw_str(v)) == BQ_OK;
}

bool bq_quick_number(struct bq_quick *q, bq_raw v)
{
    double number;
    return bq_raw_number(v, &number) && bq_json_write_number(q->out, number) == BQ_OK;
}

static bool append(struct bq_quick *q, bq_str s)
{
    return bq_buf_append(q->out, s) == BQ_OK;
}

/* --- tables ------------------------------------------------------------------------------- */

static bool has_pairs(const struct bq_raw_table *t)
{
    for (uint32_t i = 0; i <= t->pairs_mask; i++)
        if (bq_raw_tag(t->pairs[i].value) != BQ_RAW_NIL)
            return true;
    return false;
}

/* Whether nothing is in the array part from that position on. */
static bool ends_at(const struct bq_raw_table *t, uint32_t position)
{
    for (; position < t->array_size; position++)
        if (bq_raw_tag(t->array[position]) != BQ_RAW_NIL)
            return false;
    return true;
}

static bool has_first(const struct bq_raw_table *t)
{
    return t->array_size > 1 && bq_raw_tag(t->array[1]) != BQ_RAW_NIL;
}

/* Compiled once for each way to write a value that is usual; so are the members below. */
static inline __attribute__((always_inline)) bool
write_list(struct bq_quick *q, const struct bq_raw_table *t, bq_quick_fn fn, const void *how)
{
    uint32_t i = 1;
    if (has_pairs(t) || (t->array_size && bq_raw_tag(t->array[0]) != BQ_RAW_NIL))
        return false;
    for (; i < t->array_size && bq_raw_tag(t->array[i]) != BQ_RAW_NIL; i++)
        if (bq_buf_push(q->out, i == 1 ? '[' : ',') != BQ_OK || !fn(q, t->array[i], how))
            return false;
    return ends_at(t, i) && append(q, i == 1 ? BQ_STR("[]") : BQ_STR("]"));
}

/* Appends `before`, and sixteen bytes at most of what is in the buffer already. */
static inline bool repeat_name(struct bq_buf *out, char before, const struct bq_quick_name *name)
{
    uint64_t low, high;
    if (bq_buf_reserve(out, 2 * BQ_QUICK_REPEAT_MAX) != BQ_OK)
        return false;
    const char *from = out->data + out->pos + name->at;
    char *to = out->data + out->len;
    memcpy(&low, from, sizeof low);
    memcpy(&high, from + sizeof low, sizeof high);
    *to = before;
    memcpy(to + 1, &low, sizeof low);
    memcpy(to + 1 + sizeof low, &high, sizeof high);
    out->len += 1 + name->n;
    return true;
}

/* Appends `before` and the name, and notes it if it is short. */
static __attribute__((noinline)) bool write_new_name(struct bq_quick *q, struct bq_quick_name *seen,
                                                     char before, bq_raw key)
{
    size_t at = bq_buf_size(q->out) + 1;
    if (bq_raw_tag(key) != BQ_RAW_STRING ||
        bq_json_write_name(q->out, before, bq_raw_str(key)) != BQ_OK)
        return false;
    size_t n = bq_buf_size(q->out) - at;
    if (n <= BQ_QUICK_REPEAT_MAX && at <= UINT32_MAX)
        *seen = (struct bq_quick_name){key, (uint32_t)at, (uint32_t)n};
    return true;
}

/* A name that was written for the table before this one is copied from there: tables in a list are
 * alike, so that it had the same pair, and most of their text is names. */
static inline bool write_name(struct bq_quick *q, struct bq_quick_name *seen, char before,
                              bq_raw key)
{
    if (seen->key == key && key) /* 0 is "none", and how the number 0 lies */
        return repeat_name(q->out, before, seen);
    return write_new_name(q, seen, before, key);
}

static inline __attribute__((always_inline)) bool write_members(struct bq_quick *q,
                                                                const struct bq_raw_table *t,
                                                                bq_str empty, bq_quick_fn fn,
                                                                const void *how)
{
    char before = '{';
    struct bq_quick_name *names = q->names[q->depth % BQ_QUICK_NAME_DEPTHS];
    if (!ends_at(t, 0))
        return false;
    for (uint32_t i = 0; i <= t->pairs_mask; i++) {
        const struct bq_raw_pair *pair = &t->pairs[i];
        if (bq_raw_tag(pair->value) == BQ_RAW_NIL)
            continue;
        if (!write_name(q, &names[i % BQ_QUICK_NAME_PAIRS], before, pair->key) ||
            !fn(q, pair->value, how))
            return false;
        before = ',';
    }
    return before == '{' ? append(q, empty) : bq_buf_push(q->out, '}') == BQ_OK;
}

static enum bq_encode_mark read_mark(const struct bq_raw_table *t)
{
    double slot;
    if (!t->metatable || t->metatable->array_size < 2 ||
        !bq_raw_number(t->metatable->array[1], &slot))
        return BQ_ENCODE_UNMARKED;
    return bq_encode_mark_of(slot);
}

static inline bool write_any(struct bq_quick *q, bq_raw v, const void *how);

static __attribute__((noinline)) bool write_marked(struct bq_quick *q, const struct bq_raw_table *t)
{
    enum bq_encode_mark mark = read_mark(t);
    if (mark == BQ_ENCODE_ARRAY || (mark == BQ_ENCODE_UNMARKED && has_first(t)))
        return write_list(q, t, write_any, NULL);
    return write_members(q, t, mark == BQ_ENCODE_OBJECT ? BQ_STR("{}") : BQ_STR("[]"), write_any,
                         NULL);
}

/* What applications write as { name = value, … } has neither a metatable nor an array part. */
static bool write_table(struct bq_quick *q, const struct bq_raw_table *t)
{
    if (q->depth == BQ_ENCODE_DEPTH_MAX)
        return false;
    q->depth++;
    bool done = t->metatable || t->array_size ? write_marked(q, t)
                                              : write_members(q, t, BQ_STR("[]"), write_any, NULL);
    q->depth--;
    return done;
}

static bool write_other(struct bq_quick *q, bq_raw v)
{
    switch (bq_raw_tag(v)) {
    case BQ_RAW_STRING:
        return bq_quick_string(q, v);
    case BQ_RAW_TABLE:
        return write_table(q, bq_raw_address(v));
    case BQ_RAW_TRUE:
        return append(q, BQ_STR("true"));
    case BQ_RAW_FALSE:
        return append(q, BQ_STR("false"));
    case BQ_RAW_LIGHTUSERDATA:
        return v == q->null && append(q, BQ_STR("null"));
    default:
        return bq_quick_number(q, v);
    }
}

static inline __attribute__((always_inline)) bool write_any(struct bq_quick *q, bq_raw v,
                                                            const void *how)
{
    double number;
    (void)how;
    return bq_raw_double(v, &number) ? bq_json_write_number(q->out, number) == BQ_OK
                                     : write_other(q, v);
}

bool bq_quick_any(struct bq_quick *q, bq_raw v, const void *how)
{
    return write_any(q, v, how);
}

bool bq_quick_list(struct bq_quick *q, const struct bq_raw_table *t, bq_quick_fn fn,
                   const void *how)
{
    return write_list(q, t, fn, how);
}

bool bq_quick_members(struct bq_quick *q, const struct bq_raw_table *t, bq_str empty,
                      bq_quick_fn fn, const void *how)
{
    return write_members(q, t, empty, fn, how);
}

/* --- the whole ---------------------------------------------------------------------------- */

bool bq_quick_encode(lua_State *L, bq_raw null, int index, struct bq_buf *out)
{
    struct bq_quick q = {.out = out, .null = null};
    size_t before = bq_buf_size(out);
    if (lua_type(L, index) == LUA_TTABLE && write_table(&q, lua_topointer(L, index)))
        return true;
    out->len = out->pos + before; /* growing may have moved the position */
    return false;
}

int bq_write_value(const struct bq_vm *vm, lua_State *L, const struct bq_schema *schema, int index,
                   struct bq_buf *out, struct bq_encode_error *error)
{
    bq_raw null = vm->raw_null;
    if (null && (schema ? bq_quick_write(L, null, schema, index, out)
                        : bq_quick_encode(L, null, index, out)))
        return BQ_OK;
    return schema ? bq_schema_write(L, schema, index, out, error) : bq_encode(L, index, out, error);
}
