/* lua_core.c: thin bindings: check the arguments, call the C function, push the result. */
#include "app/lua_core.h"

#include "app/decode.h"
#include "app/encode.h"
#include "app/failure.h"
#include "app/opening.h"
#include "app/quick.h"
#include "app/request.h"
#include "app/schema.h"
#include "app/spawn.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/rc.h"
#include "http/decode.h"
#include "http/h1_write.h"
#include "vm/lua_task.h"
#include "vm/outward.h"
#include "json/write.h"

#include <stdio.h>
#include <time.h>

/* A buffer that the collector frees, for functions that may raise while they fill it. */
static struct bq_buf *push_buffer(lua_State *L)
{
    struct bq_buf *buf = lua_newuserdata(L, sizeof *buf);
    *buf = BQ_BUF_INIT;
    luaL_getmetatable(L, "barq.buffer");
    lua_setmetatable(L, -2);
    return buf;
}

static int l_buffer_gc(lua_State *L)
{
    bq_buf_release(lua_touserdata(L, 1));
    return 0;
}

static bq_str check_str(lua_State *L, int index)
{
    bq_str s;
    s.p = luaL_checklstring(L, index, &s.n);
    return s;
}

static void check_rc(lua_State *L, int rc)
{
    if (rc == BQ_MEMORY)
        luaL_error(L, "not enough memory");
}

/* nil, reason */
static int fail(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* --- time and log ------------------------------------------------------------------------- */

/* now() -> seconds since 1970, to the microsecond */
static int l_now(lua_State *L)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    lua_pushnumber(L, (double)ts.tv_sec + (double)(ts.tv_nsec / 1000) * 1e-6);
    return 1;
}

/* monotonic() -> seconds since some moment, which nobody sets back */
static int l_monotonic(lua_State *L)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    lua_pushnumber(L, (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9);
    return 1;
}

static enum bq_log_level check_level(lua_State *L, int index)
{
    enum bq_log_level level = BQ_LOG_INFO;
    if (bq_log_level_of(check_str(L, index), &level) != BQ_OK)
        luaL_argerror(L, index, "debug, info, warn or error expected");
    return level;
}

static int l_log(lua_State *L)
{
    enum bq_log_level level = check_level(L, 1);
    bq_str text = check_str(L, 2);
    if (bq_log_enabled(level))
        bq_log(level, "%.*s", BQ_STR_ARG(text));
    return 0;
}

static int l_log_enabled(lua_State *L)
{
    lua_pushboolean(L, bq_log_enabled(check_level(L, 1)));
    return 1;
}

/* report(req, text): an error line that names the request's route */
static int l_report(lua_State *L)
{
    struct bq_call *call = bq_request_find_call(L, lua_touserdata(L, lua_upvalueindex(1)), 1);
    const char *text = luaL_checkstring(L, 2);
    if (call)
        bq_failure_log(call, text);
    else
        bq_error("%s", text);
    return 0;
}

static int l_describe(lua_State *L)
{
    luaL_checkany(L, 1);
    bq_describe(L, 1);
    return 1;
}

/* --- values ------------------------------------------------------------------------------- */

static int l_reason(lua_State *L)
{
    const char *reason = bq_status_reason((int)luaL_checkinteger(L, 1));
    lua_pushstring(L, *reason ? reason : "Error");
    return 1;
}

/* parse_size("64k" or 65536) -> bytes or nil */
static int l_parse_size(lua_State *L)
{
    uint64_t bytes;
    if (lua_type(L, 1) == LUA_TNUMBER) {
        double n = lua_tonumber(L, 1);
        if (n >= 0 && n <= 9007199254740992.0 && n == (double)(uint64_t)n)
            lua_pushvalue(L, 1);
        else
            lua_pushnil(L);
        return 1;
    }
    if (lua_type(L, 1) == LUA_TSTRING && bq_quantity_bytes(check_str(L, 1), &bytes) == BQ_OK)
        lua_pushnumber(L, (double)bytes);
    else
        lua_pushnil(L);
    return 1;
}

static int l_json_encode(lua_State *L)
{
    struct bq_encode_error why;
    luaL_checkany(L, 1);
    struct bq_buf *buf = push_buffer(L);
    int rc = bq_encode(L, 1, buf, &why);
    check_rc(L, rc);
    if (rc != BQ_OK)
        luaL_error(L, "%s", why.text);
    lua_pushlstring(L, buf->data ? buf->data : "", buf->len);
    return 1;
}

/* --- cookies ------------------------------------------------------------------------------ */

