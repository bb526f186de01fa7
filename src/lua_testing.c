/* lua_testing.c: the C functions of barq.testing. */
#include "lua_testing.h"

#include "app/decode.h"
#include "app/encode.h"
#include "base/rc.h"
#include "testing.h"
#include "vm/task.h"

#include <errno.h>
#include <string.h>

#define TYPE "barq.testing"

/* What turns the application's loop is the test's to call: within a turn of a loop there is none
 * to turn. */
static struct bq_vm *check_host(lua_State *L)
{
    struct bq_vm *vm = bq_vm_of(L);
    if (vm->host)
        luaL_error(L, "a client is the test's: the application under test cannot use it");
    return vm;
}

static struct bq_testing **check_slot(lua_State *L)
{
    check_host(L);
    return luaL_checkudata(L, 1, TYPE);
}

static struct bq_testing *check_testing(lua_State *L)
{
    struct bq_testing *t = *check_slot(L);
    if (!t)
        luaL_error(L, "the client is closed");
    return t;
}

static bq_str check_str(lua_State *L, int index)
{
    bq_str s;
    s.p = luaL_checklstring(L, index, &s.n);
    return s;
}

static uint32_t check_ms(lua_State *L, int index)
{
    double seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds > 0 && seconds <= 86400, index, "seconds, up to a day, expected");
    return (uint32_t)(seconds * 1000 + 0.5);
}

/* nil and a sentence. */
static int push_failure(lua_State *L, int rc, const char *sentence)
{
    lua_pushnil(L);
    if (*sentence)
        lua_pushstring(L, sentence);
    else
        lua_pushstring(L, rc == BQ_SYSTEM ? strerror(errno) : bq_rc_text(rc));
    return 2;
}

/* nil, and what configuration or log have to say. */
static void push_reason(lua_State *L, int rc, struct bq_testing *t)
{
    if (*t->error.text || bq_buf_push(&t->report, '\0') != BQ_OK)
        push_failure(L, rc, t->error.text);
    else
        push_failure(L, rc, bq_buf_str(&t->report).p);
}

/* --- life --------------------------------------------------------------------------------- */

static void take_options(lua_State *L, struct bq_testing *t, int table)
{
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "options have names, as { body_max = \"1k\" }");
        const char *name = lua_tostring(L, -2);
        if (lua_type(L, -1) == LUA_TBOOLEAN) {
            lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
            lua_replace(L, -2);
        }
        if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
            luaL_error(L, "option \"%s\" is a %s", name, luaL_typename(L, -1));
        if (bq_testing_set(t, name, check_str(L, -1)) != BQ_OK)
            luaL_error(L, "%s", t->error.text);
    }
}

static int l_open(lua_State *L)
{
    struct bq_vm *host = check_host(L);
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct bq_testing **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, TYPE);
    lua_setmetatable(L, -2);
    *slot = bq_testing_new();
    if (!*slot)
        return luaL_error(L, "not enough memory");
    take_options(L, *slot, 2);
    int rc = bq_testing_start(*slot, host, path);
    if (rc == BQ_OK)
        return 1;
    push_reason(L, rc, *slot);
    bq_testing_free(*slot);
    *slot = NULL;
    return 2;
}

/* Of one that raised on its options. What runs is closed by name: that runs Lua code. The type is
 * not checked: the collector may be at work while a guest is in, and the type's name is not. */
static int l_gc(lua_State *L)
{
    struct bq_testing **slot = lua_touserdata(L, 1);
    if (*slot && !(*slot)->vm)
        bq_testing_free(*slot);
    return 0;
}

static int l_close(lua_State *L)
{
    struct bq_testing **slot = check_slot(L);
    struct bq_testing *t = *slot;
    if (!t)
        return 0;
    *slot = NULL;
    bq_testing_free(t);
    return 0;
}

/* --- requests ----------------------------------------------------------------------------- */

