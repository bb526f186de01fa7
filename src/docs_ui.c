/*
 * docs_ui.c: barq.docs.core, which gives the docs page's files to Lua.
 *
 * A file becomes a Lua string when it is asked for, and is garbage once it is sent: a worker
 * whose docs nobody reads holds none of them.
 */
#include "docs_ui.h"

static void set_string(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

/* files: a list of { name, hashed, type }, in the table's order. */
static void push_files(lua_State *L)
{
    lua_newtable(L);
    for (int i = 0; bq_docs_files[i].name; i++) {
        lua_createtable(L, 0, 3);
        set_string(L, "name", bq_docs_files[i].name);
        set_string(L, "hashed", bq_docs_files[i].hashed);
        set_string(L, "type", bq_docs_files[i].type);
        lua_rawseti(L, -2, i + 1);
    }
}

/* read(index, gzip): the bytes of files[index], compressed or not. */
static int l_read(lua_State *L)
{
    const struct bq_docs_file *file = bq_docs_files;
    for (lua_Integer index = luaL_checkinteger(L, 1); index > 1 && file->name; index--)
        file++;
    luaL_argcheck(L, file->name && lua_tointeger(L, 1) >= 1, 1, "no such file");
    if (lua_toboolean(L, 2))
        lua_pushlstring(L, (const char *)file->gzip, file->gzip_n);
    else
        lua_pushlstring(L, (const char *)file->bytes, file->n);
    return 1;
}

int bq_docs_ui_open(lua_State *L)
{
    lua_createtable(L, 0, 2);
    push_files(L);
    lua_setfield(L, -2, "files");
    lua_pushcfunction(L, l_read);
    lua_setfield(L, -2, "read");
    return 1;
}
