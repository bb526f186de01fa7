/*
 * schema_write_fuzz.c: any Lua value for a fixed set of schemas; the first byte of the input
 * chooses one, the others build the value. A write leaves the stack alone, and on failure the
 * buffer; its error is one line, and the quick writer says the same or nothing. What is written is
 * JSON, and the schema reads it.
 */
#include "app/decode.h"
#include "app/quick.h"
#include "app/schema.h"
#include "base/rc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char nodes[] =
    "local function of(kind, more) more = more or {} more.kind = kind return more end\n"
    "local function object(extra, ...) return { kind = 'object', extra = extra, fields = { ... } } "
    "end\n"
    "local str, int, num = of'string', of'integer', of'number'\n"
    "local item = object('ignore', { 'a', str }, { 'b', num },\n"
    "  { 'c', of('integer', { optional = true, default = 1 }) },\n"
    "  { 'd', of('array', { of = str, nullable = true }) }, { 'e', of'int64' },\n"
    "  { 'f', of('string', { format = 'bytes', optional = true }) })\n"
    "local cat = object('ignore', { 'kind', of('const', { value = 'a' }) }, { 'a', int })\n"
    "local dog = object('keep', { 'kind', of('enum', { values = { 'b', 'c' } }) })\n"
    "local tree = object('ignore', { 'a', int })\n"
    "local ref = of('ref', { target = tree })\n"
    "tree.fields[2] = { 'b', of('array', { of = ref, optional = true }) }\n"
    "tree.fields[3] = { 'c', of('union', { variants = { ref, of('array', { of = ref }), int },\n"
    "  optional = true }) }\n"
    "return { of'any', item, of('array', { of = of('union', { variants = { cat, dog }, tag = "
    "'kind' }) }),\n"
    "  of('map', { of = of('map', { of = of'any' }) }), tree,\n"
    "  of('array', { of = of('enum', { values = { 'a', 2, true, 'b' }, nullable = true }) }),\n"
    "  of('union', { variants = { of('map', { of = int }), of('array', { of = of'boolean' }), "
    "str, num }, nullable = true }),\n"
    "  object('keep', { 'a', of('string', { nullable = true }) },\n"
    "    { 'b', of('union', { variants = { item, cat, tree } }) }) }\n";

#define SCHEMAS         8
#define BUILD_DEPTH_MAX 40

struct fixture {
    lua_State *L;
    bq_raw null;
    struct bq_schemas all;
    const struct bq_schema *schemas[SCHEMAS];
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct fixture *fixture(void)
{
    static struct fixture f;
    char error[512];
    if (f.L)
        return &f;
    f.L = luaL_newstate();
    require(f.L);
    luaL_openlibs(f.L);
    f.null = bq_raw_probe(f.L);
    require(f.null != 0);
    bq_encode_open(f.L);
    bq_schemas_init(f.L, &f.all);
    lua_settop(f.L, 0);
    require(luaL_dostring(f.L, nodes) == 0);
    for (int i = 0; i < SCHEMAS; i++) {
        lua_rawgeti(f.L, 1, i + 1);
        f.schemas[i] = bq_schema_compile(f.L, &f.all, -1, error);
        require(f.schemas[i]);
        lua_pop(f.L, 1);
    }
    lua_settop(f.L, 0);
    return &f;
}

/* --- a value from bytes --- */

struct input {
    lua_State *L;
    const uint8_t *p, *end;
    int depth;
};

static uint8_t next_byte(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

static void push_text(struct input *in)
{
    size_t n = next_byte(in) % 24;
    size_t left = (size_t)(in->end - in->p);
    if (n > left)
        n = left;
    lua_pushlstring(in->L, (const char *)in->p, n);
    in->p += n;
}

static void push_number(struct input *in)
{
    uint8_t bytes[sizeof(double)];
    double v;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = next_byte(in);
    memcpy(&v, bytes, sizeof v);
    lua_pushnumber(in->L, v);
}

static void push_name(struct input *in)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "kind"};
    lua_pushstring(in->L, names[next_byte(in) % 7]);
}

