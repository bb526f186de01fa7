/*
 * schema_json.c: JSON text to the Lua value that a schema declares, in one walk.
 *
 * On the request path, for bodies: the schema leads, the reader tells what is there, and tables
 * are made in their final size, without a tree in between. What fits is judged by schema_check.c.
 * A value is always read to its end, whatever is wrong with it, so that all problems are found.
 *
 * Nothing here is lost when Lua raises: the scratch for strings with escapes is a userdata, and
 * made only for a text that has a backslash.
 *
 * Of a name that comes twice in an object the last one counts, and nothing that is wrong with the
 * first. This is found out at the second, too late: the walk starts again and is careful, that is,
 * it looks for the last of each name before it reads an object. What is read more than once, here
 * and for unions, is counted and bounded by the length of the text.
 */
#include "app/schema_json.h"
#include "app/decode.h"
#include "app/schema_check.h"
#include "base/rc.h"

#include <assert.h>

/* Entries of a map that are on the stack before their table is made; each takes two slots. */
#define ENTRIES_GATHERED 8

_Static_assert(2 * ENTRIES_GATHERED <= BQ_RAW_NAMES_MAX, "a level has room for them");

/* Bytes that may be read again: so many for each of the text, and a few for small ones. */
#define REREAD_FACTOR    8
#define REREAD_BYTES_MIN ((size_t)256 << 10)
#define LOOK_AHEAD_SHARE 8 /* passing over costs so much less than reading */

/* Fields of an object whose marks are on the C stack. */
#define SEEN_WORDS 4

static const struct bq_schema any = {.kind = BQ_SCHEMA_ANY, .check_ref = LUA_NOREF};
static const struct bq_schema any_list = {
    .kind = BQ_SCHEMA_ARRAY, .check_ref = LUA_NOREF, .list.of = &any};

static const char too_ambiguous[] = BQ_TOO_AMBIGUOUS;

void bq_reading_stop(struct bq_reading *w, int rc, const char *reason)
{
    if (w->r.rc != BQ_OK)
        return;
    w->r.rc = rc;
    w->r.error = (struct bq_json_error){(size_t)(w->r.p - w->r.start), reason};
    w->r.p = w->r.end;
}

bool bq_reading_pay(struct bq_reading *w, size_t bytes)
{
    if (w->r.rc != BQ_OK)
        return false;
    if (bytes >= w->reread_bytes_left) {
        bq_reading_stop(w, BQ_LIMIT, too_ambiguous);
        return false;
    }
    w->reread_bytes_left -= bytes + 1;
    return true;
}

/* --- names that come more than once --- */

/* Pushes a table: of each name in the object that was just entered, the position of its last. */
static void push_last_positions(struct bq_reading *w)
{
    struct bq_json_reader ahead = w->r;
    lua_newtable(w->L);
    for (int position = 1; bq_json_key(&ahead); position++) {
        lua_pushlstring(w->L, ahead.string.p, ahead.string.n);
        lua_pushinteger(w->L, position);
        lua_rawset(w->L, -3);
        bq_json_pass(&ahead);
    }
    bq_reading_pay(w, (size_t)(ahead.p - w->r.p) / LOOK_AHEAD_SHARE);
}

/* Whether the key that was just read, at that position, is the last of its name. */
static bool is_last(struct bq_reading *w, int positions, int position)
{
    lua_pushlstring(w->L, w->r.string.p, w->r.string.n);
    lua_rawget(w->L, positions);
    bool last = lua_tointeger(w->L, -1) == position;
    lua_pop(w->L, 1);
    return last;
}

/* --- arrays --- */

/* Pushes the next element; false if there is none. */
static bool read_element(struct bq_reading *w, const struct bq_schema *of, size_t index)
{
    enum bq_json_token token = bq_json_element(&w->r);
    if (token == BQ_JSON_END || token == BQ_JSON_ERROR)
        return false;
    bq_invalid_push_index(w->v, index);
    bq_reading_take(w, of, token);
    bq_invalid_pop(w->v);
    return true;
}

