/*
 * schema_write.c: a Lua value as JSON text, as a schema declares it.
 *
 * On the request path: what a handler of a route with `returns` gives goes through here, straight
 * into the output buffer. The schema leads, not the table: each declared field is looked up by its
 * name, which waits in the registry, and its key is copied as it was escaped at start. What holds
 * for the walk is told in encoder.c.
 *
 * Written is what has the declared type. Bounds, patterns, formats and checks are not run again:
 * they guard the application against its callers, an answer comes from the application itself, and
 * to prove it once more would cost each request what reading did. Types, required fields, members
 * of enums and UTF-8 are what a client's decoder would stumble over.
 */
#include "app/encoder.h"
#include "app/format.h"
#include "app/schema_check.h"
#include "app/schema_index.h"
#include "base/rc.h"
#include "json/write.h"

#include <math.h>

/* What variants of unions may write in vain: a union in a union in a union whose first variants
 * fit until nearly the end would be walked 2^depth times. */
#define REWOUND_BYTES_MAX ((size_t)16 << 20)

static int write_as(struct bq_encoder *e, const void *how);

/* --- what does not fit --- */

static const char *expected_text(const struct bq_schema *s)
{
    static const char *const texts[] = {
        [BQ_SCHEMA_STRING] = "a string",   [BQ_SCHEMA_INTEGER] = "an integer",
        [BQ_SCHEMA_INT64] = "an int64",    [BQ_SCHEMA_NUMBER] = "a number",
        [BQ_SCHEMA_BOOLEAN] = "a boolean", [BQ_SCHEMA_ANY] = "a value",
        [BQ_SCHEMA_OBJECT] = "an object",  [BQ_SCHEMA_ARRAY] = "an array",
        [BQ_SCHEMA_MAP] = "a map",         [BQ_SCHEMA_UNION] = "a variant of a union",
    };
    return texts[s->kind];
}

static const char *found_text(lua_State *L)
{
    static const char *const texts[] = {
        [LUA_TNIL] = "nil",         [LUA_TBOOLEAN] = "a boolean",   [LUA_TNUMBER] = "a number",
        [LUA_TSTRING] = "a string", [LUA_TTABLE] = "a table",       [LUA_TFUNCTION] = "a function",
        [LUA_TTHREAD] = "a thread", [LUA_TUSERDATA] = "a userdata",
    };
    size_t type = (size_t)lua_type(L, -1);
    if (type == LUA_TLIGHTUSERDATA)
        return lua_touserdata(L, -1) ? "a userdata" : "barq.null";
    return type < sizeof texts / sizeof texts[0] ? texts[type] : "a cdata";
}

static int refuse(struct bq_encoder *e, const struct bq_schema *s)
{
    const char *found = found_text(e->L);
    if (s->kind == BQ_SCHEMA_ENUM || s->kind == BQ_SCHEMA_CONST)
        return bq_encoder_refuse(e, "%s, where %s%.*s is declared", found,
                                 s->values.count > 1 ? "one of " : "",
                                 BQ_STR_ARG(s->values.expected));
    if (s->kind == BQ_SCHEMA_OBJECT && s->name)
        return bq_encoder_refuse(e, "%s, where an object (%s) is declared", found, s->name);
    return bq_encoder_refuse(e, "%s, where %s is declared", found, expected_text(s));
}

/* The value is not one that the schema's kind writes: null, or a mistake. */
static int write_other(struct bq_encoder *e, const struct bq_schema *s)
{
    if (s->nullable && bq_encoder_is_null(e->L))
        return bq_buf_append(e->out, BQ_STR("null"));
    return refuse(e, s);
}

/* --- scalars --- */

static int write_string(struct bq_encoder *e, const struct bq_schema *s)
{
    if (!s->string.format || !bq_format_is_bytes(s->string.format))
        return bq_encoder_string(e);
    size_t n;
    const char *p = lua_tolstring(e->L, -1, &n);
    return bq_json_write_base64(e->out, bq_str_of(p, n));
}

static int write_integer(struct bq_encoder *e)
{
    double v = lua_tonumber(e->L, -1);
    if (!(fabs(v) <= BQ_SAFE_INTEGER_MAX) || v != floor(v))
        return bq_encoder_refuse(e, "a number with a fraction or beyond 2^53 - 1, where an "
                                    "integer is declared");
    return bq_json_write_number(e->out, v + 0.0); /* -0 becomes 0 */
}

