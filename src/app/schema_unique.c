/*
 * schema_unique.c: whether the elements of an array differ.
 *
 * Strings and booleans are kept as keys of a Lua table. Tables are kept under a hash of all that is
 * in them, in whatever order, and only those with the same hash are compared: the hash is keyed
 * anew for each array, so that a client cannot make tables that collide, and time stays linear in
 * the text. Numbers are kept like tables: Lua's own hash of them has no key.
 */
#include "app/schema_check.h"
#include "app/schema_problem.h"
#include "base/hash.h"
#include "base/rc.h"

#include <assert.h>

#define DEPTH_MAX 136 /* above what a reader builds */

/* --- the hash of a value --- */

static uint64_t hash_value(lua_State *L, const struct bq_hash_key *key, unsigned depth);

static uint64_t hash_pair(const struct bq_hash_key *key, uint64_t a, uint64_t b)
{
    uint64_t pair[2] = {a, b};
    return bq_hash(key, bq_str_of((const char *)pair, sizeof pair));
}

/* The sum does not know in which order the entries came. */
static uint64_t hash_table(lua_State *L, const struct bq_hash_key *key, unsigned depth)
{
    uint64_t sum = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        uint64_t value = hash_value(L, key, depth + 1);
        lua_pop(L, 1);
        sum += hash_pair(key, hash_value(L, key, depth + 1), value);
    }
    return sum;
}

static uint64_t hash_value(lua_State *L, const struct bq_hash_key *key, unsigned depth)
{
    if (depth == DEPTH_MAX)
        luaL_error(L, "a value is nested too deeply");
    luaL_checkstack(L, 4, "a value that should be unique");
    bq_str text;
    double number;
    int type = lua_type(L, -1);
    switch (type) {
    case LUA_TTABLE:
        return hash_table(L, key, depth);
    case LUA_TSTRING:
        text.p = lua_tolstring(L, -1, &text.n);
        return hash_pair(key, LUA_TSTRING, bq_hash(key, text));
    case LUA_TNUMBER:
        number = lua_tonumber(L, -1) + 0.0; /* -0 equals 0 */
        text = bq_str_of((const char *)&number, sizeof number);
        return hash_pair(key, LUA_TNUMBER, bq_hash(key, text));
    default:
        return hash_pair(key, (uint64_t)type, (uint64_t)lua_toboolean(L, -1));
    }
}

/* --- equal values --- */

static bool equal(lua_State *L, int a, int b);

/* Both indexes are absolute. */
static bool equal_tables(lua_State *L, int a, int b)
{
    luaL_checkstack(L, 8, "a value that should be unique");
    int top = lua_gettop(L);
    bool same = bq_count_entries(L, a) == bq_count_entries(L, b);
    lua_pushnil(L);
    while (same && lua_next(L, a)) {
        lua_pushvalue(L, -2);
        lua_rawget(L, b);
        same = equal(L, top + 2, top + 3);
        lua_pop(L, 2);
    }
    lua_settop(L, top);
    return same;
}

static bool equal(lua_State *L, int a, int b)
{
    if (lua_istable(L, a) && lua_istable(L, b))
        return equal_tables(L, a, b);
    return lua_rawequal(L, a, b);
}

/* --- what has been seen --- */

struct seen {
    int named, hashed; /* stack indexes: value -> true; hash -> value */
    struct bq_hash_key key;
    bool keyed;
};

static bool seen_named(lua_State *L, struct seen *seen)
{
    lua_pushvalue(L, -1);
    lua_rawget(L, seen->named);
    bool before = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, seen->named);
    return before;
}

/* Different values of one hash are so unlikely that the earlier one is just not kept. */
static bool seen_hashed(lua_State *L, struct seen *seen)
{
    if (!seen->keyed && bq_hash_key_init(&seen->key) != BQ_OK)
        luaL_error(L, "no random numbers for a hash");
    seen->keyed = true;
    int element = lua_gettop(L);
    double hash = (double)(hash_value(L, &seen->key, 0) >> 11); /* what a double holds */
    lua_pushnumber(L, hash);
    lua_rawget(L, seen->hashed);
    bool before = equal(L, element, element + 1);
    lua_settop(L, element);
    lua_pushnumber(L, hash);
    lua_pushvalue(L, element);
    lua_rawset(L, seen->hashed);
    return before;
}

void bq_check_unique(lua_State *L, const struct bq_schema *s, size_t count, struct bq_invalid *v)
{
    assert(s->kind == BQ_SCHEMA_ARRAY);
    if (!s->list.unique || count < 2)
        return;
    luaL_checkstack(L, 8, "an array that should be unique");
    int array = lua_gettop(L);
    struct seen seen = {.named = array + 1, .hashed = array + 2};
    lua_newtable(L);
    lua_newtable(L);
    bool fine = true;
    for (size_t i = 1; fine && i <= count; i++) {
        lua_rawgeti(L, array, (int)i);
        int type = lua_type(L, -1);
        bool by_hash = type == LUA_TTABLE || type == LUA_TNUMBER;
        bool again = type != LUA_TNIL && (by_hash ? seen_hashed : seen_named)(L, &seen);
        lua_pop(L, 1);
        fine = !again;
        if (again)
            bq_problem_number(v, "unique_items", "Items should be unique: one comes again at ",
                              "index", (double)(i - 1));
    }
    lua_settop(L, array);
}

void bq_check_elements(lua_State *L, const struct bq_schema *s, size_t count, size_t count_before,
                       struct bq_invalid *v)
{
    if (v->count != count_before)
        return;
    bq_check_length(s, count, v);
    if (v->count == count_before)
        bq_check_unique(L, s, count, v);
}