static void push_value(struct input *in);

/* Pairs until a byte says no more, or positions. */
static void push_table(struct input *in)
{
    lua_newtable(in->L);
    bool positions = next_byte(in) % 2;
    for (int i = 1; in->p < in->end && *in->p++ % 8; i++) {
        if (positions)
            lua_pushinteger(in->L, i);
        else if (next_byte(in) % 8)
            push_name(in);
        else
            push_value(in);
        if (lua_isnil(in->L, -1) || lua_rawequal(in->L, -1, -1) == 0) { /* nil, NaN */
            lua_pop(in->L, 1);
            continue;
        }
        push_value(in);
        lua_rawset(in->L, -3);
    }
}

static void push_value(struct input *in)
{
    uint8_t kind = in->depth < BUILD_DEPTH_MAX ? next_byte(in) % 12 : 0;
    in->depth++;
    luaL_checkstack(in->L, 10, NULL);
    switch (kind) {
    case 1:
    case 2:
        lua_pushboolean(in->L, kind == 1);
        break;
    case 3:
        lua_pushlightuserdata(in->L, NULL);
        break;
    case 4:
        lua_pushinteger(in->L, (int8_t)next_byte(in));
        break;
    case 5:
        push_number(in);
        break;
    case 6:
        push_text(in);
        break;
    case 7:
        push_name(in);
        break;
    case 8:
    case 9:
    case 10:
        push_table(in);
        break;
    case 11: /* the outermost table once more: a cycle, often */
        lua_pushvalue(in->L, 1);
        break;
    default:
        lua_pushnil(in->L);
    }
    in->depth--;
}

static void read_back(lua_State *L, const struct bq_schema *s, bq_str text)
{
    struct bq_json_error error = {0, NULL};
    struct bq_invalid invalid;
    require(bq_json_check(text, BQ_JSON_DEPTH_MAX, &error) == BQ_OK);
    bq_invalid_init(&invalid);
    require(bq_schema_read_json(L, s, text, &invalid, &error) == BQ_OK);
    require(invalid.count == 0 || error.reason);
    bq_invalid_release(&invalid);
}

/* What the quick writer writes is the text of the other one, and a failure it leaves to it. */
static void require_agreement(struct fixture *f, const struct bq_schema *s, int rc, bq_str text)
{
    struct bq_buf out = BQ_BUF_INIT;
    if (bq_quick_write(f->L, f->null, s, 1, &out))
        require(rc == BQ_OK && bq_str_eq(bq_buf_str(&out), text));
    require(lua_gettop(f->L) == 1);
    bq_buf_release(&out);
}

static void require_line(const char *text)
{
    require(*text != '\0');
    for (; *text; text++)
        require((unsigned char)*text >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct fixture *f = fixture();
    const struct bq_schema *s = f->schemas[data[0] % SCHEMAS];
    struct input in = {.L = f->L, .p = data + 1, .end = data + size};
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error = {""};
    push_value(&in);
    lua_settop(f->L, 1);
    require(bq_buf_append(&out, BQ_STR("kept")) == BQ_OK);
    int rc = bq_schema_write(f->L, s, 1, &out, &error);
    require(lua_gettop(f->L) == 1 && memcmp(out.data, "kept", 4) == 0);
    if (rc == BQ_OK) {
        bq_buf_consume(&out, 4);
        require_agreement(f, s, rc, bq_buf_str(&out));
        read_back(f->L, s, bq_buf_str(&out));
    } else {
        require(rc == BQ_INVALID && bq_buf_size(&out) == 4);
        require_agreement(f, s, rc, BQ_STR(""));
        require_line(error.text);
    }
    lua_settop(f->L, 0);
    bq_buf_release(&out);
    return 0;
}
