/*
 * schema_text.c: strings of the wire (params, query, headers, cookies, forms) to values.
 *
 * On the request path behind MATCH and for forms. Numbers and booleans are converted as pydantic's
 * lax mode does, with two exceptions: no underscores among digits, and no NaN and infinity. Nothing
 * on the wire stands for null, for an object or for a map.
 */
#include "app/schema_check.h"
#include "base/utf8.h"
#include "json/read.h"

#include <math.h>

/* A number of more characters is none. */
#define NUMBER_BYTES_MAX 400
#define INT64_BYTES_MAX  24

/* --- scanning --- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bq_str trim(bq_str s)
{
    while (s.n && is_space(s.p[0]))
        s = bq_str_of(s.p + 1, s.n - 1);
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool take(bq_str *rest, char c)
{
    if (!rest->n || rest->p[0] != c)
        return false;
    *rest = bq_str_of(rest->p + 1, rest->n - 1);
    return true;
}

static bool take_sign(bq_str *rest)
{
    bool negative = take(rest, '-');
    if (!negative)
        take(rest, '+');
    return negative;
}

static bq_str take_digits(bq_str *rest)
{
    size_t n = 0;
    while (n < rest->n && is_digit(rest->p[n]))
        n++;
    bq_str digits = bq_str_of(rest->p, n);
    *rest = bq_str_of(rest->p + n, rest->n - n);
    return digits;
}

/* All but the last of leading zeros. */
static bq_str without_zeros(bq_str digits)
{
    while (digits.n > 1 && digits.p[0] == '0')
        digits = bq_str_of(digits.p + 1, digits.n - 1);
    return digits;
}

/* --- integers --- */

/* "5", "+5", "007", "5.0": the digits before the point, no leading zeros. */
static bool parse_integer(bq_str text, bool *negative, bq_str *digits)
{
    text = trim(text);
    *negative = take_sign(&text);
    *digits = without_zeros(take_digits(&text));
    if (text.n > 1 && take(&text, '.'))
        while (take(&text, '0'))
            ;
    return digits->n && !text.n;
}

static void refuse_integer(lua_State *L, struct bq_invalid *v)
{
    bq_invalid_add(v, "int_parsing", NULL,
                   "Input should be a valid integer, unable to parse string as an integer");
    lua_pushnil(L);
}

static void read_integer(lua_State *L, const struct bq_schema *s, bq_str text, struct bq_invalid *v)
{
    bool negative;
    bq_str digits;
    uint64_t u;
    if (!parse_integer(text, &negative, &digits)) {
        refuse_integer(L, v);
        return;
    }
    /* What is beyond 64 bits is beyond the bounds of an integer whatever it is. */
    double value = bq_str_u64(digits, &u) == 0 ? (double)u : (double)UINT64_MAX;
    bq_check_integer(L, s, negative ? -value : value, v);
}

static void read_int64(lua_State *L, const struct bq_schema *s, bq_str text, struct bq_invalid *v)
{
    bool negative;
    bq_str digits;
    char canonical[INT64_BYTES_MAX];
    if (!parse_integer(text, &negative, &digits)) {
        refuse_integer(L, v);
        return;
    }
    if (digits.n >= sizeof canonical) {
        bq_check_int64(L, s, digits, v);
        return;
    }
    canonical[0] = '-';
    memcpy(canonical + negative, digits.p, digits.n);
    bq_check_int64(L, s, bq_str_of(canonical, digits.n + negative), v);
}

/* --- numbers --- */

static char *append(char *to, bq_str s)
{
    memcpy(to, s.p, s.n);
    return to + s.n;
}

/* The number as JSON writes it, for the reader that rounds correctly in every locale: neither "+5"
 * nor "007", ".5" and "5.". Gives its length, or 0. */
static size_t normalize(bq_str text, char out[static NUMBER_BYTES_MAX + 4])
{
    char *to = out;
    if (text.n > NUMBER_BYTES_MAX)
        return 0;
    if (take_sign(&text))
        *to++ = '-';
    bq_str whole = take_digits(&text), fraction = bq_str_of("", 0);
    if (take(&text, '.'))
        fraction = take_digits(&text);
    if (!whole.n && !fraction.n)
        return 0;
    to = append(to, whole.n ? without_zeros(whole) : BQ_STR("0"));
    if (fraction.n) {
        *to++ = '.';
        to = append(to, fraction);
    }
    if (take(&text, 'e') || take(&text, 'E')) {
        *to++ = 'e';
        if (take_sign(&text))
            *to++ = '-';
        bq_str exponent = take_digits(&text);
        to = append(to, exponent);
        if (!exponent.n)
            return 0;
    }
    return text.n ? 0 : (size_t)(to - out);
}

static bool is_infinite_or_nan(bq_str text)
{
    take_sign(&text);
    return bq_str_eq_nocase(text, BQ_STR("inf")) || bq_str_eq_nocase(text, BQ_STR("infinity")) ||
           bq_str_eq_nocase(text, BQ_STR("nan"));
}

/* Infinity for what is beyond a double's range, and for what says so. */
static bool parse_number(bq_str text, double *value)
{
    char normal[NUMBER_BYTES_MAX + 4];
    text = trim(text);
    *value = INFINITY;
    size_t n = normalize(text, normal);
    if (!n)
        return is_infinite_or_nan(text);
    struct bq_buf scratch = BQ_BUF_INIT; /* stays empty: a number is no string */
    struct bq_json_reader r;
    bq_json_reader_init(&r, bq_str_of(normal, n), 1, &scratch);
    if (bq_json_value(&r) == BQ_JSON_NUMBER)
        *value = r.number.value;
    return true;
}

