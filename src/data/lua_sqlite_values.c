/*
 * lua_sqlite_values.c: what is bound and what comes back.
 *
 * Everything goes through the call's buffers, whose owner frees them whatever Lua raises.
 */
#include "data/lua_sqlite_values.h"

#include "base/rc.h"
#include "base/utf8.h"
#include "vm/rows.h"

#include <math.h>
#include <stdio.h>

#define SAFE_INTEGER_MAX 9007199254740991LL    /* 2^53 - 1: no other integer is the same double */
#define INT64_LIMIT      9223372036854775808.0 /* 2^63 */

/* --- parameters --- */

/* What a value is bound to, for messages. */
struct parameter {
    const char *name; /* NULL: it has a position */
    int position;     /* from 1 */
};

static int refuse(struct bq_sqlite_call *call, const struct parameter *what, const char *why)
{
    if (what->name)
        return bq_sqlite_fail(call, BQ_SQLITE_MISUSE, "parameter :%.60s %s", what->name, why);
    return bq_sqlite_fail(call, BQ_SQLITE_MISUSE, "parameter %d %s", what->position, why);
}

static void pack_bytes(struct bq_buf *out, bq_str s)
{
    uint32_t n = (uint32_t)s.n;
    bq_buf_append(out, bq_str_of((const char *)&n, sizeof n));
    bq_buf_append(out, s);
}

static void pack_integer(struct bq_buf *out, int64_t i)
{
    bq_buf_push(out, 'I');
    bq_buf_append(out, bq_str_of((const char *)&i, sizeof i));
}

static int pack_number(struct bq_sqlite_call *call, double d, const struct parameter *what)
{
    struct bq_buf *out = &call->params;
    if (isnan(d))
        return refuse(call, what, "is NaN, which SQLite does not have; barq.null is NULL");
    if (d >= -INT64_LIMIT && d < INT64_LIMIT && d == (double)(int64_t)d) {
        pack_integer(out, (int64_t)d);
        return BQ_OK;
    }
    bq_buf_push(out, 'D');
    bq_buf_append(out, bq_str_of((const char *)&d, sizeof d));
    return BQ_OK;
}

static int pack_string(lua_State *L, int index, struct bq_sqlite_call *call, char kind,
                       const struct parameter *what)
{
    bq_str s;
    s.p = lua_tolstring(L, index, &s.n);
    if (s.n > INT32_MAX)
        return refuse(call, what, "is too long");
    if (kind == 'T' && !bq_utf8_valid(s))
        return refuse(call, what, "is not valid UTF-8: bind bytes as barq.sqlite.blob(s)");
    bq_buf_push(&call->params, kind);
    pack_bytes(&call->params, s);
    return BQ_OK;
}

static bool is_blob(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, BQ_SQLITE_BLOB_TYPE);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static int pack_blob(lua_State *L, int index, struct bq_sqlite_call *call,
                     const struct parameter *what)
{
    lua_rawgeti(L, index, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
        return refuse(call, what, "is a blob without its string");
    int rc = pack_string(L, lua_gettop(L), call, 'B', what);
    lua_pop(L, 1);
    return rc;
}

static int pack_value(lua_State *L, int index, struct bq_sqlite_call *call,
                      const struct parameter *what)
{
    char why[96];
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        bq_buf_push(&call->params, 'N');
        return BQ_OK;
    case LUA_TBOOLEAN:
        pack_integer(&call->params, lua_toboolean(L, index));
        return BQ_OK;
    case LUA_TNUMBER:
        return pack_number(call, lua_tonumber(L, index), what);
    case LUA_TSTRING:
        return pack_string(L, index, call, 'T', what);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index))
            break;
        bq_buf_push(&call->params, 'N');
        return BQ_OK;
    case LUA_TTABLE:
        if (is_blob(L, index))
            return pack_blob(L, index, call, what);
        break;
    default:
        break;
    }
    snprintf(why, sizeof why, "is a %s, which SQLite cannot store", luaL_typename(L, index));
    return refuse(call, what, why);
}

