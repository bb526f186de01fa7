/*
 * modules.c: the modules that require finds without a file.
 *
 * Both kinds are found in package.preload, so that a module is loaded when it is first
 * required, and an application could not shadow one by a file of its name.
 */
#include "modules.h"

#include "data/lua_offload.h"
#include "data/lua_shared.h"
#include "data/lua_sqlite.h"
#include "docs_ui.h"

#include <string.h>

/* An opener's upvalue is what its module works with. */
static int open_shared(lua_State *L)
{
    bq_shared_open(L, lua_touserdata(L, lua_upvalueindex(1)));
    return 1;
}

static int open_sqlite(lua_State *L)
{
    bq_sqlite_open_module(L, lua_touserdata(L, lua_upvalueindex(1)));
    return 1;
}

/* The loader of an embedded source: its upvalue points to the row of the list. What fails, for want
 * of memory, may succeed later: without this require would call it an error for ever. */
static int load_source(lua_State *L)
{
    const struct bq_lua_source *source = lua_touserdata(L, lua_upvalueindex(1));
    if (luaL_loadbuffer(L, (const char *)source->bytes, source->n, source->chunkname) == 0) {
        lua_pushvalue(L, 1); /* its name */
        if (lua_pcall(L, 1, 1, 0) == 0)
            return 1;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED"); /* package.loaded */
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return lua_error(L);
}

/* package.preload's __index: the loader of a source, made when it is asked for. */
static int find_source(lua_State *L)
{
    const char *name = lua_tostring(L, 2);
    for (const struct bq_lua_source *s = bq_lua_sources; name && s->name; s++) {
        if (strcmp(s->name, name) == 0) {
            lua_pushlightuserdata(L, (void *)s);
            lua_pushcclosure(L, load_source, 1);
            return 1;
        }
    }
    return 0;
}

static int open_offload(lua_State *L)
{
    bq_offload_open_module(L, lua_touserdata(L, lua_upvalueindex(1)));
    return 1;
}

/* Into the table on top. */
static void preload(lua_State *L, const char *name, lua_CFunction opener, void *upvalue)
{
    lua_pushlightuserdata(L, upvalue);
    lua_pushcclosure(L, opener, 1);
    lua_setfield(L, -2, name);
}

void bq_modules_preload(lua_State *L, const struct bq_modules_env *env)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    /* Every module written in C; "barq.core" is missing because each application brings its
     * own (app/lua_core.h). */
    preload(L, "barq.shared.core", open_shared, env->stores);
    preload(L, "barq.sqlite.core", open_sqlite, env->sqlite);
    preload(L, "barq.docs.core", bq_docs_ui_open, NULL);
    if (env->offload)
        preload(L, "barq.offload.core", open_offload, env->offload);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, find_source);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 2);
}
