/* reply.c: reads a handler's results and hands them to the sink. */
#include "app/reply.h"

#include "app/quick.h"
#include "app/reply_rows.h"
#include "app/schema.h"
#include "base/rc.h"
#include "http/h1_write.h"
#include "vm/raw.h"

#include <stdio.h>
#include <string.h>

#define HEADER_FIELDS_MAX 256

static int read_status(lua_State *L, int index, int *status, char error[static 512])
{
    lua_Number n = lua_tonumber(L, index);
    if (lua_type(L, index) == LUA_TNUMBER && n >= 200 && n <= 599 && n == (int)n) {
        *status = (int)n;
        return BQ_OK;
    }
    if (lua_type(L, index) == LUA_TNUMBER)
        snprintf(error, 512, "the status is an integer from 200 to 599, not %.14g", n);
    else
        snprintf(error, 512, "the status is an integer from 200 to 599, not a %s",
                 lua_typename(L, lua_type(L, index)));
    return BQ_INVALID;
}

/* Encodes the value at index, by the schema if there is one. */
static int encode_body(struct bq_call *call, int index, const struct bq_schema *schema,
                       struct bq_response *out, char error[static 512])
{
    struct bq_buf *body = &call->app->body;
    struct bq_encode_error why;
    bq_buf_reset(body);
    int rc = bq_write_value(call->app->vm, call->task->L, schema, index, body, &why);
    if (rc == BQ_INVALID)
        snprintf(error, 512, "the answer cannot be sent as JSON: %s", why.text);
    if (rc == BQ_OK)
        out->body = bq_buf_str(body);
    return rc;
}

/* --- Response objects -------------------------------------------------------------------- */

struct response_reading {
    struct bq_call *call;
    struct bq_response *out;
    char *error;
    struct bq_field *fields;
    size_t count;
    int rc;
};

static bq_str string_at(lua_State *L, int index)
{
    bq_str s;
    s.p = lua_tolstring(L, index, &s.n);
    return s;
}

/* The header value on top: a string of the Response's own, or a number's digits in the arena. */
static int header_value(struct response_reading *r, lua_State *L, bq_str *value)
{
    char digits[32];
    if (lua_type(L, -1) == LUA_TSTRING) {
        *value = string_at(L, -1);
        return BQ_OK;
    }
    if (lua_type(L, -1) != LUA_TNUMBER)
        return BQ_INVALID;
    lua_Number n = lua_tonumber(L, -1);
    bool whole = n >= -9007199254740992.0 && n <= 9007199254740992.0 && n == (double)(int64_t)n;
    int len = whole ? snprintf(digits, sizeof digits, "%lld", (long long)n)
                    : snprintf(digits, sizeof digits, "%.17g", n);
    *value = bq_arena_dup(&r->call->ex->arena, bq_str_of(digits, (size_t)len));
    return value->p ? BQ_OK : BQ_MEMORY;
}

static int add_header(struct response_reading *r, lua_State *L, bq_str name)
{
    bq_str value;
    int rc = header_value(r, L, &value);
    if (rc == BQ_INVALID) {
        snprintf(r->error, 512, "header \"%.*s\" is a %s, not a string", BQ_STR_ARG(name),
                 luaL_typename(L, -1));
        return rc;
    }
    if (rc == BQ_OK && bq_field_check(name, value) != BQ_OK) {
        snprintf(r->error, 512,
                 "header \"%.*s\" cannot be sent: its name is no token, or it holds a control "
                 "character",
                 (int)(name.n < 100 ? name.n : 100), name.p);
        return BQ_INVALID;
    }
    if (rc == BQ_OK && r->count == HEADER_FIELDS_MAX) {
        snprintf(r->error, 512, "more than %d header fields", HEADER_FIELDS_MAX);
        return BQ_INVALID;
    }
    if (rc != BQ_OK)
        return rc;
    if (bq_str_eq_nocase(name, BQ_STR("content-type")))
        r->out->content_type = value;
    else
        r->fields[r->count++] = (struct bq_field){name, value};
    return BQ_OK;
}

/* The value on top for that name: one field, or an array of them. */
static int add_headers(struct response_reading *r, lua_State *L, bq_str name)
{
    int rc = BQ_OK;
    if (!lua_istable(L, -1))
        return add_header(r, L, name);
    int n = (int)lua_objlen(L, -1);
    for (int i = 1; i <= n && rc == BQ_OK; i++) {
        lua_rawgeti(L, -1, i);
        rc = add_header(r, L, name);
        lua_pop(L, 1);
    }
    return rc;
}

