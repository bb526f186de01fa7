/*
 * schema_value.c: Lua values to checked copies, for Schema:check.
 *
 * Strict as JSON is. The walk runs no metamethods and changes nothing of what it is given. It ends
 * whatever it is given: cycles meet the bound of depth, and what variants of unions in unions would
 * have to be tried again and again meets a bound of its own.
 */
#include "app/decode.h"
#include "app/schema_check.h"
#include "base/utf8.h"

#include <math.h>

/* Values that may be read within unions, some of them many times. */
#define TRIED_VALUES_MAX 1000000

struct reading {
    lua_State *L;
    struct bq_invalid *v;
    unsigned depth;  /* tables around the value */
    unsigned trying; /* unions around the value */
    size_t tried_left;
};

static const struct bq_schema any = {.kind = BQ_SCHEMA_ANY, .check_ref = LUA_NOREF};

/* Pushes what becomes of the value at index, an absolute one. */
static void read_value(struct reading *r, const struct bq_schema *s, int index);

static void refuse_type(struct reading *r, const struct bq_schema *s)
{
    bq_check_type(s, r->v);
    lua_pushnil(r->L);
}

static bool is_null(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TLIGHTUSERDATA && !lua_touserdata(L, index);
}

static bq_str to_str(lua_State *L, int index)
{
    bq_str s;
    s.p = lua_tolstring(L, index, &s.n);
    return s;
}

/* --- scalars --- */

static void read_scalar(struct reading *r, const struct bq_schema *s, int index)
{
    struct bq_scalar given = {.type = lua_type(r->L, index), .raw = true};
    if (given.type == LUA_TBOOLEAN)
        given.boolean = lua_toboolean(r->L, index);
    else if (given.type == LUA_TNUMBER)
        given.number = lua_tonumber(r->L, index);
    else
        given.text = to_str(r->L, index);
    if (s->kind == BQ_SCHEMA_ANY && given.type == LUA_TNUMBER && !isfinite(given.number)) {
        bq_invalid_add(r->v, "finite_number", NULL, "Input should be a finite number");
        lua_pushnil(r->L);
        return;
    }
    bq_check_scalar(r->L, s, &given, r->v);
}

/* --- arrays --- */

/* Whether the keys are exactly 1 ... n. */
static bool is_list(lua_State *L, int index, size_t n)
{
    bool full = bq_count_entries(L, index) == n;
    for (size_t i = 1; full && i <= n; i++) {
        lua_rawgeti(L, index, (int)i);
        full = !lua_isnil(L, -1);
        lua_pop(L, 1);
    }
    return full;
}

static void read_array(struct reading *r, const struct bq_schema *s, int index)
{
    lua_State *L = r->L;
    size_t count = lua_objlen(L, index), before = r->v->count;
    if (!is_list(L, index, count)) {
        refuse_type(r, s);
        return;
    }
    lua_createtable(L, (int)count, 0);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (int)i);
        bq_invalid_push_index(r->v, i - 1);
        read_value(r, s->list.of, lua_gettop(L));
        bq_invalid_pop(r->v);
        lua_rawseti(L, -3, (int)i);
        lua_pop(L, 1);
    }
    bq_check_elements(L, s, count, before, r->v);
}

/* --- objects and maps --- */

/* The key and the value are at the top of the stack, the table to put it into below: the value is
 * replaced by what becomes of it, stored, and popped; the key stays. */
static void read_entry(struct reading *r, const struct bq_schema *s)
{
    lua_State *L = r->L;
    int value = lua_gettop(L);
    bool named = lua_type(L, value - 1) == LUA_TSTRING;
    if (named)
        bq_invalid_push_key(r->v, to_str(L, value - 1));
    else
        bq_invalid_push_index(r->v, (size_t)lua_tonumber(L, value - 1) - 1);
    read_value(r, s, value);
    bq_invalid_pop(r->v);
    if (!lua_isnil(L, -1)) {
        lua_pushvalue(L, value - 1);
        lua_insert(L, -2);
        lua_rawset(L, value - 2);
    }
    lua_settop(L, value - 1);
}

static void read_field(struct reading *r, const struct bq_schema_field *field, int index)
{
    lua_rawgeti(r->L, LUA_REGISTRYINDEX, field->name_ref);
    lua_pushvalue(r->L, -1);
    lua_rawget(r->L, index);
    read_entry(r, field->schema);
    lua_pop(r->L, 1);
}

/* The key is at the top, its value above it. */
static void read_extra(struct reading *r, const struct bq_schema *s)
{
    bq_str key = to_str(r->L, -2);
    if (bq_schema_find(s, key)) {
        lua_pop(r->L, 1);
    } else if (s->object.extra == BQ_EXTRA_KEEP) {
        read_entry(r, &any);
    } else {
        bq_invalid_push_key(r->v, key);
        bq_check_extra(r->v);
        bq_invalid_pop(r->v);
        lua_pop(r->L, 1);
    }
}

static bool has_string_keys(lua_State *L, int index)
{
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            return false;
        }
    }
    return true;
}

static void read_object(struct reading *r, const struct bq_schema *s, int index)
{
    lua_State *L = r->L;
    bool all = s->object.extra != BQ_EXTRA_IGNORE;
    if (lua_objlen(L, index) || (all && !has_string_keys(L, index))) {
        refuse_type(r, s);
        return;
    }
    lua_createtable(L, 0, (int)s->object.count);
    for (size_t i = 0; i < s->object.count; i++)
        read_field(r, &s->object.fields[i], index);
    if (!all)
        return;
    lua_pushnil(L);
    while (lua_next(L, index))
        read_extra(r, s);
}

