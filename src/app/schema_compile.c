/*
 * schema_compile.c: from the nodes of lua/barq/schema to struct bq_schema, once, at the freeze.
 *
 * The walk holds the node that it is at on top of the Lua stack. A node is entered into the memo
 * before its inside is compiled, which ends recursion; so what needs the finished inside of another
 * schema (a reference with options of its own, the tags of a union) waits in a list until the walk
 * is over. Nodes have been checked by Lua; what is checked here again protects the reading of them.
 */
#include "app/schema_index.h"
#include "app/schema_node.h"
#include "base/rc.h"
#include "json/write.h"

#include <stdio.h>

#define COMPILE_DEPTH_MAX 200

/* A reference whose target is copied into it, or (target NULL) a union that wants its tags. */
struct bq_compile_pending {
    struct bq_compile_pending *next;
    struct bq_schema *schema;
    const struct bq_schema *target;
};

static struct bq_schema *compile_node(struct bq_compiler *c);

/* --- objects --- */

static bool write_key(struct bq_compiler *c, struct bq_schema_field *field)
{
    struct bq_buf text = BQ_BUF_INIT;
    if (bq_json_write_string(&text, field->name) == BQ_INVALID) {
        bq_buf_release(&text);
        return bq_node_fail(c, "the name of a field should be UTF-8");
    }
    bq_buf_push(&text, ':');
    size_t n = text.len;
    while (text.len < BQ_SCHEMA_KEY_COPIED && bq_buf_push(&text, '\0') == BQ_OK)
        continue;
    if (!bq_node_keep(c, &text, &field->json_key))
        return false;
    field->json_key.n = n;
    return true;
}

/* The field { name, node } is at the top of the stack. */
static bool compile_field(struct bq_compiler *c, struct bq_schema_field *field)
{
    if (!lua_istable(c->L, -1))
        return bq_node_fail(c, "a field should be { name, node }");
    lua_rawgeti(c->L, -1, 1);
    if (lua_type(c->L, -1) != LUA_TSTRING)
        return bq_node_fail(c, "the name of a field should be a string");
    bq_str name;
    name.p = lua_tolstring(c->L, -1, &name.n);
    field->name = bq_arena_dup(&c->all->arena, name);
    field->key = bq_raw_of_string(name.p);
    field->seen_at = bq_arena_alloc(&c->all->arena, sizeof *field->seen_at);
    if (!field->name.p || !field->seen_at)
        return bq_node_fail_memory(c);
    *field->seen_at = 0;
    field->name_ref = luaL_ref(c->L, LUA_REGISTRYINDEX);
    if (!write_key(c, field))
        return false;
    lua_rawgeti(c->L, -1, 2);
    field->schema = compile_node(c);
    lua_pop(c->L, 1);
    return field->schema;
}

static bool compile_extra(struct bq_compiler *c, struct bq_schema *s)
{
    bq_str extra;
    if (!bq_node_get_text(c, "extra", &extra))
        return false;
    if (!extra.p || bq_str_eq(extra, BQ_STR("ignore")))
        s->object.extra = BQ_EXTRA_IGNORE;
    else if (bq_str_eq(extra, BQ_STR("forbid")))
        s->object.extra = BQ_EXTRA_FORBID;
    else if (bq_str_eq(extra, BQ_STR("keep")))
        s->object.extra = BQ_EXTRA_KEEP;
    else
        return bq_node_fail(c, "extra should be \"ignore\", \"forbid\" or \"keep\"");
    return true;
}

/* What extra = "keep" keeps has no place in a shape. */
static void find_shape(struct bq_compiler *c, struct bq_schema *s)
{
    int top = lua_gettop(c->L);
    if (!c->all->in_place || s->object.extra == BQ_EXTRA_KEEP || s->object.count > BQ_RAW_NAMES_MAX)
        return;
    luaL_checkstack(c->L, BQ_RAW_NAMES_MAX, "the names of an object");
    for (size_t i = 0; i < s->object.count; i++)
        lua_rawgeti(c->L, LUA_REGISTRYINDEX, s->object.fields[i].name_ref);
    s->object.shape = bq_raw_shape_make(c->L, &c->all->arena, top + 1, s->object.count);
    lua_settop(c->L, top);
}

static bool compile_object(struct bq_compiler *c, struct bq_schema *s)
{
    bq_str name;
    size_t count;
    if (!bq_node_get_text(c, "name", &name) || !compile_extra(c, s) ||
        !bq_node_push_list(c, "fields", &count))
        return false;
    if (name.p) {
        char *copy = bq_node_take(c, name.n + 1);
        if (!copy)
            return false;
        memcpy(copy, name.p, name.n);
        s->name = copy;
    }
    struct bq_schema_field *fields = bq_node_take(c, (count + 1) * sizeof *fields);
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
        return bq_node_fail_memory(c);
    find_shape(c, s);
    return true;
}

/* --- arrays, maps, unions --- */

