/* request.c: the fields and methods of req, made when they are asked for. */
#include "app/request.h"

#include "app/after.h"
#include "app/decode.h"
#include "app/input.h"
#include "base/rc.h"
#include "http/decode.h"
#include "http/request_id.h"

#include <stdio.h>
#include <string.h>

/* Fields by number: what the metatable's list of names leads to. */
enum field {
    FIELD_BODY = 1,
    FIELD_COOKIES,
    FIELD_HEADERS,
    FIELD_HOST,
    FIELD_ID,
    FIELD_IP,
    FIELD_METHOD,
    FIELD_PARAMS,
    FIELD_PATH,
    FIELD_QUERY,
    FIELD_ROUTE,
    FIELD_SCHEME,
    FIELD_TARGET,
    FIELD_TRACEPARENT,
    FIELD_TRAILERS,
    FIELD_VERSION,
};

static const struct {
    const char *name;
    enum field field;
} fields[] = {
    {"body", FIELD_BODY},
    {"cookies", FIELD_COOKIES},
    {"headers", FIELD_HEADERS},
    {"host", FIELD_HOST},
    {"id", FIELD_ID},
    {"ip", FIELD_IP},
    {"method", FIELD_METHOD},
    {"params", FIELD_PARAMS},
    {"path", FIELD_PATH},
    {"query", FIELD_QUERY},
    {"route", FIELD_ROUTE},
    {"scheme", FIELD_SCHEME},
    {"target", FIELD_TARGET},
    {"traceparent", FIELD_TRACEPARENT},
    {"trailers", FIELD_TRAILERS},
    {"version", FIELD_VERSION},
};

static void push_str(lua_State *L, bq_str s)
{
    lua_pushlstring(L, s.p ? s.p : "", s.n);
}

/* --- finding the call behind a req -------------------------------------------------------- */

struct bq_call *bq_request_find_call(lua_State *L, struct bq_app *app, int index)
{
    if (!lua_istable(L, index))
        return NULL;
    lua_rawgeti(L, index, 1);
    double handle = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return bq_handle_find(&app->handles, handle);
}

struct bq_call *bq_request_check(lua_State *L, struct bq_app *app, int index)
{
    struct bq_call *call = bq_request_find_call(L, app, index);
    if (!call && !lua_istable(L, index))
        luaL_argerror(L, index, "a request expected (call its methods with a colon: req:json())");
    if (!call)
        luaL_error(L, "this request has been answered: what is needed of it later "
                      "must be read before the handler returns");
    return call;
}

static struct bq_call *check_self(lua_State *L)
{
    return bq_request_check(L, lua_touserdata(L, lua_upvalueindex(1)), 1);
}

/* barq.abort(status, detail): raises. */
static int raise_abort(lua_State *L, struct bq_app *app, int status, const char *detail)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, app->refs.abort);
    lua_pushinteger(L, status);
    lua_pushstring(L, detail);
    lua_call(L, 2, 0);
    return 0;
}

/* --- query, form and cookies -------------------------------------------------------------- */

/* Decodes one half of a pair onto the stack; a broken encoding is the client's mistake. */
static void push_decoded(lua_State *L, struct bq_call *call, bq_str raw)
{
    bq_str text;
    int rc = bq_percent_decode(&call->ex->arena, raw, true, &text);
    if (rc == BQ_INVALID)
        raise_abort(L, call->app, 400, "a percent sign without two hexadecimal digits behind it");
    if (rc == BQ_MEMORY)
        luaL_error(L, "not enough memory");
    push_str(L, text);
}

/* A table of name -> value; of a repeated name the last. */
static void push_pairs(lua_State *L, struct bq_call *call, bq_str text)
{
    bq_str name, value;
    lua_newtable(L);
    while (bq_query_next(&text, &name, &value)) {
        push_decoded(L, call, name);
        push_decoded(L, call, value);
        lua_rawset(L, -3);
    }
}

/* An array of the values of one name. */
static void push_all(lua_State *L, struct bq_call *call, bq_str text, int wanted)
{
    bq_str name, value;
    int n = 0;
    lua_newtable(L);
    while (bq_query_next(&text, &name, &value)) {
        push_decoded(L, call, name);
        bool same = lua_rawequal(L, -1, wanted);
        lua_pop(L, 1);
        if (same) {
            push_decoded(L, call, value);
            lua_rawseti(L, -2, ++n);
        }
    }
}

/* Of a repeated cookie the first, which is the one with the longest path (RFC 6265, 5.4). */
static void push_cookies(lua_State *L, const struct bq_request *r)
{
    lua_newtable(L);
    for (size_t i = 0; i < r->field_count; i++) {
        bq_str rest = r->fields[i].value, name, value;
        if (!bq_str_eq_nocase(r->fields[i].name, BQ_STR("cookie")))
            continue;
        while (bq_cookie_next(&rest, &name, &value)) {
            push_str(L, name);
            lua_pushvalue(L, -1);
            lua_rawget(L, -3);
            bool absent = lua_isnil(L, -1);
            lua_pop(L, 1);
            if (absent) {
                push_str(L, value);
                lua_rawset(L, -3);
            } else {
                lua_pop(L, 1);
            }
        }
    }
}