static int read_headers(struct response_reading *r, lua_State *L)
{
    int rc = BQ_OK;
    lua_getfield(L, 1, "headers");
    if (!lua_istable(L, -1)) {
        snprintf(r->error, 512, "the Response's headers are a %s, not a table",
                 luaL_typename(L, -1));
        return BQ_INVALID;
    }
    r->fields = bq_arena_alloc(&r->call->ex->arena, HEADER_FIELDS_MAX * sizeof *r->fields);
    if (!r->fields)
        return BQ_MEMORY;
    for (lua_pushnil(L); rc == BQ_OK && lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            snprintf(r->error, 512, "a header's name is a string, not a %s", luaL_typename(L, -2));
            return BQ_INVALID;
        }
        rc = add_headers(r, L, string_at(L, -2));
    }
    r->out->fields = r->fields;
    r->out->field_count = r->count;
    return rc;
}

/* With the Response at 1: everything that may need memory of Lua's; its body is the result.
 * The strings stay anchored in it, and it stays on the task's stack. */
static int read_response(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    struct response_reading *r = app->reading;
    lua_getfield(L, 1, "status");
    r->rc = read_status(L, -1, &r->out->status, r->error);
    if (r->rc == BQ_OK)
        r->rc = read_headers(r, L);
    lua_getfield(L, 1, "body");
    return 1;
}

/* The body at 2. */
static int read_response_body(struct bq_call *call, struct bq_response *out, char error[static 512])
{
    lua_State *L = call->task->L;
    int type = lua_type(L, 2);
    if (type == LUA_TNIL)
        return BQ_OK;
    if (!out->content_type.n)
        out->content_type = type == LUA_TSTRING ? BQ_TYPE_TEXT : BQ_TYPE_JSON;
    if (type != LUA_TSTRING)
        return encode_body(call, 2, NULL, out, error);
    out->body = string_at(L, 2);
    return BQ_OK;
}

/* Neither memory nor the Response itself: a hook or a finaliser of the application raised. */
static int explain_failure(lua_State *L, int rc, char error[static 512])
{
    if (rc == LUA_ERRMEM)
        return BQ_MEMORY;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error object";
    snprintf(error, 512, "the Response cannot be read: %s", text);
    return BQ_INVALID;
}

/* status is the handler's second result, or 0. */
static int read_object(struct bq_call *call, int status, struct bq_response *out,
                       char error[static 512])
{
    lua_State *L = call->task->L;
    struct response_reading r = {call, out, error, NULL, 0, BQ_OK};
    lua_settop(L, 1);
    call->app->reading = &r;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.read_response);
    lua_pushvalue(L, 1);
    int rc = lua_pcall(L, 1, 1, 0);
    if (rc != 0)
        return explain_failure(L, rc, error);
    if (status)
        out->status = status;
    return r.rc == BQ_OK ? read_response_body(call, out, error) : r.rc;
}