static bool compile_list(struct bq_compiler *c, struct bq_schema *s)
{
    s->list.unique = s->kind == BQ_SCHEMA_ARRAY && bq_node_get_flag(c, "unique");
    if (!bq_node_get_size(c, "min", BQ_HAS_MIN, &s->list.has, &s->list.min) ||
        !bq_node_get_size(c, "max", BQ_HAS_MAX, &s->list.has, &s->list.max))
        return false;
    bq_node_push_field(c, "of");
    s->list.of = compile_node(c);
    lua_pop(c->L, 1);
    return s->list.of;
}

static bool put_off(struct bq_compiler *c, struct bq_schema *s, const struct bq_schema *target)
{
    struct bq_compile_pending *p = bq_node_take(c, sizeof *p);
    if (!p)
        return false;
    *p = (struct bq_compile_pending){c->pending, s, target};
    c->pending = p;
    return true;
}

static bool compile_union(struct bq_compiler *c, struct bq_schema *s)
{
    size_t count;
    if (!bq_node_get_text(c, "tag", &s->of.tag) || !bq_node_push_list(c, "variants", &count))
        return false;
    if (!count)
        return bq_node_fail(c, "a union should have a variant");
    s->of.variants = bq_node_take(c, count * sizeof *s->of.variants);
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
static const struct bq_schema *tag_values(struct bq_compiler *c, const struct bq_schema *s,
                                          size_t i)
{
    const struct bq_schema *variant = s->of.variants[i];
    const struct bq_schema_field *field = NULL;
    if (variant->kind == BQ_SCHEMA_OBJECT)
        field = bq_schema_find(variant, s->of.tag);
    if (field && (field->schema->kind == BQ_SCHEMA_CONST || field->schema->kind == BQ_SCHEMA_ENUM))
        return field->schema;
    bq_node_fail(c,
                 "variant %zu should be an object with a field '%.*s' that is a const or an enum",
                 i + 1, BQ_STR_ARG(s->of.tag));
    return NULL;
}

static bool take_tags(struct bq_compiler *c, const struct bq_schema *values, size_t variant,
                      bq_str *tags, uint16_t *variants, size_t *at)
{
    for (size_t i = 0; i < values->values.count; i++) {
        if (values->values.types[i] != LUA_TSTRING)
            return bq_node_fail(c, "the values of a tag should be strings");
        tags[*at] = values->values.texts[i];
        variants[(*at)++] = (uint16_t)variant;
    }
    return true;
}

/* "'cat', 'dog'" */
static bool write_tags(struct bq_compiler *c, struct bq_schema *s)
{
    struct bq_buf text = BQ_BUF_INIT;
    for (size_t i = 0; i < s->of.tag_count; i++) {
        bq_buf_append(&text, i ? BQ_STR(", '") : BQ_STR("'"));
        bq_buf_append(&text, s->of.tags[i]);
        bq_buf_push(&text, '\'');
    }
    return bq_node_keep(c, &text, &s->of.expected);
}

static bool finish_union(struct bq_compiler *c, struct bq_schema *s)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < s->of.count; i++) {
        const struct bq_schema *values = tag_values(c, s, i);
        if (!values)
            return false;
        count += values->values.count;
    }
    if (count > BQ_SCHEMA_NAMES_MAX)
        return bq_node_fail(c, "a union should have at most %d tags", BQ_SCHEMA_NAMES_MAX);
    bq_str *tags = bq_node_take(c, count * sizeof *tags);
    uint16_t *variants = bq_node_take(c, count * sizeof *variants);
    if (!tags || !variants)
        return false;
    for (size_t i = 0; i < s->of.count; i++)
        if (!take_tags(c, tag_values(c, s, i), i, tags, variants, &at))
            return false;
    s->of.tags = tags;
    s->of.tag_variants = variants;
    s->of.tag_count = count;
    if (bq_schema_index_make(&s->of.index, &c->all->arena, tags, count, sizeof *tags) != BQ_OK)
        return bq_node_fail_memory(c);
    return write_tags(c, s);
}

/* --- references --- */