static int l_exchange(lua_State *L)
{
    struct bq_testing *t = check_testing(L);
    bq_str request = check_str(L, 2);
    uint32_t ms_max = check_ms(L, 3);
    struct bq_buf answer = BQ_BUF_INIT;
    int rc = bq_testing_exchange(t, request, ms_max, &answer);
    if (rc != BQ_OK) {
        bq_buf_release(&answer);
        return push_failure(L, rc, rc == BQ_LIMIT ? "no answer in time" : "");
    }
    /* Nothing bounds the state's memory, so that only its end could be between. */
    lua_pushlstring(L, answer.data, bq_buf_size(&answer));
    bq_buf_release(&answer);
    lua_pushlstring(L, bq_buf_str(&t->report).p, bq_buf_size(&t->report));
    return 2;
}

static int l_refreeze(lua_State *L)
{
    struct bq_testing *t = check_testing(L);
    int rc = bq_testing_refreeze(t);
    if (rc == BQ_OK) {
        lua_pushboolean(L, true);
        return 1;
    }
    if (rc == BQ_LIMIT)
        return push_failure(L, rc, "a request or its req:after is not over");
    push_reason(L, rc, t);
    return 2;
}

/* --- the application's own code ----------------------------------------------------------- */

/* A call in the application, on whose coroutine wait the function and its arguments. */
struct call {
    lua_State *from;
    bool done, ok;
};

/* An error's traceback is on the coroutine of the task. */
static void take_error(lua_State *to, lua_State *from)
{
    if (lua_isstring(from, -1))
        luaL_traceback(to, from, lua_tostring(from, -1), 0);
    else
        lua_xmove(from, to, 1);
}

/* It must not raise: the loop is turning. */
static void on_done(struct bq_task *task, enum bq_task_end end)
{
    struct call *call = task->arg;
    call->done = true;
    call->ok = end == BQ_TASK_DONE;
    lua_settop(call->from, 0);
    if (end == BQ_TASK_ERROR) {
        take_error(call->from, task->L);
    } else if (end == BQ_TASK_DONE) {
        int n = lua_gettop(task->L);
        if (lua_checkstack(call->from, n + 1)) {
            lua_xmove(task->L, call->from, n);
        } else {
            call->ok = false;
            lua_pushliteral(call->from, "too many results");
        }
    }
}

/* run(seconds, fn, …): true and the results, or false and the error */
static int l_run(lua_State *L)
{
    struct bq_testing *t = check_testing(L);
    uint32_t ms_max = check_ms(L, 2);
    struct call call = {.from = L};
    int nargs = lua_gettop(L) - 3;
    luaL_checkany(L, 3);
    bq_guest_enter(t->vm);
    struct bq_task *task = bq_task_take(t->vm);
    int rc = BQ_MEMORY;
    if (task && lua_checkstack(task->L, nargs + 1)) {
        lua_xmove(L, task->L, nargs + 1);
        bq_task_start(task, nargs, on_done, &call);
        rc = bq_testing_turn(t, &call.done, ms_max);
        if (rc != BQ_OK)
            bq_task_drop(task);
    } else if (task) {
        bq_task_give(task);
    }
    bq_guest_leave(t->vm);
    if (rc != BQ_OK)
        return push_failure(L, rc, rc == BQ_LIMIT ? "it did not end in time" : "");
    lua_pushboolean(L, call.ok);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* --- JSON --------------------------------------------------------------------------------- */

static int l_encode(lua_State *L)
{
    struct bq_encode_error why;
    struct bq_buf text = BQ_BUF_INIT;
    luaL_checkany(L, 1);
    int rc = bq_encode(L, 1, &text, &why);
    if (rc != BQ_OK) {
        bq_buf_release(&text);
        return luaL_error(L, "%s", rc == BQ_INVALID ? why.text : bq_rc_text(rc));
    }
    lua_pushlstring(L, text.data, bq_buf_size(&text));
    bq_buf_release(&text);
    return 1;
}

static int l_decode(lua_State *L)
{
    struct bq_json_error why;
    if (bq_decode(L, check_str(L, 1), &why) == BQ_OK)
        return 1;
    lua_pushnil(L);
    return 1;
}

static const luaL_Reg methods[] = {
    {"__gc", l_gc},           {"close", l_close}, {"exchange", l_exchange},
    {"refreeze", l_refreeze}, {"run", l_run},     {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"decode", l_decode},
    {"encode", l_encode},
    {"open", l_open},
    {NULL, NULL},
};

int bq_lua_testing_open(lua_State *L)
{
    luaL_newmetatable(L, TYPE);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    bq_decode_open(L);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