static void read_map(struct reading *r, const struct bq_schema *s, int index)
{
    lua_State *L = r->L;
    size_t count = 0, before = r->v->count;
    if (!has_string_keys(L, index)) {
        refuse_type(r, s);
        return;
    }
    lua_newtable(L);
    lua_pushnil(L);
    for (; lua_next(L, index); count++)
        read_entry(r, s->list.of);
    if (r->v->count == before)
        bq_check_length(s, count, r->v);
}

/* --- anything --- */

static bool is_position(lua_State *L, int index)
{
    double v = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : 0;
    return v >= 1 && v <= INT_MAX && v == floor(v);
}

/* Keeps the mark of barq.array and barq.object. */
static void read_any_table(struct reading *r, int index)
{
    lua_State *L = r->L;
    lua_newtable(L);
    if (lua_getmetatable(L, index))
        lua_setmetatable(L, -2);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) == LUA_TSTRING || is_position(L, -2)) {
            read_entry(r, &any);
        } else {
            bq_check_type(&any, r->v);
            lua_pop(L, 1);
        }
    }
}

/* --- unions --- */

static void read_tagged(struct reading *r, const struct bq_schema *s, int index)
{
    lua_State *L = r->L;
    if (!lua_istable(L, index) || lua_objlen(L, index)) {
        refuse_type(r, s);
        return;
    }
    lua_pushlstring(L, s->of.tag.p, s->of.tag.n);
    lua_rawget(L, index);
    int tag = lua_gettop(L);
    const struct bq_schema *variant = NULL;
    if (lua_type(L, tag) == LUA_TSTRING) {
        variant = bq_schema_variant(s, to_str(L, tag));
        if (!variant)
            bq_check_tag_unknown(s, r->v);
    } else {
        bq_check_tag_missing(s, r->v);
    }
    if (variant) {
        bq_invalid_push_key(r->v, to_str(L, tag));
        read_value(r, variant, index);
        bq_invalid_pop(r->v);
    } else {
        lua_pushnil(L);
    }
    lua_remove(L, tag);
}

/* The first variant that fits; what is wrong with all of them if none does. */
static void read_variants(struct reading *r, const struct bq_schema *s, int index)
{
    struct bq_invalid_mark mark = bq_invalid_mark(r->v);
    r->trying++;
    for (size_t i = 0; i < s->of.count; i++) {
        size_t before = r->v->count;
        bq_invalid_push_key(r->v, bq_schema_label(s->of.variants[i]));
        read_value(r, s->of.variants[i], index);
        bq_invalid_pop(r->v);
        if (r->v->count == before) {
            bq_invalid_rewind(r->v, mark);
            r->trying--;
            return;
        }
        lua_pop(r->L, 1);
    }
    r->trying--;
    lua_pushnil(r->L);
}

/* --- any value --- */

static void read_table(struct reading *r, const struct bq_schema *s, int index)
{
    r->depth++;
    switch (s->kind) {
    case BQ_SCHEMA_OBJECT:
        read_object(r, s, index);
        break;
    case BQ_SCHEMA_ARRAY:
        read_array(r, s, index);
        break;
    case BQ_SCHEMA_MAP:
        read_map(r, s, index);
        break;
    case BQ_SCHEMA_ANY:
        read_any_table(r, index);
        break;
    default:
        refuse_type(r, s);
    }
    r->depth--;
}

static void read_present(struct reading *r, const struct bq_schema *s, int index)
{
    int type = lua_type(r->L, index);
    if (s->kind == BQ_SCHEMA_UNION)
        s->of.tag.n ? read_tagged(r, s, index) : read_variants(r, s, index);
    else if (type == LUA_TTABLE)
        read_table(r, s, index);
    else if (type == LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING)
        read_scalar(r, s, index);
    else if (is_null(r->L, index))
        bq_check_null(r->L, s, r->v);
    else
        refuse_type(r, s);
}

static bool may_go_on(struct reading *r)
{
    if (r->depth > BQ_DECODE_DEPTH_MAX) {
        bq_invalid_add(r->v, "recursion_loop", NULL, "Recursion error - cyclic reference detected");
        return false;
    }
    if (r->trying && !r->tried_left) {
        bq_invalid_add(r->v, "value_error", NULL, "Value error, %s", BQ_TOO_AMBIGUOUS);
        return false;
    }
    r->tried_left -= r->trying > 0;
    return true;
}

static void read_value(struct reading *r, const struct bq_schema *s, int index)
{
    size_t before = r->v->count;
    luaL_checkstack(r->L, 12, "a value to be checked");
    if (lua_isnil(r->L, index)) {
        bq_check_absent(r->L, s, r->v);
    } else if (s->nullable && is_null(r->L, index)) {
        bq_null_push(r->L);
    } else if (may_go_on(r)) {
        read_present(r, s, index);
        bq_check_custom(r->L, s, before, r->v);
    } else {
        lua_pushnil(r->L);
    }
}

void bq_schema_read_value(lua_State *L, const struct bq_schema *s, int index, struct bq_invalid *v)
{
    struct reading r = {.L = L, .v = v, .tried_left = TRIED_VALUES_MAX};
    read_value(&r, s, index < 0 ? lua_gettop(L) + 1 + index : index);
}