/* The reference takes over what its target is; options of its own add to the target's. */
static bool finish_ref(struct bq_compiler *c, struct bq_schema *s, const struct bq_schema *target)
{
    struct bq_schema own = *s;
    if (own.check_ref != LUA_NOREF && target->check_ref != LUA_NOREF)
        return bq_node_fail(c, "a reference cannot have a check beside the one of its schema");
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

static bool compile_ref(struct bq_compiler *c, struct bq_schema *s)
{
    if (bq_node_push_field(c, "target") != LUA_TTABLE)
        return bq_node_fail(c, "a reference should have a target");
    const struct bq_schema *target = compile_node(c);
    lua_pop(c->L, 1);
    if (target && target->kind != BQ_SCHEMA_OBJECT)
        return bq_node_fail(c, "a reference should be to an object");
    /* Until then its kind is known, which is what tags of a union look at. */
    s->kind = BQ_SCHEMA_OBJECT;
    return target && put_off(c, s, target);
}

/* References first: tags are looked for in what they have become. */
static bool finish(struct bq_compiler *c)
{
    for (struct bq_compile_pending *p = c->pending; p; p = p->next)
        if (p->target && !finish_ref(c, p->schema, p->target))
            return false;
    for (struct bq_compile_pending *p = c->pending; p; p = p->next)
        if (!p->target && !finish_union(c, p->schema))
            return false;
    return true;
}

/* --- any node --- */

struct kind {
    const char *name;
    enum bq_schema_kind kind;
    bool (*compile)(struct bq_compiler *c, struct bq_schema *s); /* NULL: it has no options */
};

static const struct kind kinds[] = {
    {"string", BQ_SCHEMA_STRING, bq_node_compile_string},
    {"integer", BQ_SCHEMA_INTEGER, bq_node_compile_number},
    {"int64", BQ_SCHEMA_INT64, bq_node_compile_number},
    {"number", BQ_SCHEMA_NUMBER, bq_node_compile_number},
    {"boolean", BQ_SCHEMA_BOOLEAN, NULL},
    {"enum", BQ_SCHEMA_ENUM, bq_node_compile_enum},
    {"const", BQ_SCHEMA_CONST, bq_node_compile_const},
    {"any", BQ_SCHEMA_ANY, NULL},
    {"object", BQ_SCHEMA_OBJECT, compile_object},
    {"array", BQ_SCHEMA_ARRAY, compile_list},
    {"map", BQ_SCHEMA_MAP, compile_list},
    {"union", BQ_SCHEMA_UNION, compile_union},
    {"ref", BQ_SCHEMA_OBJECT, compile_ref},
};

static const struct kind *get_kind(struct bq_compiler *c)
{
    bq_node_push_field(c, "kind");
    const char *name = lua_type(c->L, -1) == LUA_TSTRING ? lua_tostring(c->L, -1) : "";
    const struct kind *found = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(name, kinds[i].name) == 0)
            found = &kinds[i];
    if (!found)
        bq_node_fail(c, "there is no kind of node '%s'", name);
    lua_pop(c->L, 1);
    return found;
}

/* --- the memo, which the node at the top is looked up in --- */

static struct bq_schema *recall(struct bq_compiler *c)
{
    lua_rawgeti(c->L, LUA_REGISTRYINDEX, c->all->memo);
    lua_pushvalue(c->L, -2);
    lua_rawget(c->L, -2);
    struct bq_schema *s = lua_touserdata(c->L, -1);
    lua_pop(c->L, 2);
    return s;
}

static void remember(struct bq_compiler *c, struct bq_schema *s)
{
    lua_rawgeti(c->L, LUA_REGISTRYINDEX, c->all->memo);
    lua_pushvalue(c->L, -2);
    lua_pushlightuserdata(c->L, s);
    lua_rawset(c->L, -3);
    lua_pop(c->L, 1);
}

/* Of nodes that the application still has. */
static void push_memo(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

static void forget_all(lua_State *L, struct bq_schemas *all)
{
    push_memo(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, all->memo);
    all->torn = false;
}

/* Where the innermost node was declared, before what is wrong with it. */
static void blame(struct bq_compiler *c)
{
    char text[BQ_COMPILE_ERROR_BYTES_MAX];
    bq_str place;
    if (!bq_node_get_text(c, "place", &place) || !place.p)
        return;
    snprintf(text, sizeof text, "%s", c->error);
    snprintf(c->error, BQ_COMPILE_ERROR_BYTES_MAX, "%.*s: %.*s",
             (int)(place.n < 200 ? place.n : 200), place.p, BQ_COMPILE_ERROR_BYTES_MAX - 203, text);
}

static bool compile_inside(struct bq_compiler *c, struct bq_schema *s)
{
    const struct kind *kind = get_kind(c);
    if (!kind)
        return false;
    s->kind = kind->kind;
    s->in_place = c->all->in_place;
    s->optional = bq_node_get_flag(c, "optional");
    s->nullable = bq_node_get_flag(c, "nullable");
    s->default_ref = bq_node_get_ref(c, "default");
    s->has_default = s->default_ref != LUA_NOREF;
    s->check_ref = bq_node_get_ref(c, "check");
    return !kind->compile || kind->compile(c, s);
}

/* The node at the top of the stack, which stays there; NULL and an error, and whatever on top. */
static struct bq_schema *compile_node(struct bq_compiler *c)
{
    if (!lua_istable(c->L, -1) || c->depth == COMPILE_DEPTH_MAX) {
        bq_node_fail(c, lua_istable(c->L, -1) ? "schemas are nested too deeply"
                                              : "a node should be a table");
        return NULL;
    }
    struct bq_schema *s = recall(c);
    if (s)
        return s;
    luaL_checkstack(c->L, 10, "schemas are nested too deeply");
    s = bq_node_take(c, sizeof *s);
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
    push_memo(L);
    all->memo = luaL_ref(L, LUA_REGISTRYINDEX);
    all->torn = false;
    all->in_place = bq_raw_probe(L) != 0;
    bq_arena_init(&all->arena, NULL, 0);
}

void bq_schemas_release(struct bq_schemas *all)
{
    bq_arena_release(&all->arena);
}

const struct bq_schema *bq_schema_compile(lua_State *L, struct bq_schemas *all, int index,
                                          char error[static BQ_COMPILE_ERROR_BYTES_MAX])
{
    struct bq_compiler c = {.L = L, .all = all, .error = error};
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
