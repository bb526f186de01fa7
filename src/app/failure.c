/* failure.c: errors on their way to an answer and to the log. */
#include "app/failure.h"

#include "app/decode.h"
#include "app/reply.h"
#include "app/request.h"
#include "base/log.h"
#include "base/rc.h"

#include <string.h>

void bq_failure_log(const struct bq_call *call, const char *text)
{
    const struct bq_app *app = call->app;
    const struct bq_request *r = &call->ex->request;
    if (app->report)
        app->report(app->report_arg, text);
    bq_str id = call->ex->id;
    const char *named = id.n ? ", request " : "";
    if (call->route)
        bq_error("%.*s %s (%s)%s%.*s: %s", BQ_STR_ARG(r->method_name), call->route->path,
                 call->route->place, named, BQ_STR_ARG(id), text);
    else
        bq_error("%.*s %.*s (no route)%s%.*s: %s", BQ_STR_ARG(r->method_name), BQ_STR_ARG(r->path),
                 named, BQ_STR_ARG(id), text);
}

void bq_describe(lua_State *L, int index)
{
    if (lua_isstring(L, index)) {
        lua_pushvalue(L, index);
        return;
    }
    const char *more = "";
    lua_pushvalue(L, index);
    if (luaL_getmetafield(L, -1, "__tostring")) {
        lua_pushvalue(L, -2);
        if (lua_pcall(L, 1, 1, 0) == 0 && lua_isstring(L, -1)) {
            lua_remove(L, -2);
            return;
        }
        lua_pop(L, 1);
        more = ", whose __tostring fails";
    }
    lua_pushfstring(L, "an error object that is a %s%s", luaL_typename(L, -1), more);
    lua_remove(L, -2);
}

void bq_failure_tell_close(struct bq_call *call)
{
    lua_State *L = call->app->vm->L;
    if (call->values == LUA_NOREF)
        return;
    bq_value_push(L, call, BQ_VALUE_ERROR);
    bool told = !lua_isnil(L, -1) && !lua_isboolean(L, -1);
    lua_pop(L, 1);
    if (told)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.plain_error);
    bq_value_set(L, call, BQ_VALUE_ERROR);
}

void bq_failure_memory(struct bq_call *call)
{
    bq_failure_tell_close(call);
    bq_failure_log(call, "not enough memory: see lua_memory_max");
    bq_reply_status(call, 500);
}

static bool is_memory_error(lua_State *L)
{
    return lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "not enough memory") == 0;
}

struct preparation {
    struct bq_call *call;
    struct bq_task *next;
};

static bool is_abort(lua_State *L, int index, const struct bq_app *app)
{
    return lua_getmetatable(L, index) && lua_topointer(L, -1) == app->abort_class;
}

/* Pushes the barq.Abort that says why the input is refused, or that the answer cannot be sent. */
static void push_refusal(lua_State *L, struct bq_call *call)
{
    struct bq_json_error why;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.new_abort);
    lua_pushinteger(L, call->status);
    if (call->detail.n == 0)
        lua_pushnil(L);
    else if (call->status != 422 || bq_decode(L, call->detail, &why) != BQ_OK)
        lua_pushlstring(L, call->detail.p, call->detail.n);
    lua_call(L, 2, 1);
}

/* Pushes the error and its traceback (nil for one that is expected). It is moved from the task, not
 * copied: after a stack overflow there is no room to push on it. */
static void push_error(lua_State *L, struct bq_call *call)
{
    lua_State *from = call->task->L;
    int error = lua_gettop(L) + 1;
    if (call->status)
        push_refusal(L, call);
    else
        lua_xmove(from, L, 1);
    if (is_abort(L, error, call->app)) {
        lua_settop(L, error);
        lua_pushnil(L);
        return;
    }
    lua_settop(L, error);
    bq_describe(L, error);
    luaL_traceback(L, from, lua_tostring(L, -1), 0);
    lua_remove(L, error + 1);
}

/* In development the coroutine that raised, for its locals; nil otherwise. */
static void push_thread(lua_State *L, struct bq_call *call)
{
    if (call->app->options.dev && !call->status)
        lua_rawgeti(L, LUA_REGISTRYINDEX, call->task->ref);
    else
        lua_pushnil(L);
}