static int pack_names(lua_State *L, int table, struct bq_sqlite_call *call)
{
    int rc = BQ_OK;
    call->named = true;
    for (lua_pushnil(L); rc == BQ_OK && lua_next(L, table); lua_pop(L, 1)) {
        bq_str name;
        if (lua_type(L, -2) != LUA_TSTRING)
            return bq_sqlite_fail(call, BQ_SQLITE_MISUSE,
                                  "a table of parameters has their names as keys; pass positional "
                                  "ones as arguments");
        name.p = lua_tolstring(L, -2, &name.n);
        pack_bytes(&call->params, name);
        rc = pack_value(L, lua_gettop(L), call, &(struct parameter){.name = name.p});
        call->param_count++;
    }
    return rc;
}

int bq_sqlite_pack_params(lua_State *L, int first, int last, struct bq_sqlite_call *call)
{
    int rc = BQ_OK;
    if (first == last && lua_type(L, first) == LUA_TTABLE && !is_blob(L, first)) {
        rc = pack_names(L, first, call);
    } else {
        for (int i = first; rc == BQ_OK && i <= last; i++) {
            rc = pack_value(L, i, call, &(struct parameter){.position = i - first + 1});
            call->param_count++;
        }
    }
    if (rc == BQ_OK && call->params.failed)
        rc = bq_sqlite_fail(call, BQ_SQLITE_NOMEM, "out of memory");
    return rc;
}

/* --- rows --- */

void bq_sqlite_push_integer(lua_State *L, int64_t i)
{
    char digits[24];
    if (i >= -SAFE_INTEGER_MAX && i <= SAFE_INTEGER_MAX) {
        lua_pushnumber(L, (double)i);
        return;
    }
    int n = snprintf(digits, sizeof digits, "%lld", (long long)i);
    lua_pushlstring(L, digits, (size_t)n);
}

static void push_value(lua_State *L, struct bq_buf *rows, bool nulls)
{
    struct bq_cell cell;
    const char *next = bq_rows_cell(rows->data + rows->pos, &cell);
    rows->pos = (size_t)(next - rows->data);
    switch (cell.kind) {
    case 'I':
        bq_sqlite_push_integer(L, cell.integer);
        return;
    case 'D':
        lua_pushnumber(L, cell.number);
        return;
    case 'T':
    case 'B':
        lua_pushlstring(L, cell.bytes.p, cell.bytes.n);
        return;
    default:
        if (nulls)
            lua_pushlightuserdata(L, NULL);
        else
            lua_pushnil(L);
    }
}

int bq_sqlite_push_names(lua_State *L, const struct bq_sqlite_call *call)
{
    const char *p = call->names.data;
    luaL_checkstack(L, (int)call->columns + 8, "too many columns");
    for (uint32_t i = 0; i < call->columns; i++) {
        bq_str name;
        p = bq_rows_name(p, &name);
        lua_pushlstring(L, name.p, name.n);
    }
    return lua_gettop(L) - (int)call->columns + 1;
}

void bq_sqlite_push_row(lua_State *L, struct bq_sqlite_call *call, int names, bool nulls)
{
    int columns = (int)call->columns;
    lua_createtable(L, 0, columns);
    for (int i = 0; i < columns; i++) {
        lua_pushvalue(L, names + i);
        push_value(L, &call->rows, nulls);
        lua_rawset(L, -3);
    }
}

void bq_sqlite_push_rows(lua_State *L, struct bq_sqlite_call *call, bool nulls)
{
    size_t count = call->row_count;
    int names = bq_sqlite_push_names(L, call);
    lua_createtable(L, (int)(count < INT32_MAX ? count : INT32_MAX), 0);
    for (size_t i = 1; i <= count; i++) {
        bq_sqlite_push_row(L, call, names, nulls);
        lua_rawseti(L, -2, (int)i);
    }
}
