/*
 * schema_compile.c: from the nodes of lua/barq/schema to struct bq_schema, once, at the freeze.
 *
 * The walk holds the node that it is at on top of the Lua stack. A node is entered into the memo
 * before its inside is compiled, which ends recursion; so what needs the finished inside of another
 * schema (a reference with options of its own, the tags of a union) waits in a list until the walk
 * is over. Nodes have been checked by Lua; what is checked here again protects the reading of them.
 */
#include "app/decode.h"
#include "app/format.h"
#include "app/pattern.h"
#include "app/schema.h"
#include "app/schema_index.h"
#include "base/rc.h"
#include "json/write.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define ERROR_BYTES_MAX   512
#define COMPILE_DEPTH_MAX 200

/* A reference whose target is copied into it, or (target NULL) a union that wants its tags. */
struct pending {
    struct pending *next;
    struct bq_schema *schema;
    const struct bq_schema *target;
};

struct compiler {
    lua_State *L;
    struct bq_schemas *all;
    char *error;
    unsigned depth;
    bool blamed; /* the error names the place of a node */
    struct pending *pending;
};

static struct bq_schema *compile_node(struct compiler *c);

/* --- what goes wrong --- */

static bool fail(struct compiler *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct compiler *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->error, ERROR_BYTES_MAX, format, ap);
    va_end(ap);
    return false;
}

static bool fail_memory(struct compiler *c)
{
    return fail(c, "not enough memory");
}

/* Zeroed. */
static void *take(struct compiler *c, size_t n)
{
    void *p = bq_arena_alloc(&c->all->arena, n);
    if (p)
        memset(p, 0, n);
    else
        fail_memory(c);
    return p;
}

/* --- the node at the top of the stack --- */

/* Pushes a field. */
static int push_field(struct compiler *c, const char *name)
{
    lua_pushstring(c->L, name);
    lua_rawget(c->L, -2);
    return lua_type(c->L, -1);
}

static bool get_flag(struct compiler *c, const char *name)
{
    push_field(c, name);
    bool yes = lua_toboolean(c->L, -1);
    lua_pop(c->L, 1);
    return yes;
}

/* A copy; p NULL if there is none. */
static bool get_text(struct compiler *c, const char *name, bq_str *out)
{
    *out = bq_str_of(NULL, 0);
    if (push_field(c, name) == LUA_TSTRING) {
        bq_str text;
        text.p = lua_tolstring(c->L, -1, &text.n);
        *out = bq_arena_dup(&c->all->arena, text);
        if (!out->p)
            return fail_memory(c);
    }
    lua_pop(c->L, 1);
    return true;
}

/* LUA_NOREF for nil. */
static int get_ref(struct compiler *c, const char *name)
{
    if (push_field(c, name) != LUA_TNIL)
        return luaL_ref(c->L, LUA_REGISTRYINDEX);
    lua_pop(c->L, 1);
    return LUA_NOREF;
}

static bool get_size(struct compiler *c, const char *name, unsigned bit, unsigned *has, size_t *out)
{
    int type = push_field(c, name);
    double v = lua_tonumber(c->L, -1);
    lua_pop(c->L, 1);
    if (type == LUA_TNIL)
        return true;
    if (type != LUA_TNUMBER || !(v >= 0 && v <= 9007199254740991.0) || v != floor(v))
        return fail(c, "%s should be an integer from 0", name);
    *out = (size_t)v;
    *has |= bit;
    return true;
}

/* The list in a field, left on the stack; its length. */
static bool push_list(struct compiler *c, const char *name, size_t *count)
{
    if (push_field(c, name) != LUA_TTABLE)
        return fail(c, "%s should be a list", name);
    *count = lua_objlen(c->L, -1);
    if (*count > BQ_SCHEMA_NAMES_MAX)
        return fail(c, "%s should have at most %d elements", name, BQ_SCHEMA_NAMES_MAX);
    return true;
}

/* --- strings --- */

static void free_pattern(void *re)
{
    bq_pattern_free(re);
}

