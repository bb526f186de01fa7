/*
 * encode.c: a Lua value as JSON text, in one walk with the raw C API.
 *
 * On the request path: every table that a handler returns goes through here. The walk
 * recurses in C, BQ_ENCODE_DEPTH_MAX levels at most, and needs two Lua stack slots per
 * level. It pushes no strings and makes no objects, so it cannot raise; the one
 * allocation, a taller Lua stack for deep values, is made in a protected call.
 */
#include "app/encode.h"

#include "base/rc.h"
#include "json/write.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Slots beyond two for each level: the value, what is pushed for a moment, lua_cpcall. */
#define SLOTS_EXTRA 5
#define SLOTS_MAX   (2 * BQ_ENCODE_DEPTH_MAX + SLOTS_EXTRA)

#define PATH_BYTES_MAX 100

enum mark { MARK_NONE, MARK_ARRAY, MARK_OBJECT };

/* Slot 1 of the two metatables holds the address of one of these as a light userdata: a
 * mark is read without a string, and Lua code cannot forge it by accident. */
static const char array_mark, object_mark;

/* Where the walk is in the table of one level: at a name, or at a position (name NULL). */
struct step {
    const char *name;
    size_t n; /* the name's length or the position */
};

struct encoder {
    lua_State *L;
    struct bq_buf *out;
    struct bq_encode_error *error;
    unsigned depth;
    unsigned depth_reserved; /* the Lua stack has room for the walk down to here */
    struct step steps[BQ_ENCODE_DEPTH_MAX];
};

static int write_value(struct encoder *e);

/* --- what cannot be encoded --- */

/* Control characters would break the line of a log. */
static size_t copy_name(char *to, size_t room, const struct step *step)
{
    size_t n = step->n < room ? step->n : room;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)step->name[i] < 0x20 ? '?' : step->name[i];
    return n;
}

/* The way to the current value, as "a.b[3]"; a long one is cut. */
static void write_path(const struct encoder *e, char path[PATH_BYTES_MAX + 4])
{
    size_t n = 0;
    for (unsigned i = 0; i < e->depth && n < PATH_BYTES_MAX; i++) {
        const struct step *step = &e->steps[i];
        if (step->name && n)
            path[n++] = '.';
        if (step->name)
            n += copy_name(path + n, PATH_BYTES_MAX - n, step);
        else
            n += (size_t)snprintf(path + n, PATH_BYTES_MAX + 1 - n, "[%zu]", step->n);
    }
    if (n < PATH_BYTES_MAX)
        path[n] = '\0';
    else
        memcpy(path + PATH_BYTES_MAX, "...", 4);
}

static int refuse(struct encoder *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct encoder *e, const char *format, ...)
{
    char path[PATH_BYTES_MAX + 4];
    write_path(e, path);
    char *text = e->error->text;
    size_t size = sizeof e->error->text;
    int n = e->depth ? snprintf(text, size, "field \"%s\": ", path) : 0;
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + n, size - (size_t)n, format, ap);
    va_end(ap);
    return BQ_INVALID;
}

static int refuse_type(struct encoder *e)
{
    return refuse(e, "a %s has no JSON form; send strings, numbers, booleans, tables or barq.null",
                  lua_typename(e->L, lua_type(e->L, -1)));
}

/* --- scalars --- */

static int write_string(struct encoder *e)
{
    size_t n;
    const char *p = lua_tolstring(e->L, -1, &n);
    int rc = bq_json_write_string(e->out, bq_str_of(p, n));
    if (rc == BQ_INVALID)
        return refuse(e, "the string is not valid UTF-8; send bytes in hexadecimal or base64");
    return rc;
}

static int write_number(struct encoder *e)
{
    int rc = bq_json_write_number(e->out, lua_tonumber(e->L, -1));
    if (rc == BQ_INVALID)
        return refuse(e, "NaN and infinity have no JSON form; send barq.null or a string");
    return rc;
}

static int write_boolean(struct encoder *e)
{
    return bq_buf_append(e->out, lua_toboolean(e->L, -1) ? BQ_STR("true") : BQ_STR("false"));
}

