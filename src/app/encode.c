/*
 * encode.c: a Lua value as JSON text, in one walk with the raw C API.
 *
 * On the request path: every table that a handler returns without a schema goes through here, and
 * with one what the schema leaves open. What holds for the walk is told in encoder.c.
 */
#include "app/encode.h"

#include "app/encoder.h"
#include "base/rc.h"
#include "json/write.h"

#include <math.h>

/* Slot 1 of the two metatables holds the address of one of these as a number: a mark is read
 * without a string, in whatever way tables are looked at, and Lua code cannot forge it by
 * accident. */
static const char array_mark, object_mark;

static int write_value(struct bq_encoder *e);

/* --- what cannot be encoded --- */

static int refuse_type(struct bq_encoder *e)
{
    return bq_encoder_refuse(
        e, "a %s has no JSON form; send strings, numbers, booleans, tables or barq.null",
        lua_typename(e->L, lua_type(e->L, -1)));
}

/* --- scalars --- */

int bq_encoder_string(struct bq_encoder *e)
{
    size_t n;
    const char *p = lua_tolstring(e->L, -1, &n);
    int rc = bq_json_write_string(e->out, bq_str_of(p, n));
    if (rc == BQ_INVALID)
        return bq_encoder_refuse(
            e, "the string is not valid UTF-8; send bytes in hexadecimal or base64");
    return rc;
}

int bq_encoder_number(struct bq_encoder *e)
{
    int rc = bq_json_write_number(e->out, lua_tonumber(e->L, -1));
    if (rc == BQ_INVALID)
        return bq_encoder_refuse(e,
                                 "NaN and infinity have no JSON form; send barq.null or a string");
    return rc;
}

static int write_boolean(struct bq_encoder *e)
{
    return bq_buf_append(e->out, lua_toboolean(e->L, -1) ? BQ_STR("true") : BQ_STR("false"));
}

/* --- arrays --- */

static int write_element(struct bq_encoder *e, size_t position, bq_encoder_fn fn, const void *how)
{
    bq_encoder_at(e, NULL, position);
    int rc = bq_buf_push(e->out, position == 1 ? '[' : ',');
    return rc == BQ_OK ? fn(e, how) : rc;
}

/* What to do about keys that do not make an array. */
static const char *way_out(const struct bq_encoder *e)
{
    return e->declared ? "declare an object or a map to send its keys"
                       : "use barq.object(t) to send its keys as strings";
}

/* The key below the top of the stack does not fit to the table's other keys. */
static int refuse_key(struct bq_encoder *e)
{
    struct bq_encoder_step *step = &e->steps[e->depth - 1];
    if (lua_type(e->L, -2) == LUA_TSTRING) {
        step->name = lua_tolstring(e->L, -2, &step->n);
        return bq_encoder_refuse(e, "a name among the positions of an array; %s", way_out(e));
    }
    e->depth--; /* about the table, not about one of its fields */
    if (lua_type(e->L, -2) == LUA_TNUMBER)
        return bq_encoder_refuse(e, "the key %.14g makes it neither an array nor an object; %s",
                                 lua_tonumber(e->L, -2), way_out(e));
    return bq_encoder_refuse(e, "a key that is a %s has no JSON form; use strings as keys",
                             lua_typename(e->L, lua_type(e->L, -2)));
}

/* Some position up to count is empty. */
static int refuse_hole(struct bq_encoder *e, size_t count)
{
    size_t position = 1;
    for (; position < count; position++) {
        lua_rawgeti(e->L, -1, (int)position);
        if (lua_isnil(e->L, -1))
            break;
        lua_pop(e->L, 1);
    }
    e->depth--;
    return bq_encoder_refuse(e, "position %zu of the array is empty; put barq.null there, or %s",
                             position, way_out(e));
}

static bool is_position(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        return false;
    double v = lua_tonumber(L, index);
    return v >= 1 && v <= INT32_MAX && v == (double)(int32_t)v;
}