/* Pushes the table of as many as are gathered; gives their number. */
static size_t read_first_elements(struct bq_reading *w, const struct bq_schema *of)
{
    int base = lua_gettop(w->L) + 1, count = 0;
    while (count < BQ_READING_GATHERED && read_element(w, of, (size_t)count))
        count++;
    lua_createtable(w->L, count < BQ_READING_GATHERED ? count : BQ_READING_ROOM, 0);
    lua_insert(w->L, base);
    for (int i = count; i > 0; i--)
        lua_rawseti(w->L, base, i);
    return (size_t)count;
}

void bq_reading_finish_list(struct bq_reading *w, const struct bq_schema *s, size_t count,
                            size_t problems_before)
{
    if (count == BQ_READING_GATHERED)
        while (read_element(w, s->list.of, count))
            lua_rawseti(w->L, -2, (int)++count);
    if (w->r.rc == BQ_OK && (s->list.has || s->list.unique))
        bq_check_elements(w->L, s, count, problems_before, w->v);
}

static void read_list(struct bq_reading *w, const struct bq_schema *s)
{
    size_t before = w->v->count;
    if (w->in_place)
        bq_reading_take_list(w, s);
    else
        bq_reading_finish_list(w, s, read_first_elements(w, s->list.of), before);
}

/* --- maps, and objects without a schema --- */

/* Without its mark, an empty table would be written as "[]". */
static void mark_empty_object(lua_State *L)
{
    luaL_getmetatable(L, "barq.object");
    if (lua_istable(L, -1))
        lua_setmetatable(L, -2);
    else
        lua_pop(L, 1);
}

/* A table at index base of the count entries there; the first comes first, so that the last of
 * a name stays. */
static void gather_entries(lua_State *L, int base, int count)
{
    lua_createtable(L, 0, count < ENTRIES_GATHERED ? count : 2 * ENTRIES_GATHERED);
    lua_insert(L, base);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, base + 1 + 2 * i);
        lua_pushvalue(L, base + 2 + 2 * i);
        lua_rawset(L, base);
    }
    lua_settop(L, base);
    if (count == 0)
        mark_empty_object(L);
}

/* Pushes the name that was just read and its value. */
static void read_entry(struct bq_reading *w, const struct bq_schema *of)
{
    bq_str name;
    lua_pushlstring(w->L, w->r.string.p, w->r.string.n);
    name.p = lua_tolstring(w->L, -1, &name.n);
    bq_invalid_push_key(w->v, name);
    bq_reading_take(w, of, bq_json_value(&w->r));
    bq_invalid_pop(w->v);
}

/* Pushes the table; what is not the last of its name is left out, if positions tells it. */
static void read_entries(struct bq_reading *w, const struct bq_schema *of, int positions)
{
    int base = lua_gettop(w->L) + 1, count = 0;
    for (int position = 1; bq_json_key(&w->r); position++) {
        if (positions && !is_last(w, positions, position)) {
            bq_json_pass(&w->r);
            continue;
        }
        read_entry(w, of);
        count++;
        if (count > ENTRIES_GATHERED)
            lua_rawset(w->L, base);
        else if (count == ENTRIES_GATHERED)
            gather_entries(w->L, base, count);
    }
    if (count < ENTRIES_GATHERED)
        gather_entries(w->L, base, count);
}

static void read_entries_carefully(struct bq_reading *w, const struct bq_schema *of)
{
    bool outer = w->careful;
    w->careful = true;
    push_last_positions(w);
    read_entries(w, of, lua_gettop(w->L));
    lua_remove(w->L, -2);
    w->careful = outer;
}

/* A problem counts only if it is with the last of a name: then, and only then, the entries are
 * read again. */
