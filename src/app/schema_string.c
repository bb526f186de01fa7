/*
 * schema_string.c: strings: trimmed, folded, measured, matched; and bytes.
 *
 * What has to be changed first gets its room in a userdata, so that nothing is lost when Lua
 * raises.
 */
#include "app/format.h"
#include "app/pattern.h"
#include "app/schema_check.h"
#include "app/schema_problem.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>

/* --- white space, as Unicode's property White_Space has it --- */

/* The length of the white space character at the start of s, which is valid UTF-8, or 0. */
static size_t space_length(bq_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (!s.n)
        return 0;
    if (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r'))
        return 1;
    if (s.n >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0)) /* U+0085, U+00A0 */
        return 2;
    if (s.n < 3 || p[0] < 0xe1 || p[0] > 0xe3)
        return 0;
    unsigned c = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    bool space = c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
                 c == 0x202f || c == 0x205f || c == 0x3000;
    return space ? 3 : 0;
}

/* The length of the character at the end of s. */
static size_t last_length(bq_str s)
{
    size_t n = 1;
    while (n < s.n && ((unsigned char)s.p[s.n - n] & 0xc0) == 0x80)
        n++;
    return n;
}

static bq_str trim(bq_str s)
{
    size_t n;
    while ((n = space_length(s)) > 0)
        s = bq_str_of(s.p + n, s.n - n);
    while (s.n) {
        n = last_length(s);
        if (!space_length(bq_str_of(s.p + s.n - n, n)))
            break;
        s.n -= n;
    }
    return s;
}

/* --- lower case --- */

static bool has_upper(bq_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z')
            return true;
    return false;
}

/* Pushes the memory that the folded text lies in. */
static bq_str push_lower(lua_State *L, bq_str s)
{
    char *to = lua_newuserdata(L, s.n);
    for (size_t i = 0; i < s.n; i++)
        to[i] = bq_lower(s.p[i]);
    return bq_str_of(to, s.n);
}

/* --- what it must be like --- */

static size_t count_characters(bq_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return count;
}

static bool fits_length(const struct bq_schema *s, size_t count, const char *what,
                        const char *element, struct bq_invalid *v)
{
    bool low = s->string.has & BQ_HAS_MIN && count < s->string.min;
    if (!low && !(s->string.has & BQ_HAS_MAX && count > s->string.max))
        return true;
    size_t bound = low ? s->string.min : s->string.max;
    char type[32], ctx[64];
    snprintf(type, sizeof type, "%s_too_%s", what, low ? "short" : "long");
    snprintf(ctx, sizeof ctx, "\"%s_length\":%zu", low ? "min" : "max", bound);
    bq_invalid_add(v, type, ctx, "%s should have at %s %zu %s%s",
                   what[0] == 's' ? "String" : "Data", low ? "least" : "most", bound, element,
                   bound == 1 ? "" : "s");
    return false;
}

static bool fits_format(const struct bq_format *format, bq_str text, struct bq_invalid *v)
{
    const char *fault = format ? format->fault(text) : NULL;
    if (fault && format->reason_key)
        bq_problem_text(v, format->type, format->message, format->reason_key, bq_str_cstr(fault));
    else if (fault)
        bq_invalid_add(v, format->type, NULL, "%s", format->message);
    return !fault;
}

static bool fits(const struct bq_schema *s, bq_str text, struct bq_invalid *v)
{
    if (s->string.has && !fits_length(s, count_characters(text), "string", "character", v))
        return false;
    if (s->string.pattern && !bq_pattern_matches(s->string.pattern, text, &v->pattern_steps_left)) {
        bq_problem_quoted(v, "string_pattern_mismatch", "String should match pattern ", "pattern",
                          bq_pattern_text(s->string.pattern));
        return false;
    }
    return fits_format(s->string.format, text, v);
}

/* --- bytes --- */

void bq_check_bytes(lua_State *L, const struct bq_schema *s, bq_str raw, struct bq_invalid *v)
{
    assert(s->kind == BQ_SCHEMA_STRING);
    if (fits_length(s, raw.n, "bytes", "byte", v))
        lua_pushlstring(L, raw.p, raw.n);
    else
        lua_pushnil(L);
}

static void check_base64(lua_State *L, const struct bq_schema *s, bq_str text, struct bq_invalid *v)
{
    if (!fits_format(s->string.format, text, v)) {
        lua_pushnil(L);
        return;
    }
    char *to = lua_newuserdata(L, text.n);
    bq_check_bytes(L, s, bq_str_of(to, bq_format_decode(text, to)), v);
    lua_remove(L, -2);
}

/* --- the whole --- */

static void push_text(lua_State *L, bool fitting, bq_str text)
{
    if (fitting)
        lua_pushlstring(L, text.p, text.n);
    else
        lua_pushnil(L);
}

void bq_check_string(lua_State *L, const struct bq_schema *s, bq_str text, bool valid_utf8,
                     struct bq_invalid *v)
{
    assert(s->kind == BQ_SCHEMA_STRING);
    if (bq_format_is_bytes(s->string.format)) {
        check_base64(L, s, text, v);
        return;
    }
    if (!valid_utf8 && !bq_utf8_valid(text)) {
        bq_invalid_add(
            v, "string_unicode", NULL,
            "Input should be a valid string, unable to parse raw data as a unicode string");
        lua_pushnil(L);
        return;
    }
    if (s->string.trim)
        text = trim(text);
    if (!s->string.lower || !has_upper(text)) {
        push_text(L, fits(s, text, v), text);
        return;
    }
    text = push_lower(L, text);
    push_text(L, fits(s, text, v), text);
    lua_remove(L, -2);
}
