/*
 * schema_json_quick.c: the usual objects and arrays, whose tables are filled where they lie.
 *
 * The values of a table are gathered first, those that Lua must hold on its stack as well, and the
 * table is made when all are there (vm/raw_make.h says why). A scalar that is right whatever else
 * its schema says costs its bytes; all others, and containers, come through bq_reading_take, so
 * that nothing is judged or told in two ways.
 */
#include "app/schema_json.h"

#include "app/schema_check.h"
#include "base/rc.h"

#include <assert.h>

_Static_assert(BQ_RAW_NAMES_MAX <= 64, "one bit a field");

/* --- values --- */

/* These give true. */
static inline bool take_string(struct bq_reading *w, bq_raw *value)
{
    lua_pushlstring(w->L, w->r.string.p, w->r.string.n);
    *value = bq_raw_top(w->L);
    return true;
}

static inline bool take_number(double number, bq_raw *value)
{
    *value = bq_raw_of_double(number);
    return true;
}

/* A scalar that is right as it is. False: that is not certain, and nothing was done. */
static inline bool take_right(struct bq_reading *w, const struct bq_schema *s,
                              enum bq_json_token token, bq_raw *value)
{
    double number = w->r.number.value;
    size_t bytes = w->r.string.n;
    switch (s->kind) {
    case BQ_SCHEMA_STRING:
        return token == BQ_JSON_STRING && bytes >= s->string.bytes_min &&
               bytes <= s->string.bytes_max && take_string(w, value);
    case BQ_SCHEMA_NUMBER:
        return token == BQ_JSON_NUMBER && number >= s->number.right_min &&
               number <= s->number.right_max && take_number(number, value);
    case BQ_SCHEMA_INTEGER:
        return token == BQ_JSON_NUMBER && number >= s->number.right_min &&
               number <= s->number.right_max && number == (double)(int64_t)number &&
               take_number(number + 0.0, value); /* -0 is 0 */
    case BQ_SCHEMA_BOOLEAN:
        *value = bq_raw_of_boolean(token == BQ_JSON_TRUE);
        return s->check_ref == LUA_NOREF && bq_reading_can_begin(BQ_SCHEMA_BOOLEAN, token);
    default:
        return false;
    }
}

/* A value that is not certainly right, at the place that v is at. */
static bq_raw take_other(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token)
{
    bool fine = s->check_ref == LUA_NOREF && w->v->count == 0;
    if (fine && token == BQ_JSON_OBJECT && s->kind == BQ_SCHEMA_OBJECT &&
        bq_reading_has_shape(w, s))
        return bq_reading_take_record(w, s);
    if (fine && token == BQ_JSON_ARRAY && s->kind == BQ_SCHEMA_ARRAY)
        return bq_reading_take_list(w, s);
    bq_reading_take(w, s, token);
    return bq_raw_take(w->L);
}

/* What Lua holds from index first on is in the table at the top now, which takes its place. */
static void drop_held(lua_State *L, int first)
{
    if (lua_gettop(L) == first)
        return;
    lua_replace(L, first);
    lua_settop(L, first);
}

/* --- arrays --- */

/* The next element; false if there is none. */
static inline bool read_element(struct bq_reading *w, const struct bq_schema *of, size_t index,
                                bq_raw *value)
{
    enum bq_json_token token = bq_json_element(&w->r);
    if (token == BQ_JSON_END || token == BQ_JSON_ERROR)
        return false;
    if (take_right(w, of, token, value))
        return true;
    bq_invalid_push_index(w->v, index);
    *value = take_other(w, of, token);
    bq_invalid_pop(w->v);
    return true;
}

bq_raw bq_reading_take_list(struct bq_reading *w, const struct bq_schema *s)
{
    bq_raw values[BQ_READING_GATHERED];
    size_t before = w->v->count, count = 0;
    luaL_checkstack(w->L, BQ_READING_SLOTS, "nested too deeply");
    int first = lua_gettop(w->L) + 1;
    while (count < BQ_READING_GATHERED && read_element(w, s->list.of, count, &values[count]))
        count++;
    bq_raw list = bq_raw_push_list(w->L, values, count,
                                   count < BQ_READING_GATHERED ? count : BQ_READING_ROOM);
    drop_held(w->L, first);
    bq_reading_finish_list(w, s, count, before);
    return list;
}

/* --- objects --- */

static bq_raw read_field(struct bq_reading *w, const struct bq_schema_field *field)
{
    bq_raw value;
    enum bq_json_token token = bq_json_value(&w->r);
    if (take_right(w, field->schema, token, &value))
        return value;
    bq_invalid_push_key(w->v, field->name);
    value = take_other(w, field->schema, token);
    bq_invalid_pop(w->v);
    return value;
}

/* Gives one bit for each field that was there. */
static uint64_t read_members(struct bq_reading *w, const struct bq_schema *s, bq_raw *values)
{
    uint64_t seen = 0;
    size_t guess = 0;
    const struct bq_schema_field *field;
    while (bq_reading_next_member(w, s, guess, &field)) {
        if (!field) {
            bq_reading_take_extra(w, s);
            continue;
        }
        size_t i = (size_t)(field - s->object.fields);
        guess = i + 1;
        if (seen >> i & 1) {
            bq_reading_stop(w, BQ_CONFLICT, "repeated name");
            break;
        }
        seen |= 1ull << i;
        values[i] = read_field(w, field);
    }
    return seen;
}

/* Defaults, and complaints about what is missing. */
static void fill_absent(struct bq_reading *w, const struct bq_schema *s, uint64_t seen,
                        bq_raw *values)
{
    for (size_t i = 0; i < s->object.count; i++) {
        const struct bq_schema_field *field = &s->object.fields[i];
        if (seen >> i & 1 || (field->schema->optional && !field->schema->has_default))
            continue;
        bq_invalid_push_key(w->v, field->name);
        bq_check_absent(w->L, field->schema, w->v);
        bq_invalid_pop(w->v);
        values[i] = bq_raw_take(w->L);
    }
}

bq_raw bq_reading_take_record(struct bq_reading *w, const struct bq_schema *s)
{
    bq_raw values[BQ_RAW_NAMES_MAX];
    luaL_checkstack(w->L, BQ_READING_SLOTS, "nested too deeply");
    int first = lua_gettop(w->L) + 1;
    assert(bq_reading_has_shape(w, s));
    for (size_t i = 0; i < s->object.count; i++)
        values[i] = BQ_RAW_NIL_VALUE;
    uint64_t seen = read_members(w, s, values);
    if (seen != UINT64_MAX >> (64 - s->object.count) && w->r.rc == BQ_OK)
        fill_absent(w, s, seen, values);
    bq_raw record = bq_raw_push_record(w->L, s->object.shape, values);
    drop_held(w->L, first);
    return record;
}