/* Whether the table's keys are exactly 1 ... n, in whatever order it holds them. */
static int check_positions(struct bq_encoder *e, size_t *n)
{
    size_t last = 0;
    *n = 0;
    lua_pushnil(e->L);
    while (lua_next(e->L, -2)) {
        if (!is_position(e->L, -2))
            return refuse_key(e);
        size_t position = (size_t)lua_tonumber(e->L, -2);
        last = position > last ? position : last;
        (*n)++;
        lua_pop(e->L, 1);
    }
    return last == *n ? BQ_OK : refuse_hole(e, *n);
}

/* The table does not hold its positions in order: the first `done` are written. */
static int write_scattered(struct bq_encoder *e, size_t done, bq_encoder_fn fn, const void *how)
{
    size_t n;
    int rc = check_positions(e, &n);
    for (size_t i = done + 1; rc == BQ_OK && i <= n; i++) {
        lua_rawgeti(e->L, -1, (int)i);
        rc = write_element(e, i, fn, how);
        lua_pop(e->L, 1);
    }
    return rc;
}

/* An array part is walked in order, which is nearly always all there is. */
int bq_encoder_elements(struct bq_encoder *e, bq_encoder_fn fn, const void *how)
{
    size_t position = 0;
    do {
        position++;
        if (lua_type(e->L, -2) != LUA_TNUMBER || lua_tonumber(e->L, -2) != (double)position) {
            lua_pop(e->L, 2);
            int rc = write_scattered(e, position - 1, fn, how);
            return rc == BQ_OK ? bq_buf_push(e->out, ']') : rc;
        }
        int rc = write_element(e, position, fn, how);
        if (rc != BQ_OK)
            return rc;
        lua_pop(e->L, 1);
    } while (lua_next(e->L, -2));
    return bq_buf_push(e->out, ']');
}

/* --- objects --- */

/* The name below the top, and a colon. */
static int write_name(struct bq_encoder *e)
{
    size_t n;
    const char *p = lua_tolstring(e->L, -2, &n);
    bq_encoder_at(e, p, n);
    int rc = bq_json_write_string(e->out, bq_str_of(p, n));
    if (rc == BQ_INVALID)
        return bq_encoder_refuse(e, "the name is not valid UTF-8");
    return rc == BQ_OK ? bq_buf_push(e->out, ':') : rc;
}

/* A number as a key, which barq.object(t) asks for. */
static int write_number_name(struct bq_encoder *e)
{
    double v = lua_tonumber(e->L, -2);
    if (!isfinite(v))
        return refuse_key(e);
    bq_encoder_at(e, NULL, v > 0 && v < INT32_MAX ? (size_t)v : 0);
    int rc = bq_buf_push(e->out, '"');
    if (rc == BQ_OK)
        rc = bq_json_write_number(e->out, v);
    return rc == BQ_OK ? bq_buf_append(e->out, BQ_STR("\":")) : rc;
}

/* numbers: keys that are some are names, too. */
static int write_key(struct bq_encoder *e, bool numbers)
{
    int type = lua_type(e->L, -2);
    if (type == LUA_TSTRING)
        return write_name(e);
    return type == LUA_TNUMBER && numbers ? write_number_name(e) : refuse_key(e);
}

int bq_encoder_key(struct bq_encoder *e)
{
    return write_key(e, true);
}

static int write_member(struct bq_encoder *e, enum bq_encode_mark mark)
{
    int rc = write_key(e, mark == BQ_ENCODE_OBJECT);
    return rc == BQ_OK ? write_value(e) : rc;
}

/* The table's first key and value are on the stack. */
static int write_members(struct bq_encoder *e, enum bq_encode_mark mark)
{
    char before = '{';
    do {
        int rc = bq_buf_push(e->out, before);
        if (rc == BQ_OK)
            rc = write_member(e, mark);
        if (rc != BQ_OK)
            return rc;
        lua_pop(e->L, 1);
        before = ',';
    } while (lua_next(e->L, -2));
    return bq_buf_push(e->out, '}');
}