static void read_map(struct bq_reading *w, const struct bq_schema *s)
{
    struct bq_invalid_mark mark = bq_invalid_mark(w->v);
    struct bq_json_reader start = w->r;
    if (w->careful) {
        read_entries_carefully(w, s->list.of);
    } else {
        read_entries(w, s->list.of, 0);
        if (w->v->count != mark.count && bq_reading_pay(w, (size_t)(w->r.p - start.p))) {
            lua_pop(w->L, 1);
            bq_invalid_rewind(w->v, mark);
            w->r = start;
            read_entries_carefully(w, s->list.of);
        }
    }
    if (s->list.has && w->v->count == mark.count && w->r.rc == BQ_OK)
        bq_check_length(s, bq_count_entries(w->L, lua_gettop(w->L)), w->v);
}

/* --- objects --- */

/* Many clients send what they have in the declared order and without spaces: the field behind the
 * last is tried first, as the bytes that it has then. */
bool bq_reading_next_member(struct bq_reading *w, const struct bq_schema *s, size_t guess,
                            const struct bq_schema_field **field)
{
    if (!w->careful && guess < s->object.count &&
        bq_json_key_as(&w->r, s->object.fields[guess].json_key)) {
        *field = &s->object.fields[guess];
        return true;
    }
    if (!bq_json_key(&w->r))
        return false;
    *field = bq_schema_find(s, w->r.string);
    return true;
}

/* Sets the field in the table at the top. */
static void read_field(struct bq_reading *w, const struct bq_schema_field *field)
{
    lua_rawgeti(w->L, LUA_REGISTRYINDEX, field->name_ref);
    bq_invalid_push_key(w->v, field->name);
    bq_reading_take(w, field->schema, bq_json_value(&w->r));
    bq_invalid_pop(w->v);
    lua_rawset(w->L, -3);
}

void bq_reading_take_extra(struct bq_reading *w, const struct bq_schema *s)
{
    if (s->object.extra == BQ_EXTRA_KEEP) {
        read_entry(w, &any);
        lua_rawset(w->L, -3);
        return;
    }
    if (s->object.extra == BQ_EXTRA_FORBID) {
        bq_invalid_push_key(w->v, w->r.string);
        bq_check_extra(w->v);
        bq_invalid_pop(w->v);
    }
    bq_json_pass(&w->r);
}

static bool test_and_set(uint64_t *seen, size_t i)
{
    uint64_t bit = 1ull << (i % 64);
    bool was = seen[i / 64] & bit;
    seen[i / 64] |= bit;
    return was;
}

/* Into the table at the top; gives the number of fields that were there. */
static size_t read_members(struct bq_reading *w, const struct bq_schema *s, uint64_t *seen,
                           int positions)
{
    size_t found = 0, guess = 0;
    const struct bq_schema_field *field;
    for (int position = 1; bq_reading_next_member(w, s, guess, &field); position++) {
        if (!field) {
            bq_reading_take_extra(w, s);
            continue;
        }
        size_t i = (size_t)(field - s->object.fields);
        guess = i + 1;
        if (positions && !is_last(w, positions, position)) {
            bq_json_pass(&w->r);
        } else if (test_and_set(seen, i)) {
            bq_reading_stop(w, BQ_CONFLICT, "repeated name");
        } else {
            read_field(w, field);
            found++;
        }
    }
    return found;
}

/* Defaults, and complaints about what is missing, into the table at the top. */
static void fill_absent(struct bq_reading *w, const struct bq_schema *s, uint64_t *seen)
{
    for (size_t i = 0; i < s->object.count; i++) {
        const struct bq_schema_field *field = &s->object.fields[i];
        if (test_and_set(seen, i) || (field->schema->optional && !field->schema->has_default))
            continue;
        lua_rawgeti(w->L, LUA_REGISTRYINDEX, field->name_ref);
        bq_invalid_push_key(w->v, field->name);
        bq_check_absent(w->L, field->schema, w->v);
        bq_invalid_pop(w->v);
        lua_rawset(w->L, -3);
    }
}