static bq_str string_option(lua_State *L, const char *name, bq_str missing)
{
    bq_str s = missing;
    lua_getfield(L, 3, name);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "set_cookie: %s is a string, not a %s", name, luaL_typename(L, -1));
        s.p = lua_tolstring(L, -1, &s.n); /* anchored in the options */
    }
    lua_pop(L, 1);
    return s;
}

static int64_t seconds_option(lua_State *L, const char *name)
{
    int64_t seconds = INT64_MIN;
    lua_getfield(L, 3, name);
    if (!lua_isnil(L, -1)) {
        lua_Number n = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(n >= -9e15 && n <= 9e15))
            luaL_error(L, "set_cookie: %s is a number of seconds, not a %s", name,
                       luaL_typename(L, -1));
        seconds = (int64_t)n;
    }
    lua_pop(L, 1);
    return seconds;
}

static bool flag_option(lua_State *L, const char *name, bool missing)
{
    lua_getfield(L, 3, name);
    bool flag = lua_isnil(L, -1) ? missing : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static enum bq_same_site same_site_option(lua_State *L)
{
    bq_str text = string_option(L, "same_site", BQ_STR("lax"));
    if (bq_str_eq_nocase(text, BQ_STR("lax")))
        return BQ_SAME_SITE_LAX;
    if (bq_str_eq_nocase(text, BQ_STR("strict")))
        return BQ_SAME_SITE_STRICT;
    if (!bq_str_eq_nocase(text, BQ_STR("none")))
        luaL_error(L, "set_cookie: same_site is \"lax\", \"strict\" or \"none\", not \"%s\"",
                   text.p);
    return BQ_SAME_SITE_NONE;
}

static void check_cookie_options(lua_State *L)
{
    static const char *const known[] = {"path",      "domain",      "max_age",
                                        "expires",   "secure",      "http_only",
                                        "same_site", "partitioned", NULL};
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool found = false;
        for (int i = 0; known[i]; i++)
            found = found || bq_str_eq(bq_str_cstr(known[i]), bq_str_cstr(name));
        if (!found)
            luaL_error(L,
                       "set_cookie: unknown option \"%s\" (there is domain, expires, http_only, "
                       "max_age, partitioned, path, same_site, secure)",
                       name);
    }
}

