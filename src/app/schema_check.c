/*
 * schema_check.c: scalars, absent values, the application's own checks, defaults.
 *
 * On the request path behind each reader. A value that fits costs nothing beside itself; what is
 * said of one that does not is in schema_problem.c.
 */
#include "app/schema_check.h"

#include "app/decode.h"
#include "app/format.h"
#include "app/schema_index.h"
#include "app/schema_problem.h"
#include "base/rc.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define DEFAULT_DEPTH_MAX 100

/* --- numbers --- */

/* As pydantic: within a billionth of the value, since 0.3 % 0.1 is nearly 0.1. */
static bool is_multiple(double value, double of)
{
    double rest = fabs(fmod(value, of)), threshold = fabs(value) / 1e9;
    return rest <= threshold || fabs(rest - of) <= threshold;
}

static bool fits_bounds(const struct bq_schema *s, double value, struct bq_invalid *v)
{
    unsigned has = s->number.has;
    if (has & BQ_HAS_MULTIPLE && !is_multiple(value, s->number.multiple))
        bq_problem_number(v, "multiple_of", "Input should be a multiple of ", "multiple_of",
                          s->number.multiple);
    else if (has & BQ_HAS_MAX && value > s->number.max)
        bq_problem_number(v, "less_than_equal", "Input should be less than or equal to ", "le",
                          s->number.max);
    else if (has & BQ_HAS_BELOW && value >= s->number.below)
        bq_problem_number(v, "less_than", "Input should be less than ", "lt", s->number.below);
    else if (has & BQ_HAS_MIN && value < s->number.min)
        bq_problem_number(v, "greater_than_equal", "Input should be greater than or equal to ",
                          "ge", s->number.min);
    else if (has & BQ_HAS_ABOVE && value <= s->number.above)
        bq_problem_number(v, "greater_than", "Input should be greater than ", "gt",
                          s->number.above);
    else
        return true;
    return false;
}

static void push_number(lua_State *L, bool fitting, double value)
{
    if (fitting)
        lua_pushnumber(L, value);
    else
        lua_pushnil(L);
}

void bq_check_number(lua_State *L, const struct bq_schema *s, double value, struct bq_invalid *v)
{
    assert(s->kind == BQ_SCHEMA_NUMBER);
    bool finite = isfinite(value);
    if (!finite)
        bq_invalid_add(v, "finite_number", NULL, "Input should be a finite number");
    push_number(L, finite && (!s->number.has || fits_bounds(s, value, v)), value);
}

/* Whether it has no fraction and is where doubles skip no integer. */
static bool is_safe(double value, struct bq_invalid *v)
{
    if (!isfinite(value))
        bq_invalid_add(v, "finite_number", NULL, "Input should be a finite number");
    else if (value != trunc(value))
        bq_invalid_add(v, "int_from_float", NULL,
                       "Input should be a valid integer, got a number with a fractional part");
    else if (value > BQ_SAFE_INTEGER_MAX)
        bq_problem_number(v, "less_than_equal", "Input should be less than or equal to ", "le",
                          BQ_SAFE_INTEGER_MAX);
    else if (value < -BQ_SAFE_INTEGER_MAX)
        bq_problem_number(v, "greater_than_equal", "Input should be greater than or equal to ",
                          "ge", -BQ_SAFE_INTEGER_MAX);
    else
        return true;
    return false;
}

void bq_check_integer(lua_State *L, const struct bq_schema *s, double value, struct bq_invalid *v)
{
    assert(s->kind == BQ_SCHEMA_INTEGER);
    bool fitting = is_safe(value, v) && (!s->number.has || fits_bounds(s, value, v));
    push_number(L, fitting, value + 0.0); /* -0 is 0 */
}

/* --- int64 --- */

static bool fits_bounds64(const struct bq_schema *s, int64_t value, struct bq_invalid *v)
{
    unsigned has = s->number.has;
    if (has & BQ_HAS_MULTIPLE && value % s->number.multiple64)
        bq_problem_int64(v, "multiple_of", "Input should be a multiple of ", "multiple_of",
                         s->number.multiple64);
    else if (has & BQ_HAS_MAX && value > s->number.max64)
        bq_problem_int64(v, "less_than_equal", "Input should be less than or equal to ", "le",
                         s->number.max64);
    else if (has & BQ_HAS_BELOW && value >= s->number.below64)
        bq_problem_int64(v, "less_than", "Input should be less than ", "lt", s->number.below64);
    else if (has & BQ_HAS_MIN && value < s->number.min64)
        bq_problem_int64(v, "greater_than_equal", "Input should be greater than or equal to ", "ge",
                         s->number.min64);
    else if (has & BQ_HAS_ABOVE && value <= s->number.above64)
        bq_problem_int64(v, "greater_than", "Input should be greater than ", "gt",
                         s->number.above64);
    else
        return true;
    return false;
}