static void read_number(lua_State *L, const struct bq_schema *s, bq_str text, struct bq_invalid *v)
{
    double value;
    if (parse_number(text, &value)) {
        bq_check_number(L, s, value, v);
        return;
    }
    bq_invalid_add(v, "float_parsing", NULL,
                   "Input should be a valid number, unable to parse string as a number");
    lua_pushnil(L);
}

/* --- booleans --- */

static bool parse_boolean(bq_str text, bool *value)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes",
                                        "off",   "on",   "f", "t", "n",  "y"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (bq_str_eq_nocase(text, bq_str_cstr(words[i]))) {
            *value = i % 2;
            return true;
        }
    }
    return false;
}

static void read_boolean(lua_State *L, bq_str text, struct bq_invalid *v)
{
    bool value;
    if (parse_boolean(text, &value)) {
        lua_pushboolean(L, value);
        return;
    }
    bq_invalid_add(v, "bool_parsing", NULL,
                   "Input should be a valid boolean, unable to interpret input");
    lua_pushnil(L);
}

/* --- ENUM, CONST --- */

/* The text as a value of the same type as the schema's ith. */
static bool read_as(bq_str text, unsigned char type, struct bq_scalar *out)
{
    out->type = type;
    if (type == LUA_TNUMBER)
        return parse_number(text, &out->number);
    return type == LUA_TBOOLEAN && parse_boolean(text, &out->boolean);
}

static bool is_value(const struct bq_schema *s, size_t i, bq_str text)
{
    struct bq_scalar given;
    if (!read_as(text, s->values.types[i], &given))
        return false;
    return s->values.numbers[i] == (given.type == LUA_TNUMBER ? given.number : given.boolean);
}

/* Strings first: an enum of "1" and 1 gets the string. */
static void read_choice(lua_State *L, const struct bq_schema *s, bq_str text, struct bq_invalid *v)
{
    struct bq_scalar given = {.type = LUA_TSTRING, .text = text};
    for (size_t i = 0; i < s->values.count; i++) {
        if (s->values.types[i] != LUA_TSTRING || !bq_str_eq(s->values.texts[i], text))
            continue;
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->values.refs[i]);
        return;
    }
    for (size_t i = 0; i < s->values.count; i++) {
        if (!is_value(s, i, text))
            continue;
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->values.refs[i]);
        return;
    }
    bq_check_choice(L, s, &given, v);
}

/* --- what is made of several --- */

static void read_elements(lua_State *L, const struct bq_schema *s, const bq_str *values,
                          size_t count, struct bq_invalid *v)
{
    size_t before = v->count;
    luaL_checkstack(L, 4, "values of a repeated name");
    lua_createtable(L, count < INT_MAX ? (int)count : 0, 0);
    for (size_t i = 0; i < count; i++) {
        bq_invalid_push_index(v, i);
        bq_schema_read_text(L, s->list.of, &values[i], 1, v);
        bq_invalid_pop(v);
        lua_rawseti(L, -2, (int)i + 1);
    }
    bq_check_elements(L, s, count, before, v);
}

/* The first variant that fits; what is wrong with all of them if none does. */
static void read_variants(lua_State *L, const struct bq_schema *s, const bq_str *values,
                          size_t count, struct bq_invalid *v)
{
    struct bq_invalid_mark mark = bq_invalid_mark(v);
    for (size_t i = 0; i < s->of.count; i++) {
        size_t before = v->count;
        bq_invalid_push_key(v, bq_schema_label(s->of.variants[i]));
        bq_schema_read_text(L, s->of.variants[i], values, count, v);
        bq_invalid_pop(v);
        if (v->count == before) {
            bq_invalid_rewind(v, mark);
            return;
        }
        lua_pop(L, 1);
    }
    lua_pushnil(L);
}

static void read_any(lua_State *L, bq_str text, struct bq_invalid *v)
{
    static const struct bq_schema string = {.kind = BQ_SCHEMA_STRING, .check_ref = LUA_NOREF};
    bq_check_string(L, &string, text, false, v);
}

static void read_one(lua_State *L, const struct bq_schema *s, bq_str text, struct bq_invalid *v)
{
    switch (s->kind) {
    case BQ_SCHEMA_STRING:
        bq_check_string(L, s, text, false, v);
        break;
    case BQ_SCHEMA_INTEGER:
        read_integer(L, s, text, v);
        break;
    case BQ_SCHEMA_INT64:
        read_int64(L, s, text, v);
        break;
    case BQ_SCHEMA_NUMBER:
        read_number(L, s, text, v);
        break;
    case BQ_SCHEMA_BOOLEAN:
        read_boolean(L, text, v);
        break;
    case BQ_SCHEMA_ENUM:
    case BQ_SCHEMA_CONST:
        read_choice(L, s, text, v);
        break;
    case BQ_SCHEMA_ANY:
        read_any(L, text, v);
        break;
    default:
        bq_check_type(s, v);
        lua_pushnil(L);
    }
}

void bq_schema_read_text(lua_State *L, const struct bq_schema *s, const bq_str *values,
                         size_t count, struct bq_invalid *v)
{
    size_t before = v->count;
    luaL_checkstack(L, 4, "a value of the wire");
    if (!count) {
        bq_check_absent(L, s, v);
        return;
    }
    if (s->kind == BQ_SCHEMA_ARRAY)
        read_elements(L, s, values, count, v);
    else if (s->kind == BQ_SCHEMA_UNION && !s->of.tag.n)
        read_variants(L, s, values, count, v);
    else
        read_one(L, s, values[count - 1], v);
    bq_check_custom(L, s, before, v);
}