/* One bit a field: on the C stack if that is enough, or pushed as a userdata. */
static uint64_t *push_seen(lua_State *L, size_t fields, uint64_t few[SEEN_WORDS])
{
    size_t bytes = (fields + 63) / 64 * sizeof *few;
    uint64_t *seen = fields <= SEEN_WORDS * 64 ? few : lua_newuserdata(L, bytes);
    memset(seen, 0, bytes);
    return seen;
}

static void read_object(struct bq_reading *w, const struct bq_schema *s)
{
    uint64_t few[SEEN_WORDS];
    int base = lua_gettop(w->L) + 1;
    if (w->careful)
        push_last_positions(w);
    uint64_t *seen = push_seen(w->L, s->object.count, few);
    lua_createtable(w->L, 0, (int)s->object.count);
    size_t found = read_members(w, s, seen, w->careful ? base : 0);
    if (found < s->object.count && w->r.rc == BQ_OK)
        fill_absent(w, s, seen);
    if (lua_gettop(w->L) > base) {
        lua_replace(w->L, base);
        lua_settop(w->L, base);
    }
}

/* --- values --- */

static struct bq_scalar scalar_of(const struct bq_reading *w, enum bq_json_token token)
{
    switch (token) {
    case BQ_JSON_NUMBER:
        return (struct bq_scalar){
            .type = LUA_TNUMBER, .number = w->r.number.value, .text = w->r.number.text};
    case BQ_JSON_STRING:
        return (struct bq_scalar){.type = LUA_TSTRING, .text = w->r.string};
    default:
        return (struct bq_scalar){.type = LUA_TBOOLEAN, .boolean = token == BQ_JSON_TRUE};
    }
}

static void push_scalar(struct bq_reading *w, enum bq_json_token token)
{
    if (token == BQ_JSON_STRING)
        lua_pushlstring(w->L, w->r.string.p, w->r.string.n);
    else if (token == BQ_JSON_NUMBER)
        lua_pushnumber(w->L, w->r.number.value);
    else
        lua_pushboolean(w->L, token == BQ_JSON_TRUE);
}

static void read_any(struct bq_reading *w, enum bq_json_token token)
{
    if (token == BQ_JSON_OBJECT)
        read_entries(w, &any, 0);
    else if (token == BQ_JSON_ARRAY)
        read_list(w, &any_list);
    else
        push_scalar(w, token);
}

static void read_container(struct bq_reading *w, const struct bq_schema *s,
                           enum bq_json_token token)
{
    luaL_checkstack(w->L, BQ_READING_SLOTS, "nested too deeply");
    switch (s->kind) {
    case BQ_SCHEMA_OBJECT:
        if (bq_reading_has_shape(w, s))
            bq_reading_take_record(w, s);
        else
            read_object(w, s);
        return;
    case BQ_SCHEMA_ARRAY:
        read_list(w, s);
        return;
    case BQ_SCHEMA_MAP:
        read_map(w, s);
        return;
    case BQ_SCHEMA_UNION:
        bq_reading_take_union(w, s, token);
        return;
    default:
        read_any(w, token);
    }
}

void bq_reading_refuse(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token)
{
    bq_json_skip(&w->r, token);
    lua_pushnil(w->L);
    if (w->r.rc == BQ_OK)
        bq_check_type(s, w->v);
}