/* --- arrays --- */

static int write_element(struct encoder *e, size_t position)
{
    e->steps[e->depth - 1] = (struct step){NULL, position};
    int rc = bq_buf_push(e->out, position == 1 ? '[' : ',');
    return rc == BQ_OK ? write_value(e) : rc;
}

/* The key below the top of the stack does not fit to the table's other keys. */
static int refuse_key(struct encoder *e)
{
    struct step *step = &e->steps[e->depth - 1];
    if (lua_type(e->L, -2) == LUA_TSTRING) {
        step->name = lua_tolstring(e->L, -2, &step->n);
        return refuse(e, "a name among the positions of an array; use barq.object(t) to send "
                         "its keys as strings");
    }
    e->depth--; /* about the table, not about one of its fields */
    if (lua_type(e->L, -2) == LUA_TNUMBER)
        return refuse(e,
                      "the key %.14g makes it neither an array nor an object; use "
                      "barq.object(t) to send its keys as strings",
                      lua_tonumber(e->L, -2));
    return refuse(e, "a key that is a %s has no JSON form; use strings as keys",
                  lua_typename(e->L, lua_type(e->L, -2)));
}

/* Some position up to count is empty. */
static int refuse_hole(struct encoder *e, size_t count)
{
    size_t position = 1;
    for (; position < count; position++) {
        lua_rawgeti(e->L, -1, (int)position);
        if (lua_isnil(e->L, -1))
            break;
        lua_pop(e->L, 1);
    }
    e->depth--;
    return refuse(e,
                  "position %zu of the array is empty; put barq.null there, or use "
                  "barq.object(t) to send its keys as strings",
                  position);
}

static bool is_position(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        return false;
    double v = lua_tonumber(L, index);
    return v >= 1 && v <= INT32_MAX && v == (double)(int32_t)v;
}

/* Whether the table's keys are exactly 1 ... n, in whatever order it holds them. */
static int check_positions(struct encoder *e, size_t *n)
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
static int write_scattered(struct encoder *e, size_t done)
{
    size_t n;
    int rc = check_positions(e, &n);
    for (size_t i = done + 1; rc == BQ_OK && i <= n; i++) {
        lua_rawgeti(e->L, -1, (int)i);
        rc = write_element(e, i);
        lua_pop(e->L, 1);
    }
    return rc;
}

/* The table's first key and value are on the stack. An array part is walked in order,
 * which is nearly always all there is. */
static int write_elements(struct encoder *e)
{
    size_t position = 0;
    do {
        position++;
        if (lua_type(e->L, -2) != LUA_TNUMBER || lua_tonumber(e->L, -2) != (double)position) {
            lua_pop(e->L, 2);
            int rc = write_scattered(e, position - 1);
            return rc == BQ_OK ? bq_buf_push(e->out, ']') : rc;
        }
        int rc = write_element(e, position);
        if (rc != BQ_OK)
            return rc;
        lua_pop(e->L, 1);
    } while (lua_next(e->L, -2));
    return bq_buf_push(e->out, ']');
}

/* --- objects --- */

static int write_name(struct encoder *e)
{
    size_t n;
    const char *p = lua_tolstring(e->L, -2, &n);
    e->steps[e->depth - 1] = (struct step){p, n};
    int rc = bq_json_write_string(e->out, bq_str_of(p, n));
    if (rc == BQ_INVALID)
        return refuse(e, "the name is not valid UTF-8");
    return rc;
}

/* A number as a key, which barq.object(t) asks for. */
static int write_number_name(struct encoder *e)
{
    double v = lua_tonumber(e->L, -2);
    if (!isfinite(v))
        return refuse_key(e);
    e->steps[e->depth - 1] = (struct step){NULL, v > 0 && v < INT32_MAX ? (size_t)v : 0};
    int rc = bq_buf_push(e->out, '"');
    if (rc == BQ_OK)
        rc = bq_json_write_number(e->out, v);
    return rc == BQ_OK ? bq_buf_push(e->out, '"') : rc;
}