/* --- header fields ------------------------------------------------------------------------ */

/* Whether a header's name is the one asked for, where "_" may stand for "-". */
static bool name_matches(bq_str name, bq_str wanted)
{
    if (name.n != wanted.n)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = bq_lower(name.p[i]), w = bq_lower(wanted.p[i]);
        if (c != w && !(w == '_' && c == '-'))
            return false;
    }
    return true;
}

/* Pushes the values of that name, joined as RFC 9110, section 5.3 allows, or nil. */
static void push_header(lua_State *L, const struct bq_field *list, size_t count, bq_str wanted)
{
    const char *separator = name_matches(BQ_STR("cookie"), wanted) ? "; " : ", ";
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!name_matches(list[i].name, wanted))
            continue;
        if (found)
            lua_pushstring(L, separator);
        push_str(L, list[i].value);
        if (found++)
            lua_concat(L, 3);
    }
    if (!found)
        lua_pushnil(L);
}

/* req.headers[name]: what is found is kept in the table. */
static int l_headers_index(lua_State *L)
{
    struct bq_call *call = check_self(L);
    bq_str wanted;
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    wanted.p = lua_tolstring(L, 2, &wanted.n);
    push_header(L, call->ex->request.fields, call->ex->request.field_count, wanted);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

static void push_handle_table(lua_State *L, struct bq_call *call, int metatable)
{
    lua_createtable(L, 1, 2);
    lua_pushnumber(L, call->handle);
    lua_rawseti(L, -2, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, metatable);
    lua_setmetatable(L, -2);
}

void bq_request_push_headers(lua_State *L, struct bq_call *call)
{
    push_handle_table(L, call, call->app->refs.headers_class);
}

static void push_lower(lua_State *L, bq_str name)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < name.n; i++)
        luaL_addchar(&b, bq_lower(name.p[i]));
    luaL_pushresult(&b);
}

/* An array of { name in lower case, value }, in the order received. */
static void push_field_list(lua_State *L, const struct bq_field *list, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 2, 0);
        push_lower(L, list[i].name);
        lua_rawseti(L, -2, 1);
        push_str(L, list[i].value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* --- the fields of req -------------------------------------------------------------------- */

static void push_param(lua_State *L, const struct bq_param *p)
{
    if (p->converter == BQ_CONV_INT)
        lua_pushnumber(L, (lua_Number)p->number);
    else
        push_str(L, p->value);
}

static void push_params(lua_State *L, const struct bq_call *call)
{
    size_t n = call->route ? call->route->param_count : 0;
    lua_createtable(L, 0, (int)n);
    for (size_t i = 0; i < n; i++) {
        push_str(L, call->route->params[i]);
        push_param(L, &call->match.params[i]);
        lua_rawset(L, -3);
    }
}

static void push_route(lua_State *L, const struct bq_route *route)
{
    if (!route) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 3);
    lua_pushstring(L, route->path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, route->place);
    lua_setfield(L, -2, "place");
    if (route->name) {
        lua_pushstring(L, route->name);
        lua_setfield(L, -2, "name");
    }
}

static void push_id(lua_State *L, struct bq_call *call)
{
    if (bq_request_id_set(call->ex, &call->app->ids) != BQ_OK)
        luaL_error(L, "not enough memory");
    push_str(L, call->ex->id);
}

static void push_traceparent(lua_State *L, const struct bq_exchange *ex)
{
    bq_str s = bq_traceparent_of(ex);
    if (s.n)
        push_str(L, s);
    else
        lua_pushnil(L);
}

static void push_peer(lua_State *L, const struct bq_exchange *ex)
{
    char text[64];
    lua_pushlstring(L, text, ex->sink->peer(ex, text));
}

/* A declared body is in req when it is there: a look behind that is for one that is absent. */
static void push_body(lua_State *L, const struct bq_call *call)
{
    if (call->input_read && call->route->input->body)
        lua_pushnil(L);
    else
        push_str(L, call->ex->body);
}

static void push_field(lua_State *L, struct bq_call *call, enum field field)
{
    const struct bq_request *r = &call->ex->request;
    switch (field) {
    case FIELD_BODY:
        push_body(L, call);
        break;
    case FIELD_COOKIES:
        push_cookies(L, r);
        break;
    case FIELD_HEADERS:
        bq_request_push_headers(L, call);
        break;
    case FIELD_HOST:
        push_str(L, r->host);
        break;
    case FIELD_ID:
        push_id(L, call);
        break;
    case FIELD_IP:
        push_peer(L, call->ex);
        break;
    case FIELD_METHOD:
        push_str(L, r->method_name);
        break;
    case FIELD_PARAMS:
        push_params(L, call);
        break;
    case FIELD_PATH:
        push_str(L, r->path);
        break;
    case FIELD_QUERY:
        push_pairs(L, call, r->query);
        break;
    case FIELD_ROUTE:
        push_route(L, call->route);
        break;
    case FIELD_SCHEME:
        push_str(L, call->ex->client ? call->ex->client->scheme : BQ_STR("http"));
        break;
    case FIELD_TARGET:
        push_str(L, r->target);
        break;
    case FIELD_TRACEPARENT:
        push_traceparent(L, call->ex);
        break;
    case FIELD_TRAILERS:
        push_field_list(L, r->trailers, r->trailer_count);
        break;
    case FIELD_VERSION:
        lua_pushstring(L, r->version_minor ? "1.1" : "1.0");
        break;
    }
}