static bool compile_pattern(struct compiler *c, struct bq_schema *s)
{
    bq_str text;
    if (!get_text(c, "pattern", &text))
        return false;
    if (!text.p)
        return true;
    char why[256];
    struct bq_pattern_re *re = bq_pattern_compile(text, why);
    if (!re)
        return fail(c, "the pattern '%.*s' is not a regular expression: %s", BQ_STR_ARG(text), why);
    if (bq_arena_defer(&c->all->arena, free_pattern, re) != BQ_OK) {
        bq_pattern_free(re);
        return fail_memory(c);
    }
    s->string.pattern = re;
    return true;
}

static bool compile_string(struct compiler *c, struct bq_schema *s)
{
    bq_str format;
    s->string.trim = get_flag(c, "trim");
    s->string.lower = get_flag(c, "lower");
    if (!get_size(c, "min", BQ_HAS_MIN, &s->string.has, &s->string.min) ||
        !get_size(c, "max", BQ_HAS_MAX, &s->string.has, &s->string.max) ||
        !get_text(c, "format", &format) || !compile_pattern(c, s))
        return false;
    if (!format.p)
        return true;
    s->string.format = bq_format_find(format);
    if (!s->string.format)
        return fail(c, "there is no format '%.*s'", BQ_STR_ARG(format));
    if (bq_format_is_bytes(s->string.format) && s->string.pattern)
        return fail(c, "bytes take no pattern");
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
static bool compile_bound(struct compiler *c, struct bq_schema *s, const char *name, unsigned bit,
                          double *number, int64_t *whole)
{
    int type = push_field(c, name);
    if (type == LUA_TNIL) {
        lua_pop(c->L, 1);
        return true;
    }
    bool fits = to_int64(c->L, -1, whole);
    *number = type == LUA_TNUMBER ? lua_tonumber(c->L, -1) : (double)*whole;
    lua_pop(c->L, 1);
    if (s->kind == BQ_SCHEMA_INT64 ? !fits : type != LUA_TNUMBER || !isfinite(*number))
        return fail(c, "%s should be %s", name,
                    s->kind == BQ_SCHEMA_INT64 ? "a 64-bit integer" : "a finite number");
    if (bit == BQ_HAS_MULTIPLE && !(*number > 0))
        return fail(c, "multiple_of should be above 0");
    s->number.has |= bit;
    return true;
}

static bool compile_number(struct compiler *c, struct bq_schema *s)
{
    return compile_bound(c, s, "min", BQ_HAS_MIN, &s->number.min, &s->number.min64) &&
           compile_bound(c, s, "max", BQ_HAS_MAX, &s->number.max, &s->number.max64) &&
           compile_bound(c, s, "above", BQ_HAS_ABOVE, &s->number.above, &s->number.above64) &&
           compile_bound(c, s, "below", BQ_HAS_BELOW, &s->number.below, &s->number.below64) &&
           compile_bound(c, s, "multiple_of", BQ_HAS_MULTIPLE, &s->number.multiple,
                         &s->number.multiple64);
}

/* --- values of ENUM and CONST --- */

struct choices {
    int *refs;
    bq_str *texts;
    double *numbers;
    unsigned char *types;
};

/* Takes the value at the top of the stack, which is popped, as number i. Booleans are 0 and 1. */
static bool take_value(struct compiler *c, struct choices *to, size_t i)
{
    int type = lua_type(c->L, -1);
    if (type == LUA_TLIGHTUSERDATA && !lua_touserdata(c->L, -1))
        type = LUA_TNIL;
    else if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
        return fail(c, "a value should be a string, a number, a boolean or barq.null");
    to->types[i] = (unsigned char)type;
    if (type == LUA_TSTRING) {
        bq_str text;
        text.p = lua_tolstring(c->L, -1, &text.n);
        to->texts[i] = bq_arena_dup(&c->all->arena, text);
        if (!to->texts[i].p)
            return fail_memory(c);
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

/* Gives the buffer's text a place in the arena and releases it. */
static bool keep(struct compiler *c, struct bq_buf *from, bq_str *out)
{
    if (!from->failed)
        *out = bq_arena_dup(&c->all->arena, bq_buf_str(from));
    bq_buf_release(from);
    return out->p || fail_memory(c);
}

/* "'a', 'b' or 'c'" */
static bool write_expected(struct compiler *c, struct bq_schema *s)
{
    struct bq_buf text = BQ_BUF_INIT;
    for (size_t i = 0; i < s->values.count; i++) {
        if (i)
            bq_buf_append(&text, i + 1 < s->values.count ? BQ_STR(", ") : BQ_STR(" or "));
        write_value(&text, s, i);
    }
    return keep(c, &text, &s->values.expected);
}

static bool finish_choices(struct compiler *c, struct bq_schema *s, const struct choices *of,
                           size_t count)
{
    s->values.count = count;
    s->values.refs = of->refs;
    s->values.texts = of->texts;
    s->values.numbers = of->numbers;
    s->values.types = of->types;
    if (bq_schema_index_make(&s->values.index, &c->all->arena, of->texts, count,
                             sizeof *of->texts) != BQ_OK)
        return fail_memory(c);
    return write_expected(c, s);
}

static bool take_choices(struct compiler *c, struct choices *to, size_t count)
{
    to->refs = take(c, count * sizeof *to->refs);
    to->texts = take(c, count * sizeof *to->texts);
    to->numbers = take(c, count * sizeof *to->numbers);
    to->types = take(c, count * sizeof *to->types);
    return to->refs && to->texts && to->numbers && to->types;
}

static bool compile_enum(struct compiler *c, struct bq_schema *s)
{
    size_t count;
    struct choices to;
    if (!push_list(c, "values", &count) || !take_choices(c, &to, count))
        return false;
    if (!count)
        return fail(c, "an enum should have a value");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(c->L, -1, (int)i + 1);
        if (!take_value(c, &to, i))
            return false;
    }
    lua_pop(c->L, 1);
    return finish_choices(c, s, &to, count);
}

static bool compile_const(struct compiler *c, struct bq_schema *s)
{
    struct choices to;
    if (!take_choices(c, &to, 1))
        return false;
    push_field(c, "value");
    return take_value(c, &to, 0) && finish_choices(c, s, &to, 1);
}

/* --- objects --- */

static bool write_key(struct compiler *c, struct bq_schema_field *field)
{
    struct bq_buf text = BQ_BUF_INIT;
    if (bq_json_write_string(&text, field->name) == BQ_INVALID) {
        bq_buf_release(&text);
        return fail(c, "the name of a field should be UTF-8");
    }
    bq_buf_push(&text, ':');
    return keep(c, &text, &field->json_key);
}

/* The field { name, node } is at the top of the stack. */
static bool compile_field(struct compiler *c, struct bq_schema_field *field)
{
    if (!lua_istable(c->L, -1))
        return fail(c, "a field should be { name, node }");
    lua_rawgeti(c->L, -1, 1);
    if (lua_type(c->L, -1) != LUA_TSTRING)
        return fail(c, "the name of a field should be a string");
    bq_str name;
    name.p = lua_tolstring(c->L, -1, &name.n);
    field->name = bq_arena_dup(&c->all->arena, name);
    if (!field->name.p)
        return fail_memory(c);
    field->name_ref = luaL_ref(c->L, LUA_REGISTRYINDEX);
    if (!write_key(c, field))
        return false;
    lua_rawgeti(c->L, -1, 2);
    field->schema = compile_node(c);
    lua_pop(c->L, 1);
    return field->schema;
}

static bool compile_extra(struct compiler *c, struct bq_schema *s)
{
    bq_str extra;
    if (!get_text(c, "extra", &extra))
        return false;
    if (!extra.p || bq_str_eq(extra, BQ_STR("ignore")))
        s->object.extra = BQ_EXTRA_IGNORE;
    else if (bq_str_eq(extra, BQ_STR("forbid")))
        s->object.extra = BQ_EXTRA_FORBID;
    else if (bq_str_eq(extra, BQ_STR("keep")))
        s->object.extra = BQ_EXTRA_KEEP;
    else
        return fail(c, "extra should be \"ignore\", \"forbid\" or \"keep\"");
    return true;
}

static bool compile_object(struct compiler *c, struct bq_schema *s)
{
    bq_str name;
    size_t count;
    if (!get_text(c, "name", &name) || !compile_extra(c, s) || !push_list(c, "fields", &count))
        return false;
    if (name.p) {
        char *copy = take(c, name.n + 1);
        if (!copy)
            return false;
        memcpy(copy, name.p, name.n);
        s->name = copy;
    }
    struct bq_schema_field *fields = take(c, (count + 1) * sizeof *fields);
    if (!fields)
        return false;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(c->L, -1, (int)i + 1);
        if (!compile_field(c, &fields[i]))
            return false;
        lua_pop(c->L, 1);
    }
    lua_pop(c->L, 1);
    s->object.fields = fields;
    s->object.count = count;
    if (bq_schema_index_make(&s->object.index, &c->all->arena, &fields->name, count,
                             sizeof *fields) != BQ_OK)
        return fail_memory(c);
    return true;
}

/* --- arrays, maps, unions --- */

static bool compile_list(struct compiler *c, struct bq_schema *s)
{
    s->list.unique = s->kind == BQ_SCHEMA_ARRAY && get_flag(c, "unique");
    if (!get_size(c, "min", BQ_HAS_MIN, &s->list.has, &s->list.min) ||
        !get_size(c, "max", BQ_HAS_MAX, &s->list.has, &s->list.max))
        return false;
    push_field(c, "of");
    s->list.of = compile_node(c);
    lua_pop(c->L, 1);
    return s->list.of;
}

static bool put_off(struct compiler *c, struct bq_schema *s, const struct bq_schema *target)
{
    struct pending *p = take(c, sizeof *p);
    if (!p)
        return false;
    *p = (struct pending){c->pending, s, target};
    c->pending = p;
    return true;
}

static bool compile_union(struct compiler *c, struct bq_schema *s)
{
    size_t count;
    if (!get_text(c, "tag", &s->of.tag) || !push_list(c, "variants", &count))
        return false;
    if (!count)
        return fail(c, "a union should have a variant");
    s->of.variants = take(c, count * sizeof *s->of.variants);
    if (!s->of.variants)
        return false;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(c->L, -1, (int)i + 1);
        s->of.variants[i] = compile_node(c);
        lua_pop(c->L, 1);
        if (!s->of.variants[i])
            return false;
    }
    lua_pop(c->L, 1);
    s->of.count = count;
    return !s->of.tag.n || put_off(c, s, NULL);
}

