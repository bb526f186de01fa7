/* depends.c: compiles plans, and moves providers' values between their tables. */
#include "app/depends.h"

#include "app/dispatch.h"

#include <string.h>

/* The memo from a provider's Lua table to its struct: one provider may be in many plans. */
static const char memo_key;

static void *arena_must(lua_State *L, struct bq_app *app, size_t n)
{
    void *p = bq_arena_alloc(&app->schemas.arena, n ? n : 1);
    if (!p)
        luaL_error(L, "not enough memory");
    return p;
}

static size_t count_pairs(lua_State *L, int index)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        n++;
    return n;
}

/* The table { name -> slot } on top, which is popped. */
static void read_deps(lua_State *L, struct bq_app *app, struct bq_deps *deps)
{
    int table = lua_gettop(L);
    *deps = (struct bq_deps){0};
    if (lua_istable(L, table)) {
        deps->list = arena_must(L, app, count_pairs(L, table) * sizeof *deps->list);
        for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
            struct bq_dep *dep = &deps->list[deps->count++];
            dep->slot = (int)lua_tointeger(L, -1);
            lua_pushvalue(L, -2);
            dep->name = luaL_ref(L, LUA_REGISTRYINDEX);
        }
    }
    lua_pop(L, 1);
}

static void push_memo(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&memo_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushlightuserdata(L, (void *)&memo_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static bool is_of_worker(lua_State *L, int table)
{
    lua_getfield(L, table, "scope");
    const char *scope = lua_tostring(L, -1);
    bool yes = scope && strcmp(scope, "worker") == 0;
    lua_pop(L, 1);
    return yes;
}

static struct bq_provider *new_provider(lua_State *L, struct bq_app *app, int table)
{
    struct bq_provider *p = arena_must(L, app, sizeof *p);
    *p = (struct bq_provider){0};
    bq_list_init(&p->waiting);
    p->closer = LUA_NOREF;
    p->worker = is_of_worker(L, table);
    p->open = bq_vm_ref_field(L, table, "open");
    p->close = bq_vm_ref_field(L, table, "close");
    lua_pushvalue(L, table);
    p->key = luaL_ref(L, LUA_REGISTRYINDEX);
    return p;
}

struct bq_provider *bq_provider_get(lua_State *L, struct bq_app *app, int index)
{
    int top = lua_gettop(L);
    push_memo(L);
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    struct bq_provider *p = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!p) {
        p = new_provider(L, app, index);
        if (p->worker) {
            lua_pushvalue(L, index);
            lua_pushlightuserdata(L, p);
            lua_rawset(L, -3);
        }
    }
    lua_settop(L, top);
    return p;
}

void bq_plan_compile(lua_State *L, struct bq_app *app, int index, struct bq_plan **out)
{
    struct bq_plan *plan;
    *out = NULL;
    lua_getfield(L, index, "steps");
    size_t n = lua_objlen(L, -1);
    if (n == 0) {
        lua_pop(L, 1);
        return;
    }
    plan = arena_must(L, app, sizeof *plan);
    *plan = (struct bq_plan){.count = n};
    plan->providers = arena_must(L, app, n * sizeof(struct bq_provider *));
    plan->needs = arena_must(L, app, n * sizeof *plan->needs);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        lua_getfield(L, -1, "provider");
        struct bq_provider *p = bq_provider_get(L, app, lua_gettop(L));
        lua_pop(L, 1);
        plan->providers[i] = p;
        plan->closes = plan->closes || (!p->worker && p->close != LUA_NOREF);
        lua_getfield(L, -1, "deps");
        read_deps(L, app, &plan->needs[i]);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lua_getfield(L, index, "deps");
    read_deps(L, app, &plan->deps);
    *out = plan;
}

/* --- values ------------------------------------------------------------------------------- */

void bq_deps_push(lua_State *L, const struct bq_call *call, const struct bq_deps *deps)
{
    lua_createtable(L, 0, (int)deps->count);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->values);
    for (size_t i = 0; i < deps->count; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, deps->list[i].name);
        lua_rawgeti(L, -2, deps->list[i].slot);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
}

/* Every slot gets a value now, so that setting it later needs no memory. */
void bq_values_make(lua_State *L, struct bq_call *call, int index)
{
    const struct bq_plan *plan = call->route ? call->route->plan : NULL;
    int n = plan ? (int)plan->count : 0;
    lua_pushvalue(L, index);
    lua_createtable(L, n, 8);
    lua_insert(L, -2);
    lua_rawseti(L, -2, BQ_VALUE_REQ);
    for (int slot = BQ_VALUE_THIRD; slot <= n; slot++) {
        if (slot == BQ_VALUE_REQ)
            continue;
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, slot);
    }
    call->values = luaL_ref(L, LUA_REGISTRYINDEX);
}

void bq_value_push(lua_State *L, const struct bq_call *call, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->values);
    lua_rawgeti(L, -1, slot);
    lua_remove(L, -2);
}

void bq_value_set(lua_State *L, struct bq_call *call, int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->values);
    lua_insert(L, -2);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
}

bool bq_worker_value_take(lua_State *L, struct bq_call *call, const struct bq_provider *provider,
                          int slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.worker_values);
    lua_rawgeti(L, LUA_REGISTRYINDEX, provider->key);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    bq_value_set(L, call, slot);
    return true;
}

/* The values' table holds at 0 the list of closers: { close, value } in the order in which opening
 * began, { false, false } as long as there is no value. */
void bq_worker_value_reserve(lua_State *L, struct bq_app *app, struct bq_provider *provider)
{
    int top = lua_gettop(L);
    if (provider->close == LUA_NOREF || provider->closer != LUA_NOREF)
        return;
    lua_createtable(L, 2, 0);
    for (int i = 1; i <= 2; i++) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, -2, i);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, app->refs.worker_values);
    lua_rawgeti(L, -1, 0);
    lua_pushvalue(L, top + 1);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_settop(L, top + 1);
    provider->closer = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Needs no memory: the fields are there. */
static void set_closer(lua_State *L, struct bq_provider *provider, int value)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, provider->closer);
    lua_rawgeti(L, LUA_REGISTRYINDEX, provider->close);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, value);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, provider->closer);
    provider->closer = LUA_NOREF;
}

void bq_worker_value_keep(lua_State *L, struct bq_app *app, struct bq_provider *provider)
{
    int value = lua_gettop(L);
    if (provider->closer != LUA_NOREF)
        set_closer(L, provider, value);
    lua_rawgeti(L, LUA_REGISTRYINDEX, app->refs.worker_values);
    lua_rawgeti(L, LUA_REGISTRYINDEX, provider->key);
    lua_pushvalue(L, value);
    lua_rawset(L, -3);
    lua_settop(L, value);
}