static void push_int64(lua_State *L, const struct bq_schema *s, int64_t value, struct bq_invalid *v)
{
    char digits[32];
    if (s->number.has && !fits_bounds64(s, value, v)) {
        lua_pushnil(L);
        return;
    }
    int n = snprintf(digits, sizeof digits, "%" PRId64, value);
    lua_pushlstring(L, digits, (size_t)n);
}

/* No sign but "-", no leading zeros. Fails: BQ_INVALID, BQ_LIMIT. */
static int parse_int64(bq_str text, int64_t *out)
{
    bool negative = text.n && text.p[0] == '-';
    bq_str digits = bq_str_of(text.p + negative, text.n - negative);
    uint64_t u;
    if (digits.n > 1 && digits.p[0] == '0')
        return BQ_INVALID;
    int rc = bq_str_u64(digits, &u);
    if (rc != BQ_OK)
        return rc;
    if (u > (uint64_t)INT64_MAX + negative)
        return BQ_LIMIT;
    *out = (int64_t)(negative ? -u : u);
    return BQ_OK;
}

void bq_check_int64(lua_State *L, const struct bq_schema *s, bq_str digits, struct bq_invalid *v)
{
    assert(s->kind == BQ_SCHEMA_INT64);
    int64_t value;
    int rc = parse_int64(digits, &value);
    if (rc == BQ_OK) {
        push_int64(L, s, value, v);
        return;
    }
    if (rc == BQ_LIMIT)
        bq_invalid_add(v, "int_parsing_size", NULL,
                       "Unable to parse input string as an integer, exceeded maximum size");
    else
        bq_invalid_add(v, "int_parsing", NULL,
                       "Input should be a valid integer, unable to parse string as an integer");
    lua_pushnil(L);
}

/* A number: its digits if they are there and plain, else what a double can hold of it. */
static void check_int64_number(lua_State *L, const struct bq_schema *s,
                               const struct bq_scalar *given, struct bq_invalid *v)
{
    int64_t value;
    int rc = given->text.p ? parse_int64(given->text, &value) : BQ_INVALID;
    if (rc == BQ_INVALID && is_safe(given->number, v))
        push_int64(L, s, (int64_t)given->number, v);
    else if (rc == BQ_INVALID)
        lua_pushnil(L);
    else
        bq_check_int64(L, s, given->text, v);
}

/* --- ENUM, CONST --- */

/* The position of a value that is not a string, or -1. Booleans are 0 and 1. */
static ptrdiff_t find_choice(const struct bq_schema *s, int type, double number)
{
    for (size_t i = 0; i < s->values.count; i++)
        if (s->values.types[i] == type && s->values.numbers[i] == number)
            return (ptrdiff_t)i;
    return -1;
}

void bq_check_choice(lua_State *L, const struct bq_schema *s, const struct bq_scalar *given,
                     struct bq_invalid *v)
{
    assert(s->kind == BQ_SCHEMA_ENUM || s->kind == BQ_SCHEMA_CONST);
    ptrdiff_t i;
    if (given->type == LUA_TSTRING)
        i = bq_schema_index_find(&s->values.index, s->values.texts, sizeof *s->values.texts,
                                 given->text);
    else if (given->type == LUA_TNUMBER)
        i = find_choice(s, LUA_TNUMBER, given->number);
    else
        i = find_choice(s, given->type, given->type == LUA_TBOOLEAN && given->boolean);
    if (i >= 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->values.refs[i]);
        return;
    }
    bq_check_type(s, v);
    lua_pushnil(L);
}

/* --- null, nothing, anything --- */

void bq_check_null(lua_State *L, const struct bq_schema *s, struct bq_invalid *v)
{
    if (s->nullable || s->kind == BQ_SCHEMA_ANY) {
        bq_null_push(L);
    } else if (s->kind == BQ_SCHEMA_ENUM || s->kind == BQ_SCHEMA_CONST) {
        bq_check_choice(L, s, &(struct bq_scalar){.type = LUA_TNIL}, v);
    } else {
        bq_check_type(s, v);
        lua_pushnil(L);
    }
}