/* The values of a variant's tag, or NULL and an error. */
static const struct bq_schema *tag_values(struct compiler *c, const struct bq_schema *s, size_t i)
{
    const struct bq_schema *variant = s->of.variants[i];
    const struct bq_schema_field *field = NULL;
    if (variant->kind == BQ_SCHEMA_OBJECT)
        field = bq_schema_find(variant, s->of.tag);
    if (field && (field->schema->kind == BQ_SCHEMA_CONST || field->schema->kind == BQ_SCHEMA_ENUM))
        return field->schema;
    fail(c, "variant %zu should be an object with a field '%.*s' that is a const or an enum", i + 1,
         BQ_STR_ARG(s->of.tag));
    return NULL;
}

static bool take_tags(struct compiler *c, const struct bq_schema *values, size_t variant,
                      bq_str *tags, uint16_t *variants, size_t *at)
{
    for (size_t i = 0; i < values->values.count; i++) {
        if (values->values.types[i] != LUA_TSTRING)
            return fail(c, "the values of a tag should be strings");
        tags[*at] = values->values.texts[i];
        variants[(*at)++] = (uint16_t)variant;
    }
    return true;
}

/* "'cat', 'dog'" */
static bool write_tags(struct compiler *c, struct bq_schema *s)
{
    struct bq_buf text = BQ_BUF_INIT;
    for (size_t i = 0; i < s->of.tag_count; i++) {
        bq_buf_append(&text, i ? BQ_STR(", '") : BQ_STR("'"));
        bq_buf_append(&text, s->of.tags[i]);
        bq_buf_push(&text, '\'');
    }
    return keep(c, &text, &s->of.expected);
}

