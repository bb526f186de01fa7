/*
 * schema_scalar.c: strings, numbers, enums and constants, compiled.
 *
 * Everything that a request would have to work out again is made here: patterns, formats, both
 * forms of a bound, the index over an enum's texts, the text of what is expected.
 */
#include "app/format.h"
#include "app/pattern.h"
#include "app/schema_check.h"
#include "app/schema_index.h"
#include "app/schema_node.h"
#include "base/rc.h"
#include "json/write.h"

#include <float.h>
#include <math.h>

/* --- strings --- */

static void free_pattern(void *re)
{
    bq_pattern_free(re);
}

static bool compile_pattern(struct bq_compiler *c, struct bq_schema *s)
{
    bq_str text;
    if (!bq_node_get_text(c, "pattern", &text))
        return false;
    if (!text.p)
        return true;
    char why[256];
    struct bq_pattern_re *re = bq_pattern_compile(text, why);
    if (!re)
        return bq_node_fail(c, "the pattern '%.*s' is not a regular expression: %s",
                            BQ_STR_ARG(text), why);
    if (bq_arena_defer(&c->all->arena, free_pattern, re) != BQ_OK) {
        bq_pattern_free(re);
        return bq_node_fail_memory(c);
    }
    s->string.pattern = re;
    return true;
}

/* How many bytes have as many characters as they should, however long these are. */
static void find_right_lengths(struct bq_schema *s)
{
    unsigned has = s->string.has;
    s->string.bytes_min = 1;
    if (s->check_ref != LUA_NOREF || s->string.trim || s->string.lower || s->string.pattern ||
        s->string.format)
        return;
    s->string.bytes_min = has & BQ_HAS_MIN && s->string.min ? 4 * s->string.min - 3 : 0;
    s->string.bytes_max = has & BQ_HAS_MAX ? s->string.max : SIZE_MAX;
}

bool bq_node_compile_string(struct bq_compiler *c, struct bq_schema *s)
{
    bq_str format;
    s->string.trim = bq_node_get_flag(c, "trim");
    s->string.lower = bq_node_get_flag(c, "lower");
    if (!bq_node_get_size(c, "min", BQ_HAS_MIN, &s->string.has, &s->string.min) ||
        !bq_node_get_size(c, "max", BQ_HAS_MAX, &s->string.has, &s->string.max) ||
        !bq_node_get_text(c, "format", &format) || !compile_pattern(c, s))
        return false;
    if (format.p)
        s->string.format = bq_format_find(format);
    if (format.p && !s->string.format)
        return bq_node_fail(c, "there is no format '%.*s'", BQ_STR_ARG(format));
    find_right_lengths(s);
    if (bq_format_is_bytes(s->string.format) && s->string.pattern)
        return bq_node_fail(c, "bytes take no pattern");
    return true;
}

/* --- numbers --- */

/* An int64 from a number or decimal digits. */
static bool to_int64(lua_State *L, int index, int64_t *out)
{
    if (lua_type(L, index) == LUA_TNUMBER) {
        double v = lua_tonumber(L, index);
        *out = fabs(v) <= 9007199254740991.0 ? (int64_t)v : 0;
        return (double)*out == v;
    }
    bq_str text;
    uint64_t u;
    text.p = lua_tolstring(L, index, &text.n);
    bool negative = text.p && text.n && text.p[0] == '-';
    if (!text.p || bq_str_u64(bq_str_of(text.p + negative, text.n - negative), &u) != BQ_OK ||
        u > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? -u : u);
    return true;
}

/* Either form of a bound. An INTEGER has bounds with fractions too (above = 0.5), which its int64
 * form leaves out: there the double counts. */
static bool compile_bound(struct bq_compiler *c, struct bq_schema *s, const char *name,
                          unsigned bit, double *number, int64_t *whole)
{
    int type = bq_node_push_field(c, name);
    if (type == LUA_TNIL) {
        lua_pop(c->L, 1);
        return true;
    }
    bool fits = to_int64(c->L, -1, whole);
    *number = type == LUA_TNUMBER ? lua_tonumber(c->L, -1) : (double)*whole;
    lua_pop(c->L, 1);
    if (s->kind == BQ_SCHEMA_INT64 ? !fits : type != LUA_TNUMBER || !isfinite(*number))
        return bq_node_fail(c, "%s should be %s", name,
                            s->kind == BQ_SCHEMA_INT64 ? "a 64-bit integer" : "a finite number");
    if (bit == BQ_HAS_MULTIPLE && !(*number > 0))
        return bq_node_fail(c, "multiple_of should be above 0");
    s->number.has |= bit;
    return true;
}

/* A multiple has to be found out. */
static void find_right_numbers(struct bq_schema *s)
{
    unsigned has = s->number.has;
    double outmost = s->kind == BQ_SCHEMA_INTEGER ? BQ_SAFE_INTEGER_MAX : DBL_MAX;
    s->number.right_min = INFINITY;
    s->number.right_max = -INFINITY;
    if (s->check_ref != LUA_NOREF || has & ~(unsigned)(BQ_HAS_MIN | BQ_HAS_MAX))
        return;
    s->number.right_min = has & BQ_HAS_MIN ? fmax(s->number.min, -outmost) : -outmost;
    s->number.right_max = has & BQ_HAS_MAX ? fmin(s->number.max, outmost) : outmost;
}