/* Builds everything on the protected stack; only the finished values move to the task. */
static void build(lua_State *L, void *arg)
{
    struct preparation *p = arg;
    struct bq_call *call = p->call;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.respond);
    bq_request_push_own(L, call);
    push_error(L, call);
    if (call->values != LUA_NOREF) {
        lua_pushvalue(L, 3);
        bq_value_set(L, call, BQ_VALUE_ERROR);
    }
    push_thread(L, call);
    lua_xmove(L, p->next->L, 5);
}

/* Why an error did not get its description. */
static const char *undescribed(int rc)
{
    return rc == BQ_MEMORY ? "not enough memory: see lua_memory_max"
                           : "an error whose __tostring fails";
}

struct raised {
    struct bq_call *call;
    const char *what;
};

static void log_raised(lua_State *L, void *arg)
{
    struct raised *r = arg;
    lua_State *from = r->call->task->L;
    lua_xmove(from, L, 1);
    bq_describe(L, 1);
    luaL_traceback(L, from, lua_tostring(L, -1), 0);
    lua_pushfstring(L, "%s%s", r->what, lua_tostring(L, -1));
    bq_failure_log(r->call, lua_tostring(L, -1));
}

void bq_failure_log_raised(struct bq_call *call, const char *what)
{
    struct raised r = {call, what};
    int rc = bq_vm_protect(call->app->vm, log_raised, &r);
    if (rc != BQ_OK)
        bq_failure_log(call, undescribed(rc));
}

void bq_failure_set_plain(struct bq_call *call)
{
    lua_State *L = call->app->vm->L;
    bq_failure_tell_close(call);
    lua_pushboolean(L, 0);
    bq_value_set(L, call, BQ_VALUE_FIRST);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.plain_error);
    bq_value_set(L, call, BQ_VALUE_SECOND);
    lua_pushboolean(L, 0);
    bq_value_set(L, call, BQ_VALUE_THIRD);
}

static void keep(lua_State *L, void *arg)
{
    struct bq_call *call = arg;
    push_error(L, call);
    bq_value_set(L, call, BQ_VALUE_THIRD);
    lua_pushvalue(L, -1);
    bq_value_set(L, call, BQ_VALUE_ERROR);
    bq_value_set(L, call, BQ_VALUE_SECOND);
    lua_pushboolean(L, 0);
    bq_value_set(L, call, BQ_VALUE_FIRST);
}

void bq_failure_keep(struct bq_call *call)
{
    int rc = BQ_MEMORY;
    if (call->status || !is_memory_error(call->task->L))
        rc = bq_vm_protect(call->app->vm, keep, call);
    bq_failure_tell_close(call);
    if (rc == BQ_OK)
        return;
    bq_failure_log(call, undescribed(rc));
    bq_failure_set_plain(call);
}

bool bq_failure_has_voice(const struct bq_call *call)
{
    const struct bq_field *accept = bq_request_find(&call->ex->request, BQ_STR("accept"));
    return call->app->has_error_handlers ||
           (accept && memmem(accept->value.p, accept->value.n, "application/problem+json", 24));
}

struct bq_task *bq_failure_prepare(struct bq_call *call)
{
    struct bq_app *app = call->app;
    if (!call->status && is_memory_error(call->task->L)) {
        bq_failure_memory(call);
        return NULL;
    }
    if (call->failing) { /* the second error: of an error handler, or of what it returned */
        bq_failure_log_raised(call, "");
        bq_reply_status(call, 500);
        return NULL;
    }
    call->failing = true;
    struct preparation p = {call, bq_task_take(app->vm)};
    int rc = p.next ? bq_vm_protect(app->vm, build, &p) : BQ_MEMORY;
    bq_failure_tell_close(call);
    if (rc == BQ_OK)
        return p.next;
    if (p.next)
        bq_task_give(p.next);
    if (rc == BQ_MEMORY) {
        bq_failure_memory(call);
        return NULL;
    }
    bq_failure_log(call, undescribed(rc));
    bq_reply_status(call, 500);
    return NULL;
}