void bq_check_absent(lua_State *L, const struct bq_schema *s, struct bq_invalid *v)
{
    if (s->has_default) {
        bq_push_default(L, s);
        return;
    }
    if (!s->optional)
        bq_invalid_add(v, "missing", NULL, "Field required");
    lua_pushnil(L);
}

static void push_any(lua_State *L, const struct bq_scalar *given)
{
    if (given->type == LUA_TBOOLEAN)
        lua_pushboolean(L, given->boolean);
    else if (given->type == LUA_TNUMBER)
        lua_pushnumber(L, given->number);
    else
        lua_pushlstring(L, given->text.p, given->text.n);
}

/* A scalar of the type that the kind wants; false for another one. */
static bool check_typed(lua_State *L, const struct bq_schema *s, const struct bq_scalar *given,
                        struct bq_invalid *v)
{
    bool number = given->type == LUA_TNUMBER, string = given->type == LUA_TSTRING;
    if (s->kind == BQ_SCHEMA_STRING && string && given->raw && bq_format_is_bytes(s->string.format))
        bq_check_bytes(L, s, given->text, v);
    else if (s->kind == BQ_SCHEMA_STRING && string)
        bq_check_string(L, s, given->text, !given->raw, v);
    else if (s->kind == BQ_SCHEMA_INTEGER && number)
        bq_check_integer(L, s, given->number, v);
    else if (s->kind == BQ_SCHEMA_NUMBER && number)
        bq_check_number(L, s, given->number, v);
    else if (s->kind == BQ_SCHEMA_INT64 && number)
        check_int64_number(L, s, given, v);
    else if (s->kind == BQ_SCHEMA_INT64 && string)
        bq_check_int64(L, s, given->text, v);
    else if (s->kind == BQ_SCHEMA_BOOLEAN && given->type == LUA_TBOOLEAN)
        lua_pushboolean(L, given->boolean);
    else
        return false;
    return true;
}

void bq_check_scalar(lua_State *L, const struct bq_schema *s, const struct bq_scalar *given,
                     struct bq_invalid *v)
{
    if (given->type == LUA_TNIL) {
        bq_check_null(L, s, v);
    } else if (s->kind == BQ_SCHEMA_ENUM || s->kind == BQ_SCHEMA_CONST) {
        bq_check_choice(L, s, given, v);
    } else if (s->kind == BQ_SCHEMA_ANY) {
        push_any(L, given);
    } else if (!check_typed(L, s, given, v)) {
        bq_check_type(s, v);
        lua_pushnil(L);
    }
}

/* --- tables --- */

size_t bq_count_entries(lua_State *L, int index)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        count++;
    return count;
}

/* --- the application's own --- */

void bq_check_call(lua_State *L, const struct bq_schema *s, struct bq_invalid *v)
{
    bq_str why = BQ_STR("it is not accepted");
    luaL_checkstack(L, 4, "a check");
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->check_ref);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 2);
    if (!lua_toboolean(L, -2)) {
        if (lua_type(L, -1) == LUA_TSTRING)
            why.p = lua_tolstring(L, -1, &why.n);
        bq_problem_text(v, "value_error", "Value error, ", "error", why);
    }
    lua_pop(L, 2);
}

/* --- defaults --- */

/* Puts a copy in the place of the table at the top. */
static void copy_table(lua_State *L, unsigned depth)
{
    if (depth == DEFAULT_DEPTH_MAX)
        luaL_error(L, "a default is nested too deeply");
    luaL_checkstack(L, 5, "a default");
    int from = lua_gettop(L);
    lua_createtable(L, (int)lua_objlen(L, from), 0);
    lua_pushnil(L);
    while (lua_next(L, from)) {
        if (lua_istable(L, -1))
            copy_table(L, depth + 1);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, from + 1);
    }
    if (lua_getmetatable(L, from)) /* barq.array and barq.object mark so */
        lua_setmetatable(L, from + 1);
    lua_remove(L, from);
}

void bq_push_default(lua_State *L, const struct bq_schema *s)
{
    assert(s->has_default);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->default_ref);
    if (lua_istable(L, -1))
        copy_table(L, 0);
}
