/* raw.c: whether values lie as raw.h has them, found out by looking at some. */
#include "vm/raw.h"

#include <stddef.h>

#if UINTPTR_MAX == UINT64_MAX && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* A table of three positions and two names, below its metatable on top; its own third position is
 * that metatable, too. */
static void push_sample(lua_State *L)
{
    lua_createtable(L, 3, 2);
    lua_createtable(L, 1, 0);
    lua_pushinteger(L, 1234567);
    lua_rawseti(L, -2, 1);
    lua_pushboolean(L, 1);
    lua_rawseti(L, -3, 1);
    lua_pushboolean(L, 0);
    lua_rawseti(L, -3, 2);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, 3);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -3, "nothing");
    lua_pushliteral(L, "some text\0with a zero");
    lua_setfield(L, -3, "text");
    lua_pushvalue(L, -1);
    lua_setmetatable(L, -3);
}

/* Whether the table's own fields are where they should be: only then may an address in it be
 * followed. */
static bool frame_fits(const struct bq_raw_table *t, uint32_t array_size, uint32_t pairs_mask)
{
    return t->type == (uint8_t)~BQ_RAW_TABLE && t->array_size == array_size &&
           t->pairs_mask == pairs_mask && t->array && (uintptr_t)t->array % sizeof(bq_raw) == 0 &&
           t->pairs && (uintptr_t)t->pairs % sizeof(bq_raw) == 0;
}

static bool number_fits(bq_raw v, double expected)
{
    double number;
    return bq_raw_number(v, &number) && number == expected;
}

static bool positions_fit(const struct bq_raw_table *t, const void *third)
{
    return bq_raw_tag(t->array[0]) == BQ_RAW_NIL && bq_raw_tag(t->array[1]) == BQ_RAW_TRUE &&
           bq_raw_tag(t->array[2]) == BQ_RAW_FALSE && bq_raw_tag(t->array[3]) == BQ_RAW_TABLE &&
           bq_raw_address(t->array[3]) == third;
}

/* Which of the two pairs has the name, anchored in the table. */
static const struct bq_raw_pair *find_pair(const struct bq_raw_table *t, const char *name)
{
    bq_raw key = bq_raw_of_string(name);
    if (t->pairs[0].key == key)
        return &t->pairs[0];
    return t->pairs[1].key == key ? &t->pairs[1] : NULL;
}

/* The names and the text are on top: "nothing", "text", its value. Gives null, or 0. */
static bq_raw check_pairs(lua_State *L, const struct bq_raw_table *t)
{
    const struct bq_raw_pair *nothing = find_pair(t, lua_tostring(L, -3));
    const struct bq_raw_pair *text = find_pair(t, lua_tostring(L, -2));
    bool fit = nothing && text && bq_raw_tag(nothing->value) == BQ_RAW_LIGHTUSERDATA &&
               text->value == bq_raw_of_string(lua_tostring(L, -1)) &&
               bq_str_eq(bq_raw_str(text->key), BQ_STR("text")) &&
               bq_str_eq(bq_raw_str(text->value), BQ_STR("some text\0with a zero"));
    return fit ? nothing->value : 0;
}

static bool numbers_fit(lua_State *L, int index, const struct bq_raw_table *t)
{
    static const double numbers[] = {0.0, -1.5, 1e300, -1e-300, 3.0, -4.0};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        lua_pushnumber(L, numbers[i]);
        lua_rawseti(L, index, 1);
        if (!number_fits(t->array[1], numbers[i]))
            return false;
    }
    return true;
}

/* Values are on top. That two addresses are as far apart as the stack is high, and one of them goes
 * on as it grows, tells that they are addresses into it. */
static bool stack_fits(lua_State *L)
{
    const struct bq_raw_stack *stack = (const struct bq_raw_stack *)L;
    const bq_raw *base = stack->base, *top = stack->top;
    if (!base || (uintptr_t)base % sizeof *base != 0 || top != base + lua_gettop(L))
        return false;
    lua_pushnumber(L, 1234567.5);
    bool fits = stack->base == base && stack->top == top + 1 && number_fits(*top, 1234567.5);
    lua_pop(L, 1);
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_newtable(L);
    lua_replace(L, LUA_GLOBALSINDEX);
    fits = fits && stack->globals == lua_topointer(L, LUA_GLOBALSINDEX);
    lua_replace(L, LUA_GLOBALSINDEX);
    return fits && stack->top == top && stack->globals == lua_topointer(L, LUA_GLOBALSINDEX);
}

bq_raw bq_raw_probe(lua_State *L)
{
    int top = lua_gettop(L);
    bq_raw null = 0;
    push_sample(L);
    const struct bq_raw_table *t = lua_topointer(L, top + 1), *meta = lua_topointer(L, top + 2);
    lua_pushliteral(L, "nothing");
    lua_pushliteral(L, "text");
    lua_pushvalue(L, -1);
    lua_rawget(L, top + 1);
    if (frame_fits(t, 4, 1) && t->metatable == meta && frame_fits(meta, 2, 0) && !meta->metatable &&
        positions_fit(t, meta) && number_fits(meta->array[1], 1234567) &&
        bq_raw_tag(meta->pairs[0].value) == BQ_RAW_NIL && numbers_fit(L, top + 1, t) &&
        stack_fits(L) && bq_raw_top(L) == bq_raw_of_string(lua_tostring(L, -1)))
        null = check_pairs(L, t);
    lua_settop(L, top);
    return null;
}

#else

bq_raw bq_raw_probe(lua_State *L)
{
    (void)L;
    return 0;
}

#endif
