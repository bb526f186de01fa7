/* raw_make.c: shapes found in tables of the API's, and tables filled by them. */
#include "vm/raw_make.h"

#include <assert.h>

/* --- tables --- */

bq_raw bq_raw_push_record(lua_State *L, const struct bq_raw_shape *shape, const bq_raw *values)
{
    lua_createtable(L, 0, (int)shape->count);
    bq_raw table = bq_raw_top(L);
    const struct bq_raw_table *t = bq_raw_address(table);
    struct bq_raw_pair *pairs = (struct bq_raw_pair *)t->pairs;
    assert(t->pairs_mask == shape->pairs_mask);
    for (uint32_t i = 0; i < shape->count; i++) {
        const struct bq_raw_place *place = &shape->places[i];
        uint64_t chain = place->next ? (uintptr_t)&pairs[place->next - 1] : 0;
        pairs[place->pair] = (struct bq_raw_pair){values[i], place->name, chain};
    }
    return table;
}

bq_raw bq_raw_push_list(lua_State *L, const bq_raw *values, size_t count, size_t room)
{
    assert(count <= room);
    lua_createtable(L, (int)room, 0);
    bq_raw table = bq_raw_top(L);
    const struct bq_raw_table *t = bq_raw_address(table);
    bq_raw *to = (bq_raw *)t->array;
    assert(!room || t->array_size == room + 1); /* position 0 has a place, too */
    for (size_t i = 0; i < count; i++)
        to[i + 1] = values[i];
    return table;
}

bq_raw bq_raw_take(lua_State *L)
{
    bq_raw v = bq_raw_top(L);
    double number;
    if (bq_raw_double(v, &number) || bq_raw_tag(v) > BQ_RAW_STRING)
        lua_pop(L, 1);
    return v;
}

/* --- shapes --- */

/* A table whose values are their names' ordinal numbers. */
static const struct bq_raw_table *push_sample(lua_State *L, int first, uint32_t count)
{
    lua_createtable(L, 0, (int)count);
    for (uint32_t i = 0; i < count; i++) {
        lua_pushvalue(L, first + (int)i);
        lua_pushnumber(L, i);
        lua_rawset(L, -3);
    }
    return lua_topointer(L, -1);
}

/* Notes which pair of the sample has that name. False: none, or its chain leads out of the table.
 */
static bool find_place(const struct bq_raw_table *t, struct bq_raw_place *place)
{
    for (uint32_t i = 0; i <= t->pairs_mask; i++) {
        const struct bq_raw_pair *pair = &t->pairs[i];
        if (pair->key != place->name)
            continue;
        uint64_t chain = pair->chain - (uintptr_t)t->pairs;
        if (pair->chain && (chain % sizeof *pair || chain / sizeof *pair > t->pairs_mask))
            return false;
        place->pair = i;
        place->next = pair->chain ? (uint32_t)(chain / sizeof *pair) + 1 : 0;
        return true;
    }
    return false;
}

/* LuaJIT notes in a table which metamethods it has not, all of them in a new one. Whoever sets one
 * through the API or in Lua resets that. */
static bool may_be_metamethod(const char *name)
{
    return name[0] == '_' && name[1] == '_';
}

static bool find_places(lua_State *L, struct bq_raw_shape *shape, int first)
{
    const struct bq_raw_table *t = push_sample(L, first, shape->count);
    shape->pairs_mask = t->pairs_mask;
    if (t->array_size || t->pairs_mask + 1 < shape->count || t->pairs_mask > 2 * BQ_RAW_NAMES_MAX)
        return false;
    for (uint32_t i = 0; i < shape->count; i++) {
        struct bq_raw_place *place = &shape->places[i];
        const char *name = lua_tostring(L, first + (int)i);
        place->name = bq_raw_of_string(name);
        double number;
        if (may_be_metamethod(name) || !find_place(t, place) ||
            !bq_raw_number(t->pairs[place->pair].value, &number) ||
            number != i) /* a name that comes twice */
            return false;
    }
    return true;
}

/* Whether a table of that shape has what the API finds in it. */
static bool is_right(lua_State *L, const struct bq_raw_shape *shape, int first)
{
    bq_raw values[BQ_RAW_NAMES_MAX];
    bool right = true;
    for (uint32_t i = 0; i < shape->count; i++)
        values[i] = bq_raw_of_double(i + 0.5);
    bq_raw_push_record(L, shape, values);
    for (uint32_t i = 0; i < shape->count; i++) {
        lua_pushvalue(L, first + (int)i);
        lua_rawget(L, -2);
        right = right && lua_tonumber(L, -1) == i + 0.5;
        lua_pop(L, 1);
    }
    return right;
}

const struct bq_raw_shape *bq_raw_shape_make(lua_State *L, struct bq_arena *arena, int first,
                                             size_t count)
{
    if (count == 0 || count > BQ_RAW_NAMES_MAX)
        return NULL;
    luaL_checkstack(L, 5, "the shape of a table");
    int top = lua_gettop(L);
    struct bq_raw_shape *shape =
        bq_arena_alloc(arena, sizeof *shape + count * sizeof shape->places[0]);
    if (!shape)
        return NULL;
    shape->count = (uint32_t)count;
    bool right = find_places(L, shape, first) && is_right(L, shape, first);
    lua_settop(L, top);
    return right ? shape : NULL;
}