/* The token is one that the kind can begin with. */
static void read_fitting(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token)
{
    struct bq_scalar scalar;
    switch (s->kind) {
    case BQ_SCHEMA_STRING:
        bq_check_string(w->L, s, w->r.string, true, w->v);
        return;
    case BQ_SCHEMA_INTEGER:
        bq_check_integer(w->L, s, w->r.number.value, w->v);
        return;
    case BQ_SCHEMA_NUMBER:
        bq_check_number(w->L, s, w->r.number.value, w->v);
        return;
    case BQ_SCHEMA_BOOLEAN:
        lua_pushboolean(w->L, token == BQ_JSON_TRUE);
        return;
    case BQ_SCHEMA_INT64:
    case BQ_SCHEMA_ENUM:
    case BQ_SCHEMA_CONST:
        scalar = scalar_of(w, token);
        bq_check_scalar(w->L, s, &scalar, w->v);
        return;
    default:
        read_container(w, s, token);
    }
}

/* As many problems as are told, and none that could still turn out not to count: what follows is
 * only looked at as JSON. */
static bool is_hopeless(const struct bq_invalid *v)
{
    return v->count >= BQ_INVALID_PROBLEMS_MAX && !v->quiet;
}

void bq_reading_take(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token)
{
    size_t before = w->v->count;
    if (is_hopeless(w->v)) {
        bq_json_skip(&w->r, token);
        lua_pushnil(w->L);
        return;
    }
    if (bq_reading_can_begin(s->kind, token))
        read_fitting(w, s, token);
    else if (token != BQ_JSON_NULL)
        bq_reading_refuse(w, s, token);
    else if (s->kind == BQ_SCHEMA_UNION && !s->nullable)
        bq_reading_take_union(w, s, token);
    else
        bq_check_null(w->L, s, w->v);
    bool checked = token != BQ_JSON_NULL || !s->nullable; /* a nullable's check never sees null */
    if (checked && w->r.rc == BQ_OK)
        bq_check_custom(w->L, s, before, w->v);
}

/* --- the text --- */

static int read_text(struct bq_reading *w, const struct bq_schema *s, bq_str text,
                     struct bq_buf *scratch)
{
    bq_json_reader_init(&w->r, text, BQ_DECODE_DEPTH_MAX, scratch);
    bq_reading_take(w, s, bq_json_value(&w->r));
    return bq_json_finish(&w->r);
}

/* No decoded string is longer than the text, so that the reader never makes it grow. */
static struct bq_buf push_scratch(lua_State *L, bq_str text)
{
    struct bq_buf scratch = BQ_BUF_INIT;
    if (text.n && memchr(text.p, '\\', text.n)) {
        scratch.data = lua_newuserdata(L, text.n);
        scratch.cap = text.n;
    }
    return scratch;
}

int bq_schema_read_json(lua_State *L, const struct bq_schema *s, bq_str text,
                        struct bq_invalid *invalid, struct bq_json_error *error)
{
    luaL_checkstack(L, BQ_READING_SLOTS, "no room for a body");
    int top = lua_gettop(L);
    size_t depth = invalid->depth;
    struct bq_invalid_mark mark = bq_invalid_mark(invalid);
    struct bq_buf scratch = push_scratch(L, text);
    int base = lua_gettop(L);
    struct bq_reading w = {.L = L, .v = invalid, .in_place = s->in_place};
    w.reread_bytes_left = REREAD_BYTES_MIN + REREAD_FACTOR * text.n;
    int rc = read_text(&w, s, text, &scratch);
    if (rc == BQ_CONFLICT) {
        lua_settop(L, base);
        bq_invalid_rewind(invalid, mark);
        w.careful = true;
        rc = read_text(&w, s, text, &scratch);
    }
    assert(invalid->depth == depth);
    if (rc == BQ_OK) {
        if (base > top)
            lua_replace(L, base); /* the scratch */
        return BQ_OK;
    }
    lua_settop(L, top);
    bq_invalid_rewind(invalid, mark);
    *error = w.r.error;
    if (error->reason != too_ambiguous)
        return rc;
    /* Nothing is wrong with the JSON: it is the value that cannot be told what it is. */
    bq_invalid_add(invalid, "value_error", NULL, "Value error, %s", too_ambiguous);
    lua_pushnil(L);
    return BQ_OK;
}