/* Whether the digits are a JSON integer, and at most the limit, which has as many as any. */
static bool digits_fit(bq_str digits, bq_str limit)
{
    for (size_t i = 0; i < digits.n; i++)
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
    if (digits.n == 0 || digits.n > limit.n || (digits.n > 1 && digits.p[0] == '0'))
        return false;
    return digits.n < limit.n || memcmp(digits.p, limit.p, limit.n) <= 0;
}

/* As JSON has it, so that it can be copied: no plus sign, no zeros in front, no "-0". */
static bool is_int64(bq_str s)
{
    if (s.n == 0 || s.p[0] != '-')
        return digits_fit(s, BQ_STR("9223372036854775807"));
    bq_str digits = bq_str_of(s.p + 1, s.n - 1);
    return digits_fit(digits, BQ_STR("9223372036854775808")) && digits.p[0] != '0';
}

static int write_int64(struct bq_encoder *e)
{
    if (lua_type(e->L, -1) == LUA_TNUMBER)
        return write_integer(e);
    size_t n;
    const char *p = lua_tolstring(e->L, -1, &n);
    if (!is_int64(bq_str_of(p, n)))
        return bq_encoder_refuse(e, "a string that is not a decimal number, where an int64 is "
                                    "declared");
    return bq_buf_append(e->out, bq_str_of(p, n));
}

static bool is_text_member(lua_State *L, const struct bq_schema *s)
{
    size_t n;
    const char *p = lua_tolstring(L, -1, &n);
    return bq_schema_index_find(&s->values.index, s->values.texts, sizeof *s->values.texts,
                                bq_str_of(p, n)) >= 0;
}

/* Whether the value on top is a member of the ENUM or CONST. */
static bool is_member(lua_State *L, const struct bq_schema *s)
{
    int type = bq_encoder_is_null(L) ? LUA_TNIL : lua_type(L, -1);
    if (type == LUA_TSTRING)
        return is_text_member(L, s);
    double v = type == LUA_TBOOLEAN ? lua_toboolean(L, -1) : lua_tonumber(L, -1);
    for (size_t i = 0; i < s->values.count; i++)
        if (s->values.types[i] == type && (type == LUA_TNIL || s->values.numbers[i] == v))
            return true;
    return false;
}

static int write_member(struct bq_encoder *e, const struct bq_schema *s)
{
    return is_member(e->L, s) ? bq_encoder_any(e, NULL) : write_other(e, s);
}

/* --- objects --- */

static int write_key(struct bq_buf *out, char before, bq_str key)
{
    if (bq_buf_reserve(out, key.n + 1) != BQ_OK)
        return BQ_MEMORY;
    char *to = out->data + out->len;
    *to = before;
    memcpy(to + 1, key.p, key.n);
    out->len += key.n + 1;
    return BQ_OK;
}

/* The field is nil: true when nothing is to be written, else its default or nil is on top. */
static bool skip_absent(lua_State *L, const struct bq_schema *s)
{
    if (s->has_default) {
        lua_pop(L, 1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->default_ref);
        return false;
    }
    return s->optional;
}

/* Writes the field of the table on top, behind *before. */
static int write_field(struct bq_encoder *e, const struct bq_schema_field *field, char *before)
{
    const struct bq_schema *s = field->schema;
    lua_rawgeti(e->L, LUA_REGISTRYINDEX, field->name_ref);
    lua_rawget(e->L, -2);
    bq_encoder_at(e, field->name.p, field->name.n);
    if (lua_isnil(e->L, -1)) {
        if (skip_absent(e->L, s)) {
            lua_pop(e->L, 1);
            return BQ_OK;
        }
        if (!s->has_default && !s->nullable)
            return bq_encoder_refuse(e, "it is missing, and not declared as optional");
    }
    int rc = write_key(e->out, *before, field->json_key);
    if (rc == BQ_OK)
        rc = write_as(e, s);
    if (rc != BQ_OK)
        return rc;
    *before = ',';
    lua_pop(e->L, 1);
    return BQ_OK;
}

static bool is_declared(lua_State *L, const struct bq_schema *s)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        return false;
    size_t n;
    const char *p = lua_tolstring(L, -2, &n);
    return bq_schema_find(s, bq_str_of(p, n)) != NULL;
}

