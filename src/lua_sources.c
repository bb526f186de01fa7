/* lua_sources.c: what lua/barq/sources.lua tells is handed on. */
#include "lua_sources.h"

#include <string.h>

static struct bq_source_watch *watch_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int l_loads(lua_State *L)
{
    bq_source_watch_note(watch_of(L), luaL_checkstring(L, 1));
    return 0;
}

static int l_reads(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *slash = strrchr(path, '/');
    if (bq_source_is_watched(slash ? slash + 1 : path))
        bq_source_watch_note(watch_of(L), path);
    return 0;
}

void bq_sources_open(lua_State *L, struct bq_source_watch *s)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "barq.sources");
    lua_call(L, 1, 1);
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, l_loads, 1);
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, l_reads, 1);
    lua_call(L, 2, 0);
}