static bool finish_union(struct compiler *c, struct bq_schema *s)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < s->of.count; i++) {
        const struct bq_schema *values = tag_values(c, s, i);
        if (!values)
            return false;
        count += values->values.count;
    }
    if (count > BQ_SCHEMA_NAMES_MAX)
        return fail(c, "a union should have at most %d tags", BQ_SCHEMA_NAMES_MAX);
    bq_str *tags = take(c, count * sizeof *tags);
    uint16_t *variants = take(c, count * sizeof *variants);
    if (!tags || !variants)
        return false;
    for (size_t i = 0; i < s->of.count; i++)
        if (!take_tags(c, tag_values(c, s, i), i, tags, variants, &at))
            return false;
    s->of.tags = tags;
    s->of.tag_variants = variants;
    s->of.tag_count = count;
    if (bq_schema_index_make(&s->of.index, &c->all->arena, tags, count, sizeof *tags) != BQ_OK)
        return fail_memory(c);
    return write_tags(c, s);
}

/* --- references --- */

/* The reference takes over what its target is; options of its own add to the target's. */
static bool finish_ref(struct compiler *c, struct bq_schema *s, const struct bq_schema *target)
{
    struct bq_schema own = *s;
    if (own.check_ref != LUA_NOREF && target->check_ref != LUA_NOREF)
        return fail(c, "a reference cannot have a check beside the one of its schema");
    *s = *target;
    s->optional |= own.optional;
    s->nullable |= own.nullable;
    if (own.has_default) {
        s->has_default = true;
        s->default_ref = own.default_ref;
    }
    if (own.check_ref != LUA_NOREF)
        s->check_ref = own.check_ref;
    return true;
}

