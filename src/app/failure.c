/* failure.c: errors on their way to an answer and to the log. */
#include "app/failure.h"

#include "app/reply.h"
#include "app/request.h"
#include "base/log.h"
#include "base/rc.h"

#include <string.h>

void bq_failure_log(const struct bq_call *call, const char *text)
{
    const struct bq_request *r = &call->ex->request;
    if (call->route)
        bq_error("%.*s %s (%s): %s", BQ_STR_ARG(r->method_name), call->route->path,
                 call->route->place, text);
    else
        bq_error("%.*s %.*s (no route): %s", BQ_STR_ARG(r->method_name), BQ_STR_ARG(r->path), text);
}

void bq_describe(lua_State *L, int index)
{
    if (lua_isstring(L, index)) {
        lua_pushvalue(L, index);
        return;
    }
    if (luaL_callmeta(L, index, "__tostring")) {
        if (lua_isstring(L, -1))
            return;
        lua_pop(L, 1);
    }
    lua_pushfstring(L, "an error object that is a %s", luaL_typename(L, index));
}

void bq_failure_memory(struct bq_call *call)
{
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

/* Builds everything on the protected stack; only the finished values move to the task. */
static void build(lua_State *L, void *arg)
{
    struct preparation *p = arg;
    struct bq_call *call = p->call;
    lua_State *from = call->task->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.respond);
    bq_request_push(L, call);
    /* Moved, not copied: after a stack overflow there is no room to push on it. */
    lua_xmove(from, L, 1);
    if (is_abort(L, 3, call->app)) {
        lua_settop(L, 3);
        lua_pushnil(L);
    } else {
        lua_settop(L, 3);
        bq_describe(L, 3);
        luaL_traceback(L, from, lua_tostring(L, -1), 0);
        lua_remove(L, 4);
    }
    lua_xmove(L, p->next->L, 4);
}

/* The second error: of an error handler, or of what it returned. */
static void log_last_error(lua_State *L, void *arg)
{
    struct bq_call *call = arg;
    lua_State *from = call->task->L;
    lua_xmove(from, L, 1);
    bq_describe(L, 1);
    luaL_traceback(L, from, lua_tostring(L, -1), 0);
    bq_failure_log(call, lua_tostring(L, -1));
}

struct bq_task *bq_failure_prepare(struct bq_call *call)
{
    struct bq_app *app = call->app;
    if (is_memory_error(call->task->L)) {
        bq_failure_memory(call);
        return NULL;
    }
    if (call->failing) {
        if (bq_vm_protect(app->vm, log_last_error, call) != BQ_OK)
            bq_failure_log(call, "an error handler failed, and so did describing why");
        bq_reply_status(call, 500);
        return NULL;
    }
    call->failing = true;
    struct preparation p = {call, bq_task_take(app->vm)};
    int rc = p.next ? bq_vm_protect(app->vm, build, &p) : BQ_MEMORY;
    if (rc == BQ_OK)
        return p.next;
    if (p.next)
        bq_task_give(p.next);
    if (rc == BQ_MEMORY) {
        bq_failure_memory(call);
        return NULL;
    }
    bq_failure_log(call, "an error whose __tostring fails");
    bq_reply_status(call, 500);
    return NULL;
}