/* --- tables --- */

static double mark_number(const char *mark)
{
    return (double)(uintptr_t)mark;
}

enum bq_encode_mark bq_encode_mark_of(double slot)
{
    if (slot == mark_number(&array_mark))
        return BQ_ENCODE_ARRAY;
    return slot == mark_number(&object_mark) ? BQ_ENCODE_OBJECT : BQ_ENCODE_UNMARKED;
}

static enum bq_encode_mark read_mark(lua_State *L)
{
    if (!lua_getmetatable(L, -1))
        return BQ_ENCODE_UNMARKED;
    lua_rawgeti(L, -1, 1);
    double slot = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    lua_pop(L, 2);
    return bq_encode_mark_of(slot);
}

static int write_fields(struct bq_encoder *e)
{
    enum bq_encode_mark mark = read_mark(e->L);
    lua_pushnil(e->L);
    if (!lua_next(e->L, -2))
        return bq_buf_append(e->out, mark == BQ_ENCODE_OBJECT ? BQ_STR("{}") : BQ_STR("[]"));
    if (mark == BQ_ENCODE_UNMARKED)
        mark = lua_type(e->L, -2) == LUA_TNUMBER ? BQ_ENCODE_ARRAY : BQ_ENCODE_UNMARKED;
    return mark == BQ_ENCODE_ARRAY ? bq_encoder_elements(e, bq_encoder_any, NULL)
                                   : write_members(e, mark);
}

static int write_table(struct bq_encoder *e)
{
    int rc = bq_encoder_enter(e);
    if (rc == BQ_OK)
        rc = write_fields(e);
    if (rc == BQ_OK)
        e->depth--;
    return rc;
}

/* The value on top of the stack. On failure the stack is left as it is. */
static int write_value(struct bq_encoder *e)
{
    switch (lua_type(e->L, -1)) {
    case LUA_TSTRING:
        return bq_encoder_string(e);
    case LUA_TNUMBER:
        return bq_encoder_number(e);
    case LUA_TTABLE:
        return write_table(e);
    case LUA_TBOOLEAN:
        return write_boolean(e);
    case LUA_TNIL:
        return bq_buf_append(e->out, BQ_STR("null"));
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(e->L, -1))
            return bq_buf_append(e->out, BQ_STR("null"));
        /* fall through */
    default:
        return refuse_type(e);
    }
}

int bq_encoder_any(struct bq_encoder *e, const void *how)
{
    (void)how;
    bool declared = e->declared;
    e->declared = false;
    int rc = write_value(e);
    e->declared = declared;
    return rc;
}

int bq_encode(lua_State *L, int index, struct bq_buf *out, struct bq_encode_error *error)
{
    return bq_encoder_run(L, index, out, error, bq_encoder_any, NULL);
}

/* --- barq.array and barq.object --- */

static bool is_ours(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    bool marked = read_mark(L) != BQ_ENCODE_UNMARKED;
    lua_pop(L, 1);
    return marked;
}

/* Upvalue 1 is the metatable, upvalue 2 the function's name. */
static int l_mark(lua_State *L)
{
    if (lua_isnone(L, 1))
        lua_newtable(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1) && !is_ours(L, 1))
        return luaL_error(L, "%s: the table has a metatable already; mark a copy of it",
                          lua_tostring(L, lua_upvalueindex(2)));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

static void push_marker(lua_State *L, const char *name, const char *mark)
{
    lua_createtable(L, 1, 0); /* so that quick.c finds the mark in the array part */
    lua_pushnumber(L, mark_number(mark));
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, name);
    lua_pushstring(L, name);
    lua_pushcclosure(L, l_mark, 2);
}

void bq_encode_open(lua_State *L)
{
    push_marker(L, "barq.array", &array_mark);
    push_marker(L, "barq.object", &object_mark);
}