/* req[key], missing in the table: upvalue 2 knows methods (functions) and fields (numbers).
 * A field that is made is kept. */
static int l_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    if (lua_type(L, 3) != LUA_TNUMBER)
        return 1;
    enum field field = (enum field)lua_tointeger(L, 3);
    push_field(L, check_self(L), field);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

/* --- the methods of req ------------------------------------------------------------------- */

static int l_json(lua_State *L)
{
    struct bq_call *call = check_self(L);
    struct bq_json_error why;
    char detail[160];
    if (bq_decode(L, call->ex->body, &why) == BQ_OK)
        return 1;
    snprintf(detail, sizeof detail, "malformed JSON at byte %zu: %s", why.offset, why.reason);
    return raise_abort(L, call->app, 400, detail);
}

static bool is_form(const struct bq_request *r)
{
    const struct bq_field *type = bq_request_find(r, BQ_STR("content-type"));
    if (!type)
        return true;
    bq_str media = type->value;
    media.n = bq_str_find(media, ';', 0);
    return bq_str_eq_nocase(bq_str_trim(media), BQ_STR("application/x-www-form-urlencoded"));
}

static void check_form(lua_State *L, struct bq_call *call)
{
    if (!is_form(&call->ex->request))
        raise_abort(L, call->app, 415, "application/x-www-form-urlencoded expected");
}

static int l_form(lua_State *L)
{
    struct bq_call *call = check_self(L);
    check_form(L, call);
    push_pairs(L, call, call->ex->body);
    return 1;
}

static int l_form_all(lua_State *L)
{
    struct bq_call *call = check_self(L);
    luaL_checkstring(L, 2);
    check_form(L, call);
    push_all(L, call, call->ex->body, 2);
    return 1;
}

static int l_query_all(lua_State *L)
{
    struct bq_call *call = check_self(L);
    luaL_checkstring(L, 2);
    push_all(L, call, call->ex->request.query, 2);
    return 1;
}

static int l_header_list(lua_State *L)
{
    struct bq_call *call = check_self(L);
    push_field_list(L, call->ex->request.fields, call->ex->request.field_count);
    return 1;
}

static int l_after(lua_State *L)
{
    bq_after_push(L, check_self(L));
    return 0;
}

static const luaL_Reg methods[] = {
    {"after", l_after}, {"form", l_form},           {"form_all", l_form_all},
    {"json", l_json},   {"query_all", l_query_all}, {"header_list", l_header_list},
    {NULL, NULL},
};

/* --- making it ---------------------------------------------------------------------------- */

static void push_members(lua_State *L, struct bq_app *app)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        lua_pushinteger(L, fields[i].field);
        lua_setfield(L, -2, fields[i].name);
    }
    for (const luaL_Reg *m = methods; m->name; m++) {
        lua_pushlightuserdata(L, app);
        lua_pushcclosure(L, m->func, 1);
        lua_setfield(L, -2, m->name);
    }
}

void bq_request_open(lua_State *L, struct bq_app *app)
{
    lua_newtable(L);
    lua_pushlightuserdata(L, app);
    push_members(L, app);
    lua_pushcclosure(L, l_index, 2);
    lua_setfield(L, -2, "__index");
    app->refs.request_class = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    lua_pushlightuserdata(L, app);
    lua_pushcclosure(L, l_headers_index, 1);
    lua_setfield(L, -2, "__index");
    app->refs.headers_class = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void push_bare(lua_State *L, struct bq_call *call)
{
    if (call->handle == BQ_HANDLE_NONE)
        call->handle = bq_handle_give(&call->app->handles, call);
    if (call->handle == BQ_HANDLE_NONE)
        luaL_error(L, "not enough memory");
    push_handle_table(L, call, call->app->refs.request_class);
}

void bq_request_push(lua_State *L, struct bq_call *call)
{
    push_bare(L, call);
    if (call->route && call->route->param_count) {
        lua_pushliteral(L, "params");
        push_params(L, call);
        lua_rawset(L, -3);
    }
}

void bq_request_push_own(lua_State *L, struct bq_call *call)
{
    if (call->values != LUA_NOREF)
        bq_value_push(L, call, BQ_VALUE_REQ);
    else
        bq_request_push(L, call);
}

void bq_request_push_unread(lua_State *L, struct bq_call *call)
{
    const struct bq_input *input = call->route->input;
    if (call->values == LUA_NOREF && !call->input_read && input && input->params)
        push_bare(L, call);
    else
        bq_request_push_own(L, call);
}
