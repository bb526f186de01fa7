/*
 * quick_schema.c: a value as its schema declares it, by looking at Lua's tables where they lie.
 *
 * A field is looked for where it was in the table before this one: an application makes the tables
 * of one kind at one place, and they are alike. Left to schema_write.c are absent fields with
 * a default, unions without a tag, what extra = "keep" keeps, and all that does not fit.
 */
#include "app/quick.h"

#include "app/format.h"
#include "app/schema_check.h"
#include "app/schema_index.h"
#include "base/rc.h"
#include "json/write.h"

#include <math.h>

/* A field that is not where it was is looked for among so many pairs. */
#define PAIRS_MAX 64

static bool write_as(struct bq_quick *q, bq_raw v, const void *how);

/* --- scalars ------------------------------------------------------------------------------ */

static bool write_string(struct bq_quick *q, const struct bq_schema *s, bq_raw v)
{
    if (bq_raw_tag(v) != BQ_RAW_STRING)
        return false;
    if (s->string.format && bq_format_is_bytes(s->string.format))
        return bq_json_write_base64(q->out, bq_raw_str(v)) == BQ_OK;
    return bq_quick_string(q, v);
}

static bool write_integer(struct bq_quick *q, bq_raw v)
{
    double number;
    if (!bq_raw_number(v, &number) || !(fabs(number) <= BQ_SAFE_INTEGER_MAX) ||
        number != (double)(int64_t)number)
        return false;
    return bq_json_write_number(q->out, number + 0.0) == BQ_OK; /* -0 becomes 0 */
}

static bool write_boolean(struct bq_quick *q, bq_raw v)
{
    int tag = bq_raw_tag(v);
    return (tag == BQ_RAW_TRUE || tag == BQ_RAW_FALSE) && bq_quick_any(q, v, NULL);
}

/* A member of an enum that is a string; others are rare. */
static bool write_member(struct bq_quick *q, const struct bq_schema *s, bq_raw v)
{
    return bq_raw_tag(v) == BQ_RAW_STRING &&
           bq_schema_index_find(&s->values.index, s->values.texts, sizeof *s->values.texts,
                                bq_raw_str(v)) >= 0 &&
           bq_quick_string(q, v);
}

/* --- objects ------------------------------------------------------------------------------ */

/* The value at the field's name, nil without one. False: it would take long to look for it. */
static bool find_value(const struct bq_raw_table *t, const struct bq_schema_field *field,
                       bq_raw *value)
{
    uint32_t seen = *field->seen_at;
    if (seen <= t->pairs_mask && t->pairs[seen].key == field->key) {
        *value = t->pairs[seen].value;
        return true;
    }
    *value = (bq_raw)BQ_RAW_NIL;
    for (uint32_t i = 0; i <= t->pairs_mask && i < PAIRS_MAX; i++) {
        if (t->pairs[i].key == field->key) {
            *field->seen_at = i;
            *value = t->pairs[i].value;
            return true;
        }
    }
    return t->pairs_mask < PAIRS_MAX;
}

static bool write_key(struct bq_quick *q, char before, bq_str key)
{
    if (bq_buf_reserve(q->out, key.n + 1 + BQ_SCHEMA_KEY_COPIED) != BQ_OK)
        return false;
    char *to = q->out->data + q->out->len;
    *to = before;
    memcpy(to + 1, key.p, BQ_SCHEMA_KEY_COPIED);
    if (key.n > BQ_SCHEMA_KEY_COPIED)
        memcpy(to + 1, key.p, key.n);
    q->out->len += key.n + 1;
    return true;
}

static bool write_field(struct bq_quick *q, const struct bq_raw_table *t,
                        const struct bq_schema_field *field, char *before)
{
    const struct bq_schema *s = field->schema;
    bq_raw v;
    if (!find_value(t, field, &v))
        return false;
    if (bq_raw_tag(v) == BQ_RAW_NIL && (s->has_default || s->optional))
        return !s->has_default;
    if (!write_key(q, *before, field->json_key) || !write_as(q, v, s))
        return false;
    *before = ',';
    return true;
}

static bool write_object(struct bq_quick *q, const struct bq_raw_table *t,
                         const struct bq_schema *s)
{
    char before = '{';
    if (s->object.extra == BQ_EXTRA_KEEP)
        return false;
    for (size_t i = 0; i < s->object.count; i++)
        if (!write_field(q, t, &s->object.fields[i], &before))
            return false;
    return before == ',' && bq_buf_push(q->out, '}') == BQ_OK;
}

static bool write_fields(struct bq_quick *q, const struct bq_raw_table *t,
                         const struct bq_schema *s)
{
    if (s->kind == BQ_SCHEMA_OBJECT)
        return write_object(q, t, s);
    if (s->kind == BQ_SCHEMA_ARRAY)
        return bq_quick_list(q, t, write_as, s->list.of);
    return bq_quick_members(q, t, BQ_STR("{}"), write_as, s->list.of);
}

static bool write_table(struct bq_quick *q, const struct bq_raw_table *t, const struct bq_schema *s)
{
    if (q->depth == BQ_ENCODE_DEPTH_MAX)
        return false;
    q->depth++;
    bool done = write_fields(q, t, s);
    q->depth--;
    return done;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* A value of the schema's own kind. */
static bool write_kind(struct bq_quick *q, bq_raw v, const struct bq_schema *s)
{
    switch (s->kind) {
    case BQ_SCHEMA_STRING:
        return write_string(q, s, v);
    case BQ_SCHEMA_INTEGER:
        return write_integer(q, v);
    case BQ_SCHEMA_NUMBER:
        return bq_quick_number(q, v);
    case BQ_SCHEMA_BOOLEAN:
        return write_boolean(q, v);
    case BQ_SCHEMA_ENUM:
    case BQ_SCHEMA_CONST:
        return write_member(q, s, v);
    case BQ_SCHEMA_OBJECT:
    case BQ_SCHEMA_ARRAY:
    case BQ_SCHEMA_MAP:
        return bq_raw_tag(v) == BQ_RAW_TABLE && write_table(q, bq_raw_address(v), s);
    case BQ_SCHEMA_ANY:
        return bq_quick_any(q, v, NULL);
    case BQ_SCHEMA_INT64:
    case BQ_SCHEMA_UNION:
        break;
    }
    return false;
}

static bool write_as(struct bq_quick *q, bq_raw v, const void *how)
{
    const struct bq_schema *s = how;
    if (s->nullable && (v == q->null || bq_raw_tag(v) == BQ_RAW_NIL))
        return bq_buf_append(q->out, BQ_STR("null")) == BQ_OK;
    return write_kind(q, v, s);
}

bool bq_quick_write(lua_State *L, bq_raw null, const struct bq_schema *s, int index,
                    struct bq_buf *out)
{
    struct bq_quick q = {.out = out, .null = null};
    size_t before = bq_buf_size(out);
    bool table =
        s->kind == BQ_SCHEMA_OBJECT || s->kind == BQ_SCHEMA_ARRAY || s->kind == BQ_SCHEMA_MAP;
    if (table && lua_type(L, index) == LUA_TTABLE && write_table(&q, lua_topointer(L, index), s))
        return true;
    out->len = out->pos + before; /* growing may have moved the position */
    return false;
}