/* set_cookie(name, value, options?) -> field or nil, why */
static int l_set_cookie(lua_State *L)
{
    const char *why = NULL;
    struct bq_set_cookie c = {.name = check_str(L, 1), .value = check_str(L, 2)};
    if (lua_isnoneornil(L, 3)) {
        lua_settop(L, 2);
        lua_newtable(L);
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    check_cookie_options(L);
    c.path = string_option(L, "path", BQ_STR("/"));
    c.domain = string_option(L, "domain", BQ_STR(""));
    c.max_age_s = seconds_option(L, "max_age");
    c.expires_s = seconds_option(L, "expires");
    c.secure = flag_option(L, "secure", false);
    c.http_only = flag_option(L, "http_only", true);
    c.partitioned = flag_option(L, "partitioned", false);
    c.same_site = same_site_option(L);
    struct bq_buf *buf = push_buffer(L);
    int rc = bq_set_cookie_write(buf, &c, &why);
    check_rc(L, rc);
    if (rc != BQ_OK)
        return fail(L, why);
    lua_pushlstring(L, buf->data, buf->len);
    return 1;
}

/* --- URLs --------------------------------------------------------------------------------- */

/* Leaves the text of the value at index on the stack: numbers in full digits. */
static bq_str push_text(lua_State *L, int index)
{
    bq_str s = BQ_STR("");
    if (lua_type(L, index) == LUA_TNUMBER) {
        struct bq_buf *buf = push_buffer(L);
        if (bq_json_write_number(buf, lua_tonumber(L, index)) != BQ_OK)
            luaL_error(L, "not a finite number");
        lua_pushlstring(L, buf->data, buf->len);
        lua_remove(L, -2);
    } else if (lua_type(L, index) == LUA_TBOOLEAN) {
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
    } else if (lua_type(L, index) == LUA_TSTRING) {
        lua_pushvalue(L, index);
    } else {
        luaL_error(L, "a string, number or boolean expected, got a %s", luaL_typename(L, index));
    }
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

/* Leaves the values' texts on the stack, in the pattern's order. False: one is missing, its name
 * is in why. */
static bool collect_values(lua_State *L, const struct bq_pattern *p, bq_str *values, size_t *n,
                           char why[static 256])
{
    for (size_t i = 0; i < p->count; i++) {
        if (!p->parts[i].is_param)
            continue;
        lua_pushlstring(L, p->parts[i].text.p, p->parts[i].text.n);
        lua_rawget(L, 2);
        if (lua_isnil(L, -1)) {
            snprintf(why, 256, "no value for {%.*s}", BQ_STR_ARG(p->parts[i].text));
            return false;
        }
        values[(*n)++] = push_text(L, lua_gettop(L));
    }
    return true;
}

static bool has_only_params(lua_State *L, const struct bq_pattern *p, char why[static 256])
{
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        bool found = false;
        bq_str name = BQ_STR("?");
        if (lua_type(L, -2) == LUA_TSTRING)
            name.p = lua_tolstring(L, -2, &name.n);
        for (size_t i = 0; i < p->count; i++)
            found = found || (p->parts[i].is_param && bq_str_eq(p->parts[i].text, name));
        if (!found) {
            snprintf(why, 256, "the path has no {%.*s}", BQ_STR_ARG(name));
            return false;
        }
    }
    return true;
}

/* build_path(pattern, params) -> path or nil, why */
static int l_build_path(lua_State *L)
{
    char why[256];
    struct bq_pattern pattern;
    bq_str values[BQ_ROUTE_PARAMS_MAX];
    size_t n = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checkstack(L, 2 * BQ_ROUTE_PARAMS_MAX + 8, "parameters");
    if (bq_pattern_parse(&pattern, check_str(L, 1), why) != BQ_OK)
        return fail(L, why);
    if (!has_only_params(L, &pattern, why) || !collect_values(L, &pattern, values, &n, why))
        return fail(L, why);
    struct bq_buf *buf = push_buffer(L);
    int rc = bq_pattern_build(buf, &pattern, values, n);
    check_rc(L, rc);
    if (rc != BQ_OK)
        return fail(L, "a value does not fit its parameter (empty, \".\", \"..\", or refused by "
                       "the converter)");
    lua_pushlstring(L, buf->data, buf->len);
    return 1;
}

static void add_pair(lua_State *L, struct bq_buf *buf, bq_str name, int value)
{
    bq_str text = push_text(L, value);
    if (buf->len)
        check_rc(L, bq_buf_push(buf, '&'));
    check_rc(L, bq_percent_encode(buf, name));
    check_rc(L, bq_buf_push(buf, '='));
    check_rc(L, bq_percent_encode(buf, text));
    lua_pop(L, 1);
}

static void add_pairs(lua_State *L, struct bq_buf *buf, int key)
{
    bq_str name = push_text(L, key);
    int value = key + 1;
    if (!lua_istable(L, value)) {
        add_pair(L, buf, name, value);
    } else {
        for (int i = 1; i <= (int)lua_objlen(L, value); i++) {
            lua_rawgeti(L, value, i);
            add_pair(L, buf, name, lua_gettop(L));
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

/* build_query(table, names): the table's pairs in the order of names */
static int l_build_query(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct bq_buf *buf = push_buffer(L);
    for (int i = 1; i <= (int)lua_objlen(L, 2); i++) {
        lua_rawgeti(L, 2, i);
        int key = lua_gettop(L);
        lua_pushvalue(L, key);
        lua_rawget(L, 1);
        add_pairs(L, buf, key);
        lua_settop(L, key - 1);
    }
    lua_pushlstring(L, buf->data ? buf->data : "", buf->len);
    return 1;
}

/* --- schemas ------------------------------------------------------------------------------ */

static const struct bq_schema *check_schema(lua_State *L, struct bq_app *app)
{
    char why[512];
    luaL_checktype(L, 1, LUA_TTABLE);
    const struct bq_schema *schema = bq_schema_compile(L, &app->schemas, 1, why);
    if (!schema)
        luaL_error(L, "%s", why);
    return schema;
}

/* Pushes the problems as an array of tables. */
static void push_problems(lua_State *L, const struct bq_invalid *invalid)
{
    struct bq_json_error why;
    struct bq_buf *text = push_buffer(L);
    check_rc(L, bq_buf_push(text, '['));
    check_rc(L, bq_buf_append(text, bq_buf_str(&invalid->json)));
    check_rc(L, bq_buf_push(text, ']'));
    if (invalid->json.failed || bq_decode(L, bq_buf_str(text), &why) != BQ_OK)
        luaL_error(L, "not enough memory");
    lua_remove(L, -2); /* the text */
}

static int l_invalid_gc(lua_State *L)
{
    bq_invalid_release(lua_touserdata(L, 1));
    return 0;
}

/* A list of its own for each call: the check of one schema may ask another. */
static struct bq_invalid *push_invalid(lua_State *L)
{
    struct bq_invalid *invalid = lua_newuserdata(L, sizeof *invalid);
    bq_invalid_init(invalid);
    luaL_getmetatable(L, "barq.invalid");
    lua_setmetatable(L, -2);
    return invalid;
}

/* schema_check(node, value) -> checked, or nil, problems */
static int l_schema_check(lua_State *L)
{
    const struct bq_schema *schema = check_schema(L, lua_touserdata(L, lua_upvalueindex(1)));
    lua_settop(L, 2);
    struct bq_invalid *invalid = push_invalid(L);
    bq_schema_read_value(L, schema, 2, invalid);
    if (invalid->count == 0)
        return 1;
    lua_pushnil(L);
    push_problems(L, invalid);
    return 2;
}

/* schema_encode(node, value) -> JSON text */
static int l_schema_encode(lua_State *L)
{
    struct bq_encode_error why;
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    const struct bq_schema *schema = check_schema(L, app);
    lua_settop(L, 2);
    struct bq_buf *buf = push_buffer(L);
    int rc = bq_write_value(app->vm, L, schema, 2, buf, &why);
    check_rc(L, rc);
    if (rc != BQ_OK)
        luaL_error(L, "%s", why.text);
    lua_pushlstring(L, buf->data ? buf->data : "", buf->len);
    return 1;
}

/* --- the module --------------------------------------------------------------------------- */

static const luaL_Reg functions[] = {
    {"build_path", l_build_path},
    {"schema_check", l_schema_check},
    {"schema_encode", l_schema_encode},
    {"build_query", l_build_query},
    {"describe", l_describe},
    {"end_open", bq_opening_l_end},
    {"json_encode", l_json_encode},
    {"log", l_log},
    {"log_enabled", l_log_enabled},
    {"monotonic", l_monotonic},
    {"now", l_now},
    {"parse_size", l_parse_size},
    {"reason", l_reason},
    {"report", l_report},
    {"rest", bq_spawn_rest},
    {"set_cookie", l_set_cookie},
    {"spawn", bq_spawn},
    {NULL, NULL},
};

static void open_collected(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

/* Pushes the module, with the functions. */
static void begin_module(lua_State *L, const luaL_Reg *f, struct bq_app *app)
{
    open_collected(L, "barq.buffer", l_buffer_gc);
    open_collected(L, "barq.invalid", l_invalid_gc);
    bq_decode_open(L);
    lua_newtable(L);
    for (; f->name; f++) {
        lua_pushlightuserdata(L, app);
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -2, f->name);
    }
}

/* Pops it. */
static void end_module(lua_State *L)
{
    bq_encode_open(L);
    lua_setfield(L, -3, "object");
    lua_setfield(L, -2, "array");
    bq_null_push(L);
    lua_setfield(L, -2, "null");
    luaL_findtable(L, LUA_REGISTRYINDEX, "_LOADED", 1); /* package.loaded */
    lua_insert(L, -2);
    lua_setfield(L, -2, "barq.core");
    lua_pop(L, 1);
}

void bq_core_open(lua_State *L, struct bq_app *app)
{
    begin_module(L, functions, app);
    lua_pushlightuserdata(L, app);
    lua_pushcclosure(L, bq_dispatch_enter, 1);
    bq_task_wrap(L);
    lua_setfield(L, -2, "enter");
    lua_pushlightuserdata(L, app);
    lua_pushcclosure(L, bq_opening_l_begin, 1);
    bq_task_wrap(L);
    lua_setfield(L, -2, "begin_open");
    bq_task_open_functions(L);
    bq_awaited_push(L);
    lua_setfield(L, -2, "awaited");
    lua_pushstring(L, app->env.version);
    lua_setfield(L, -2, "version");
    lua_pushinteger(L, (lua_Integer)app->env.worker);
    lua_setfield(L, -2, "worker");
    end_module(L);
}

/* --- without an application --------------------------------------------------------------- */

static const luaL_Reg aside[] = {
    {"log", l_log},
    {"log_enabled", l_log_enabled},
    {"now", l_now},
    {"schema_check", l_schema_check},
    {"schema_encode", l_schema_encode},
    {NULL, NULL},
};

static int l_aside_gc(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, 1);
    bq_schemas_release(&app->schemas);
    return 0;
}

/* An application that has nothing but its VM and schemas, and lives as long as the state. */
static struct bq_app *new_aside(lua_State *L)
{
    open_collected(L, "barq.aside", l_aside_gc);
    struct bq_app *app = lua_newuserdata(L, sizeof *app);
    memset(app, 0, sizeof *app);
    app->vm = bq_vm_of(L);
    bq_schemas_init(L, &app->schemas);
    luaL_getmetatable(L, "barq.aside");
    lua_setmetatable(L, -2);
    luaL_ref(L, LUA_REGISTRYINDEX);
    return app;
}

void bq_app_open_aside(lua_State *L)
{
    begin_module(L, aside, new_aside(L));
    end_module(L);
}