/* What extra = "keep" lets through, in the order of the table. */
static int write_extra(struct bq_encoder *e, const struct bq_schema *s, char *before)
{
    lua_pushnil(e->L);
    while (lua_next(e->L, -2)) {
        int rc = BQ_OK;
        if (!is_declared(e->L, s)) {
            rc = bq_buf_push(e->out, *before);
            *before = ',';
            if (rc == BQ_OK)
                rc = bq_encoder_key(e);
            if (rc == BQ_OK)
                rc = bq_encoder_any(e, NULL);
        }
        if (rc != BQ_OK)
            return rc;
        lua_pop(e->L, 1);
    }
    return BQ_OK;
}

/* No field is there: an empty object, unless the table is an array. */
static int write_no_field(struct bq_encoder *e, const struct bq_schema *s)
{
    lua_rawgeti(e->L, -1, 1);
    bool array = !lua_isnil(e->L, -1);
    lua_pop(e->L, 1);
    if (!array)
        return bq_buf_append(e->out, BQ_STR("{}"));
    e->depth--; /* about the table itself */
    return bq_encoder_refuse(e, "an array, where an object%s%s%s is declared", s->name ? " (" : "",
                             s->name ? s->name : "", s->name ? ")" : "");
}

static int write_fields(struct bq_encoder *e, const struct bq_schema *s)
{
    char before = '{';
    for (size_t i = 0; i < s->object.count; i++) {
        int rc = write_field(e, &s->object.fields[i], &before);
        if (rc != BQ_OK)
            return rc;
    }
    int rc = s->object.extra == BQ_EXTRA_KEEP ? write_extra(e, s, &before) : BQ_OK;
    if (rc != BQ_OK)
        return rc;
    return before == '{' ? write_no_field(e, s) : bq_buf_push(e->out, '}');
}

/* --- arrays and maps --- */

static int write_elements(struct bq_encoder *e, const struct bq_schema *s)
{
    lua_pushnil(e->L);
    if (!lua_next(e->L, -2))
        return bq_buf_append(e->out, BQ_STR("[]"));
    return bq_encoder_elements(e, write_as, s->list.of);
}

static int write_entries(struct bq_encoder *e, const struct bq_schema *s)
{
    char before = '{';
    lua_pushnil(e->L);
    while (lua_next(e->L, -2)) {
        int rc = bq_buf_push(e->out, before);
        if (rc == BQ_OK)
            rc = bq_encoder_key(e);
        if (rc == BQ_OK)
            rc = write_as(e, s->list.of);
        if (rc != BQ_OK)
            return rc;
        before = ',';
        lua_pop(e->L, 1);
    }
    return bq_buf_append(e->out, before == '{' ? BQ_STR("{}") : BQ_STR("}"));
}

static int write_table(struct bq_encoder *e, const struct bq_schema *s)
{
    int rc = bq_encoder_enter(e);
    if (rc != BQ_OK)
        return rc;
    if (s->kind == BQ_SCHEMA_OBJECT)
        rc = write_fields(e, s);
    else
        rc = s->kind == BQ_SCHEMA_ARRAY ? write_elements(e, s) : write_entries(e, s);
    if (rc == BQ_OK)
        e->depth--;
    return rc;
}

/* --- unions --- */

/* The variant that the tag of the table on top stands for, or NULL. */
static const struct bq_schema *find_variant(lua_State *L, const struct bq_schema *s)
{
    const struct bq_schema_field *tag = bq_schema_find(s->of.variants[0], s->of.tag);
    const struct bq_schema *variant = NULL;
    lua_rawgeti(L, LUA_REGISTRYINDEX, tag->name_ref);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t n;
        const char *p = lua_tolstring(L, -1, &n);
        variant = bq_schema_variant(s, bq_str_of(p, n));
    }
    lua_pop(L, 1);
    return variant;
}

static int write_tagged(struct bq_encoder *e, const struct bq_schema *s)
{
    if (!lua_istable(e->L, -1))
        return write_other(e, s);
    const struct bq_schema *variant = find_variant(e->L, s);
    if (!variant)
        return bq_encoder_refuse(e, "the tag \"%.*s\" is none of %.*s", BQ_STR_ARG(s->of.tag),
                                 BQ_STR_ARG(s->of.expected));
    return write_as(e, variant);
}