void bq_reply_open(lua_State *L, struct bq_app *app)
{
    lua_pushlightuserdata(L, app);
    lua_pushcclosure(L, read_response, 1);
    app->refs.read_response = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* --- results ----------------------------------------------------------------------------- */

static bool is_response(lua_State *L, const struct bq_app *app)
{
    if (!lua_getmetatable(L, 1))
        return false;
    bool same = lua_topointer(L, -1) == app->response_class;
    lua_pop(L, 1);
    return same;
}

/* The schema that the result must fit: the declared one speaks of successes. */
static const struct bq_schema *returns_schema(const struct bq_call *call, int status)
{
    return call->route && status < 400 ? call->route->returns : NULL;
}

static int read_value(struct bq_call *call, int type, int status, struct bq_response *out,
                      char error[static 512])
{
    lua_State *L = call->task->L;
    const struct bq_schema *schema = returns_schema(call, status);
    out->status = status ? status : 200;
    if (!schema && type == LUA_TSTRING) {
        out->content_type = BQ_TYPE_TEXT;
        out->body = string_at(L, 1);
        return BQ_OK;
    }
    out->content_type = BQ_TYPE_JSON;
    return encode_body(call, 1, schema, out, error);
}

static void push_tables(lua_State *L, void *arg)
{
    struct bq_task *task = arg;
    task->rows->push(task->rows, L);
    lua_xmove(L, task->L, 1);
}

/* Rows are written as they are, or become tables, which are on the stack then. False: the latter.
 */
static bool read_rows(struct bq_call *call, struct bq_response *out, int *rc)
{
    struct bq_task *task = call->task;
    struct bq_buf *body = &call->app->body;
    int status = call->route->status ? call->route->status : 200;
    bq_buf_reset(body);
    *rc = bq_rows_write(task->rows, returns_schema(call, status), body);
    if (*rc == BQ_CONFLICT)
        *rc = bq_vm_protect(task->vm, push_tables, task) == BQ_OK ? BQ_CONFLICT : BQ_MEMORY;
    task->rows->release(task->rows);
    task->rows = NULL;
    if (*rc == BQ_CONFLICT) {
        lua_replace(task->L, 1);
        return false;
    }
    *out = (struct bq_response){
        .status = status, .content_type = BQ_TYPE_JSON, .body = bq_buf_str(body)};
    return true;
}

/* Whether the one result is a string or a plain table, as nearly all are. Where values lie
 * otherwise than raw.h says, none is. */
static bool is_plain(const struct bq_task *task, int *type)
{
    if (!task->vm->raw_null || bq_raw_count(task->L) != 1)
        return false;
    bq_raw v = bq_raw_top(task->L);
    *type = bq_raw_tag(v) == BQ_RAW_STRING ? LUA_TSTRING : LUA_TTABLE;
    return *type == LUA_TSTRING || (bq_raw_tag(v) == BQ_RAW_TABLE &&
                                    !((const struct bq_raw_table *)bq_raw_address(v))->metatable);
}

int bq_reply_read(struct bq_call *call, struct bq_response *out, char error[static 512])
{
    lua_State *L = call->task->L;
    int declared = call->route ? call->route->status : 0;
    int given = 0;
    int rows_rc, type;
    if (call->task->rows && read_rows(call, out, &rows_rc))
        return rows_rc;
    *out = (struct bq_response){.status = 200};
    if (is_plain(call->task, &type))
        return read_value(call, type, declared, out, error);
    int count = lua_gettop(L);
    type = lua_type(L, 1);
    if (count >= 2 && !lua_isnil(L, 2)) {
        int rc = read_status(L, 2, &given, error);
        if (rc != BQ_OK)
            return rc;
    }
    if (type == LUA_TTABLE && is_response(L, call->app))
        return read_object(call, given, out, error);
    int status = given ? given : declared;
    if ((type == LUA_TNONE || type == LUA_TNIL) && (given || !returns_schema(call, status))) {
        out->status = status ? status : 204;
        return BQ_OK;
    }
    if (count != 1)
        lua_settop(L, 1);
    return read_value(call, type, status, out, error);
}

/* --- below middleware --------------------------------------------------------------------- */

struct keeping {
    struct bq_call *call;
    bq_str text;
};

static void push_text(lua_State *L, void *arg)
{
    struct keeping *k = arg;
    lua_pushlstring(L, k->text.p, k->text.n);
    bq_value_set(L, k->call, BQ_VALUE_SECOND);
}

/* What the route declares is encoded here, so that a mismatch is found before anything is
 * committed. */
static int keep_encoded(struct bq_call *call, char error[static 512])
{
    lua_State *L = call->task->L;
    struct bq_response response;
    int rc = bq_reply_read(call, &response, error);
    if (rc != BQ_OK)
        return rc;
    struct keeping keeping = {call, response.body};
    if (bq_vm_protect(call->app->vm, push_text, &keeping) != BQ_OK)
        return BQ_MEMORY;
    lua_pushinteger(L, response.status);
    bq_value_set(L, call, BQ_VALUE_THIRD);
    lua_pushinteger(L, 1); /* a number: SECOND is JSON already */
    bq_value_set(L, call, BQ_VALUE_FIRST);
    return BQ_OK;
}

int bq_reply_keep(struct bq_call *call, char error[static 512])
{
    lua_State *L = call->task->L;
    bool plain = !call->route->returns || (lua_istable(L, 1) && is_response(L, call->app)) ||
                 (lua_gettop(L) >= 2 && (lua_isnil(L, 1) || lua_tonumber(L, 2) >= 400));
    if (!plain)
        return keep_encoded(call, error);
    lua_settop(L, 2);
    bq_value_set(L, call, BQ_VALUE_THIRD);
    bq_value_set(L, call, BQ_VALUE_SECOND);
    lua_pushboolean(L, 1);
    bq_value_set(L, call, BQ_VALUE_FIRST);
    return BQ_OK;
}
