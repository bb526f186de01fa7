/* distance: how many letters must be typed, deleted or changed to get from one text to another. */
#include <lauxlib.h>
#include <lua.h>

LUALIB_API int luaopen_distance(lua_State *L);

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance, a row of the table at a time. The row is Lua's, so that an error frees
 * it. */
static int l_between(lua_State *L)
{
    size_t an, bn;
    const char *a = luaL_checklstring(L, 1, &an), *b = luaL_checklstring(L, 2, &bn);
    luaL_argcheck(L, an <= 1000 && bn <= 1000, 1, "texts of at most 1000 bytes");
    int *row = lua_newuserdata(L, (bn + 1) * sizeof *row);
    for (size_t j = 0; j <= bn; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= an; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= bn; j++) {
            int above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    lua_pushinteger(L, row[bn]);
    return 1;
}

int luaopen_distance(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_between);
    lua_setfield(L, -2, "between");
    return 1;
}