static bool compile_ref(struct compiler *c, struct bq_schema *s)
{
    if (push_field(c, "target") != LUA_TTABLE)
        return fail(c, "a reference should have a target");
    const struct bq_schema *target = compile_node(c);
    lua_pop(c->L, 1);
    if (target && target->kind != BQ_SCHEMA_OBJECT)
        return fail(c, "a reference should be to an object");
    /* Until then its kind is known, which is what tags of a union look at. */
    s->kind = BQ_SCHEMA_OBJECT;
    return target && put_off(c, s, target);
}

/* References first: tags are looked for in what they have become. */
static bool finish(struct compiler *c)
{
    for (struct pending *p = c->pending; p; p = p->next)
        if (p->target && !finish_ref(c, p->schema, p->target))
            return false;
    for (struct pending *p = c->pending; p; p = p->next)
        if (!p->target && !finish_union(c, p->schema))
            return false;
    return true;
}

/* --- any node --- */

struct kind {
    const char *name;
    enum bq_schema_kind kind;
    bool (*compile)(struct compiler *c, struct bq_schema *s); /* NULL: it has no options */
};

static const struct kind kinds[] = {
    {"string", BQ_SCHEMA_STRING, compile_string}, {"integer", BQ_SCHEMA_INTEGER, compile_number},
    {"int64", BQ_SCHEMA_INT64, compile_number},   {"number", BQ_SCHEMA_NUMBER, compile_number},
    {"boolean", BQ_SCHEMA_BOOLEAN, NULL},         {"enum", BQ_SCHEMA_ENUM, compile_enum},
    {"const", BQ_SCHEMA_CONST, compile_const},    {"any", BQ_SCHEMA_ANY, NULL},
    {"object", BQ_SCHEMA_OBJECT, compile_object}, {"array", BQ_SCHEMA_ARRAY, compile_list},
    {"map", BQ_SCHEMA_MAP, compile_list},         {"union", BQ_SCHEMA_UNION, compile_union},
    {"ref", BQ_SCHEMA_OBJECT, compile_ref},
};