bool bq_node_compile_number(struct bq_compiler *c, struct bq_schema *s)
{
    bool fine = compile_bound(c, s, "min", BQ_HAS_MIN, &s->number.min, &s->number.min64) &&
                compile_bound(c, s, "max", BQ_HAS_MAX, &s->number.max, &s->number.max64) &&
                compile_bound(c, s, "above", BQ_HAS_ABOVE, &s->number.above, &s->number.above64) &&
                compile_bound(c, s, "below", BQ_HAS_BELOW, &s->number.below, &s->number.below64) &&
                compile_bound(c, s, "multiple_of", BQ_HAS_MULTIPLE, &s->number.multiple,
                              &s->number.multiple64);
    find_right_numbers(s);
    return fine;
}

/* --- values of ENUM and CONST --- */

struct choices {
    int *refs;
    bq_str *texts;
    double *numbers;
    unsigned char *types;
};

/* Takes the value at the top of the stack, which is popped, as number i. Booleans are 0 and 1. */
static bool take_value(struct bq_compiler *c, struct choices *to, size_t i)
{
    int type = lua_type(c->L, -1);
    if (type == LUA_TLIGHTUSERDATA && !lua_touserdata(c->L, -1))
        type = LUA_TNIL;
    else if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
        return bq_node_fail(c, "a value should be a string, a number, a boolean or barq.null");
    to->types[i] = (unsigned char)type;
    if (type == LUA_TSTRING) {
        bq_str text;
        text.p = lua_tolstring(c->L, -1, &text.n);
        to->texts[i] = bq_arena_dup(&c->all->arena, text);
        if (!to->texts[i].p)
            return bq_node_fail_memory(c);
    } else if (type == LUA_TNUMBER) {
        to->numbers[i] = lua_tonumber(c->L, -1);
    } else if (type == LUA_TBOOLEAN) {
        to->numbers[i] = lua_toboolean(c->L, -1);
    }
    to->refs[i] = luaL_ref(c->L, LUA_REGISTRYINDEX);
    return true;
}

/* As Python shows it, for pydantic's messages. */
static void write_value(struct bq_buf *out, const struct bq_schema *s, size_t i)
{
    switch (s->values.types[i]) {
    case LUA_TSTRING:
        bq_buf_push(out, '\'');
        bq_buf_append(out, s->values.texts[i]);
        bq_buf_push(out, '\'');
        break;
    case LUA_TNUMBER:
        bq_json_write_number(out, s->values.numbers[i]);
        break;
    case LUA_TBOOLEAN:
        bq_buf_append(out, s->values.numbers[i] != 0 ? BQ_STR("True") : BQ_STR("False"));
        break;
    default:
        bq_buf_append(out, BQ_STR("None"));
    }
}

/* "'a', 'b' or 'c'" */
static bool write_expected(struct bq_compiler *c, struct bq_schema *s)
{
    struct bq_buf text = BQ_BUF_INIT;
    for (size_t i = 0; i < s->values.count; i++) {
        if (i)
            bq_buf_append(&text, i + 1 < s->values.count ? BQ_STR(", ") : BQ_STR(" or "));
        write_value(&text, s, i);
    }
    return bq_node_keep(c, &text, &s->values.expected);
}

static bool finish_choices(struct bq_compiler *c, struct bq_schema *s, const struct choices *of,
                           size_t count)
{
    s->values.count = count;
    s->values.refs = of->refs;
    s->values.texts = of->texts;
    s->values.numbers = of->numbers;
    s->values.types = of->types;
    if (bq_schema_index_make(&s->values.index, &c->all->arena, of->texts, count,
                             sizeof *of->texts) != BQ_OK)
        return bq_node_fail_memory(c);
    return write_expected(c, s);
}

static bool take_choices(struct bq_compiler *c, struct choices *to, size_t count)
{
    to->refs = bq_node_take(c, count * sizeof *to->refs);
    to->texts = bq_node_take(c, count * sizeof *to->texts);
    to->numbers = bq_node_take(c, count * sizeof *to->numbers);
    to->types = bq_node_take(c, count * sizeof *to->types);
    return to->refs && to->texts && to->numbers && to->types;
}

bool bq_node_compile_enum(struct bq_compiler *c, struct bq_schema *s)
{
    size_t count;
    struct choices to;
    if (!bq_node_push_list(c, "values", &count) || !take_choices(c, &to, count))
        return false;
    if (!count)
        return bq_node_fail(c, "an enum should have a value");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(c->L, -1, (int)i + 1);
        if (!take_value(c, &to, i))
            return false;
    }
    lua_pop(c->L, 1);
    return finish_choices(c, s, &to, count);
}

bool bq_node_compile_const(struct bq_compiler *c, struct bq_schema *s)
{
    struct choices to;
    if (!take_choices(c, &to, 1))
        return false;
    bq_node_push_field(c, "value");
    return take_value(c, &to, 0) && finish_choices(c, s, &to, 1);
}
