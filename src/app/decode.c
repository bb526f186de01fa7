/*
 * decode.c: JSON text to Lua values by lua-cjson, behind the strict check.
 *
 * lua-cjson alone would take bytes that are not UTF-8, 1e400 and lone surrogates, and
 * its messages name no offset that can be relied on. What bq_json_check has accepted it
 * always reads, so that the one error left is memory.
 */
#include "app/decode.h"

#include "base/mem.h"
#include "base/rc.h"

#define REGISTRY_KEY "barq.decode"

/* lua-cjson's scratch string, beyond the text's length. */
#define SCRATCH_EXTRA_BYTES 64

/* Exported by lua-cjson, which has no header. */
int luaopen_cjson(lua_State *L);

void bq_decode_open(lua_State *L)
{
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1); /* each call makes an instance with settings of its own */
    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, BQ_DECODE_DEPTH_MAX);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, false);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode");
    lua_setfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY);
    lua_pop(L, 1);
}

/* lua-cjson ends the process when malloc refuses its scratch string, which is as long
 * as the text: ask for as much first. */
static void require_scratch(lua_State *L, size_t text_bytes)
{
    void *scratch = bq_alloc(text_bytes + SCRATCH_EXTRA_BYTES);
    if (!scratch)
        luaL_error(L, "not enough memory");
    bq_free(scratch);
}

int bq_decode(lua_State *L, bq_str text, struct bq_json_error *error)
{
    int rc = bq_json_check(text, BQ_DECODE_DEPTH_MAX, error);
    if (rc != BQ_OK)
        return rc;
    luaL_checkstack(L, 4, NULL);
    require_scratch(L, text.n);
    lua_getfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY);
    lua_pushlstring(L, text.p, text.n);
    lua_call(L, 1, 1);
    return BQ_OK;
}

void bq_null_push(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
}