static const struct kind *get_kind(struct compiler *c)
{
    push_field(c, "kind");
    const char *name = lua_type(c->L, -1) == LUA_TSTRING ? lua_tostring(c->L, -1) : "";
    const struct kind *found = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(name, kinds[i].name) == 0)
            found = &kinds[i];
    if (!found)
        fail(c, "there is no kind of node '%s'", name);
    lua_pop(c->L, 1);
    return found;
}

/* --- the memo, which the node at the top is looked up in --- */

static struct bq_schema *recall(struct compiler *c)
{
    lua_rawgeti(c->L, LUA_REGISTRYINDEX, c->all->memo);
    lua_pushvalue(c->L, -2);
    lua_rawget(c->L, -2);
    struct bq_schema *s = lua_touserdata(c->L, -1);
    lua_pop(c->L, 2);
    return s;
}

static void remember(struct compiler *c, struct bq_schema *s)
{
    lua_rawgeti(c->L, LUA_REGISTRYINDEX, c->all->memo);
    lua_pushvalue(c->L, -2);
    lua_pushlightuserdata(c->L, s);
    lua_rawset(c->L, -3);
    lua_pop(c->L, 1);
}

static void forget_all(lua_State *L, struct bq_schemas *all)
{
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, all->memo);
    all->torn = false;
}

/* Where the innermost node was declared, before what is wrong with it. */
static void blame(struct compiler *c)
{
    char text[ERROR_BYTES_MAX];
    bq_str place;
    if (!get_text(c, "place", &place) || !place.p)
        return;
    snprintf(text, sizeof text, "%s", c->error);
    snprintf(c->error, ERROR_BYTES_MAX, "%.*s: %.*s", (int)(place.n < 200 ? place.n : 200), place.p,
             ERROR_BYTES_MAX - 203, text);
}

static bool compile_inside(struct compiler *c, struct bq_schema *s)
{
    const struct kind *kind = get_kind(c);
    if (!kind)
        return false;
    s->kind = kind->kind;
    s->optional = get_flag(c, "optional");
    s->nullable = get_flag(c, "nullable");
    s->default_ref = get_ref(c, "default");
    s->has_default = s->default_ref != LUA_NOREF;
    s->check_ref = get_ref(c, "check");
    return !kind->compile || kind->compile(c, s);
}

/* The node at the top of the stack, which stays there; NULL and an error, and whatever on top. */
static struct bq_schema *compile_node(struct compiler *c)
{
    if (!lua_istable(c->L, -1) || c->depth == COMPILE_DEPTH_MAX) {
        fail(c,
             lua_istable(c->L, -1) ? "schemas are nested too deeply" : "a node should be a table");
        return NULL;
    }
    struct bq_schema *s = recall(c);
    if (s)
        return s;
    luaL_checkstack(c->L, 10, "schemas are nested too deeply");
    s = take(c, sizeof *s);
    if (!s)
        return NULL;
    remember(c, s);
    int top = lua_gettop(c->L);
    unsigned depth = c->depth++;
    bool fine = compile_inside(c, s);
    c->depth = depth;
    lua_settop(c->L, top);
    if (fine)
        return s;
    if (!c->blamed) {
        c->blamed = true;
        blame(c);
    }
    return NULL;
}

/* --- the whole --- */

void bq_schemas_init(lua_State *L, struct bq_schemas *all)
{
    lua_newtable(L);
    all->memo = luaL_ref(L, LUA_REGISTRYINDEX);
    all->torn = false;
    bq_arena_init(&all->arena, NULL, 0);
}

void bq_schemas_release(struct bq_schemas *all)
{
    bq_arena_release(&all->arena);
}

const struct bq_schema *bq_schema_compile(lua_State *L, struct bq_schemas *all, int index,
                                          char error[static ERROR_BYTES_MAX])
{
    struct compiler c = {.L = L, .all = all, .error = error};
    int top = lua_gettop(L);
    luaL_checkstack(L, 10, "a schema to be compiled");
    lua_pushvalue(L, index);
    if (all->torn)
        forget_all(L, all);
    all->torn = true;
    const struct bq_schema *s = compile_node(&c);
    if (s && !finish(&c))
        s = NULL;
    all->torn = !s;
    lua_settop(L, top);
    return s;
}
