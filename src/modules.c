/*
 * modules.c: the modules that require finds without a file.
 *
 * Both kinds go into package.preload, so that a module is loaded when it is first
 * required, and an application could not shadow one by a file of its name.
 */
#include "modules.h"

#include "data/lua_offload.h"
#include "data/lua_shared.h"
#include "data/lua_sqlite.h"
#include "docs_ui.h"

/* Every opener's upvalue is the process's stores. */
static int open_shared(lua_State *L)
{
    bq_shared_open(L, lua_touserdata(L, lua_upvalueindex(1)));
    return 1;
}

static int open_sqlite(lua_State *L)
{
    bq_sqlite_open_module(L);
    return 1;
}

/* Every module written in C; "barq.core" is missing because each application brings its
 * own (app/lua_core.h). */
static const luaL_Reg c_modules[] = {
    {"barq.shared.core", open_shared},
    {"barq.sqlite.core", open_sqlite},
    {"barq.docs.core", bq_docs_ui_open},
    {NULL, NULL},
};

/* The loader of an embedded source: its upvalue points to the row of the list. */
static int load_source(lua_State *L)
{
    const struct bq_lua_source *source = lua_touserdata(L, lua_upvalueindex(1));
    if (luaL_loadbuffer(L, (const char *)source->bytes, source->n, source->chunkname) != 0)
        return lua_error(L);
    lua_pushstring(L, source->name);
    lua_call(L, 1, 1);
    return 1;
}

static int open_offload(lua_State *L)
{
    bq_offload_open_module(L, lua_touserdata(L, lua_upvalueindex(1)));
    return 1;
}

void bq_modules_preload(lua_State *L, struct bq_stores *stores, struct bq_offload *offload)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    if (offload) {
        lua_pushlightuserdata(L, offload);
        lua_pushcclosure(L, open_offload, 1);
        lua_setfield(L, -2, "barq.offload.core");
    }
    for (const luaL_Reg *m = c_modules; m->name; m++) {
        lua_pushlightuserdata(L, stores);
        lua_pushcclosure(L, m->func, 1);
        lua_setfield(L, -2, m->name);
    }
    for (const struct bq_lua_source *s = bq_lua_sources; s->name; s++) {
        lua_pushlightuserdata(L, (void *)s);
        lua_pushcclosure(L, load_source, 1);
        lua_setfield(L, -2, s->name);
    }
    lua_pop(L, 2);
}