/* The Lua types that a kind writes. Null is for write_other. */
static bool accepts(const struct bq_schema *s, int type)
{
    enum { SCALARS = 1 << LUA_TSTRING | 1 << LUA_TNUMBER | 1 << LUA_TBOOLEAN };
    static const unsigned short types[] = {
        [BQ_SCHEMA_STRING] = 1 << LUA_TSTRING,
        [BQ_SCHEMA_INTEGER] = 1 << LUA_TNUMBER,
        [BQ_SCHEMA_INT64] = 1 << LUA_TNUMBER | 1 << LUA_TSTRING,
        [BQ_SCHEMA_NUMBER] = 1 << LUA_TNUMBER,
        [BQ_SCHEMA_BOOLEAN] = 1 << LUA_TBOOLEAN,
        [BQ_SCHEMA_ENUM] = SCALARS | 1 << LUA_TNIL | 1 << LUA_TLIGHTUSERDATA,
        [BQ_SCHEMA_CONST] = SCALARS | 1 << LUA_TNIL | 1 << LUA_TLIGHTUSERDATA,
        [BQ_SCHEMA_ANY] = 0xffff,
        [BQ_SCHEMA_OBJECT] = 1 << LUA_TTABLE,
        [BQ_SCHEMA_ARRAY] = 1 << LUA_TTABLE,
        [BQ_SCHEMA_MAP] = 1 << LUA_TTABLE,
        [BQ_SCHEMA_UNION] = 0xffff,
    };
    return types[s->kind] >> type & 1;
}

/* Takes back what a variant wrote before it did not fit. Fails: BQ_INVALID when that happens
 * too much. */
static int rewind_to(struct bq_encoder *e, int top, unsigned depth, size_t size)
{
    e->rewound_bytes += bq_buf_size(e->out) - size;
    lua_settop(e->L, top);
    e->depth = depth;
    e->out->len = e->out->pos + size;
    if (e->rewound_bytes > REWOUND_BYTES_MAX)
        return bq_encoder_refuse(e, "too much of it fits two variants of a union; give the "
                                    "union a tag");
    return BQ_OK;
}

/* The first variant that fits. A variant of another type is passed over without a try. */
static int write_untagged(struct bq_encoder *e, const struct bq_schema *s)
{
    int top = lua_gettop(e->L);
    unsigned depth = e->depth;
    size_t size = bq_buf_size(e->out);
    bool null = bq_encoder_is_null(e->L);
    for (size_t i = 0; i < s->of.count; i++) {
        const struct bq_schema *variant = s->of.variants[i];
        if (!accepts(variant, lua_type(e->L, -1)) && !(null && variant->nullable))
            continue;
        int rc = write_as(e, variant);
        if (rc != BQ_INVALID)
            return rc;
        rc = rewind_to(e, top, depth, size);
        if (rc != BQ_OK)
            return rc;
    }
    if (null)
        return write_other(e, s);
    return bq_encoder_refuse(e, "%s that fits none of the union's %zu variants", found_text(e->L),
                             s->of.count);
}

/* --- the whole --- */

static int write_as(struct bq_encoder *e, const void *how)
{
    const struct bq_schema *s = how;
    if (!accepts(s, lua_type(e->L, -1)))
        return write_other(e, s);
    switch (s->kind) {
    case BQ_SCHEMA_STRING:
        return write_string(e, s);
    case BQ_SCHEMA_INTEGER:
        return write_integer(e);
    case BQ_SCHEMA_INT64:
        return write_int64(e);
    case BQ_SCHEMA_NUMBER:
        return bq_encoder_number(e);
    case BQ_SCHEMA_ENUM:
    case BQ_SCHEMA_CONST:
        return write_member(e, s);
    case BQ_SCHEMA_OBJECT:
    case BQ_SCHEMA_ARRAY:
    case BQ_SCHEMA_MAP:
        return write_table(e, s);
    case BQ_SCHEMA_UNION:
        return s->of.tag.n ? write_tagged(e, s) : write_untagged(e, s);
    case BQ_SCHEMA_BOOLEAN:
    case BQ_SCHEMA_ANY:
        break;
    }
    return bq_encoder_any(e, NULL);
}

static int write_root(struct bq_encoder *e, const void *how)
{
    e->declared = true;
    return write_as(e, how);
}

int bq_schema_write(lua_State *L, const struct bq_schema *s, int index, struct bq_buf *out,
                    struct bq_encode_error *error)
{
    return bq_encoder_run(L, index, out, error, write_root, s);
}