static int write_member(struct encoder *e, enum mark mark)
{
    int type = lua_type(e->L, -2);
    int rc;
    if (type == LUA_TSTRING)
        rc = write_name(e);
    else if (type == LUA_TNUMBER && mark == MARK_OBJECT)
        rc = write_number_name(e);
    else
        rc = refuse_key(e);
    if (rc == BQ_OK)
        rc = bq_buf_push(e->out, ':');
    return rc == BQ_OK ? write_value(e) : rc;
}

/* The table's first key and value are on the stack. */
static int write_members(struct encoder *e, enum mark mark)
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

static enum mark read_mark(lua_State *L)
{
    if (!lua_getmetatable(L, -1))
        return MARK_NONE;
    lua_rawgeti(L, -1, 1);
    const void *mark = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return mark == &array_mark ? MARK_ARRAY : mark == &object_mark ? MARK_OBJECT : MARK_NONE;
}

static int grow_stack(lua_State *L)
{
    luaL_checkstack(L, SLOTS_MAX, NULL);
    return 0;
}

/* In a protected call, since lua_checkstack may raise when memory is exhausted. */
static int reserve_stack(struct encoder *e)
{
    if (lua_cpcall(e->L, grow_stack, NULL) != 0)
        return BQ_MEMORY;
    e->depth_reserved = BQ_ENCODE_DEPTH_MAX;
    return BQ_OK;
}

/* A function starts with LUA_MINSTACK slots above its arguments, so that at least those
 * less what is on the stack now are free, and they do for most values. */
static unsigned levels_reserved(lua_State *L)
{
    int slots = LUA_MINSTACK - lua_gettop(L) - SLOTS_EXTRA;
    return slots > 0 ? (unsigned)slots / 2 : 0;
}

static int write_fields(struct encoder *e)
{
    enum mark mark = read_mark(e->L);
    lua_pushnil(e->L);
    if (!lua_next(e->L, -2))
        return bq_buf_append(e->out, mark == MARK_OBJECT ? BQ_STR("{}") : BQ_STR("[]"));
    if (mark == MARK_NONE)
        mark = lua_type(e->L, -2) == LUA_TNUMBER ? MARK_ARRAY : MARK_NONE;
    return mark == MARK_ARRAY ? write_elements(e) : write_members(e, mark);
}

static int write_table(struct encoder *e)
{
    if (e->depth == BQ_ENCODE_DEPTH_MAX)
        return refuse(e, "nested deeper than %d levels; does the table hold itself?",
                      BQ_ENCODE_DEPTH_MAX);
    if (e->depth == e->depth_reserved && reserve_stack(e) != BQ_OK)
        return BQ_MEMORY;
    e->depth++;
    int rc = write_fields(e);
    if (rc == BQ_OK)
        e->depth--;
    return rc;
}

/* The value on top of the stack. On failure the stack is left as it is. */
static int write_value(struct encoder *e)
{
    switch (lua_type(e->L, -1)) {
    case LUA_TSTRING:
        return write_string(e);
    case LUA_TNUMBER:
        return write_number(e);
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

int bq_encode(lua_State *L, int index, struct bq_buf *out, struct bq_encode_error *error)
{
    struct encoder e;
    e.L = L;
    e.out = out;
    e.error = error;
    e.depth = 0;
    e.depth_reserved = levels_reserved(L);
    size_t before = bq_buf_size(out);
    int top = lua_gettop(L);
    lua_pushvalue(L, index);
    int rc = write_value(&e);
    lua_settop(L, top);
    if (rc != BQ_OK)
        out->len = out->pos + before; /* growing may have moved the position */
    return rc;
}

/* --- barq.array and barq.object --- */

static bool is_ours(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    bool marked = read_mark(L) != MARK_NONE;
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
    luaL_newmetatable(L, name);
    lua_pushlightuserdata(L, (void *)mark);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, name);
    lua_pushcclosure(L, l_mark, 2);
}

void bq_encode_open(lua_State *L)
{
    push_marker(L, "barq.array", &array_mark);
    push_marker(L, "barq.object", &object_mark);
}
