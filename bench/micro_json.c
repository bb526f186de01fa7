/*
 * micro_json.c: the reader and the writers of JSON against lua-cjson, on the item of POST /items
 * and on a list of a hundred of them.
 */
#include "app/decode.h"
#include "app/encode.h"
#include "app/schema.h"
#include "base/rc.h"
#include "micro.h"

#include <stdlib.h>
#include <string.h>

#define LIST_ITEMS 100

int luaopen_cjson(lua_State *L);

/* The texts, the nodes as lua/barq/schema.lua makes them, and the values; cjson is lua-cjson. */
static const char chunk[] =
    "local item = '{\"name\":\"Widget\",\"price\":9.99,\"quantity\":3,\"tags\":[\"a\",\"b\",\"c\"],"
    "\"dimensions\":{\"w\":1.5,\"h\":2.5}}'\n"
    "local count, cjson = ...\n"
    "local node = {kind = 'object', name = 'Item', extra = 'ignore', fields = {\n"
    "  {'name', {kind = 'string', min = 1, max = 100}},\n"
    "  {'price', {kind = 'number', min = 0}},\n"
    "  {'quantity', {kind = 'integer', min = 0}},\n"
    "  {'tags', {kind = 'array', of = {kind = 'string'}, max = 10}},\n"
    "  {'dimensions', {kind = 'object', extra = 'ignore', fields = {\n"
    "    {'w', {kind = 'number'}}, {'h', {kind = 'number'}}}}}}}\n"
    "local text = item\n"
    "if count > 1 then\n"
    "  text = '[' .. (item .. ','):rep(count - 1) .. item .. ']'\n"
    "  node = {kind = 'array', of = node}\n"
    "end\n"
    "return text, node, cjson.decode(text), cjson.decode, cjson.encode\n";

enum { TEXT = 1, NODE, VALUE, DECODE, ENCODE }; /* places on the Lua stack */

struct json {
    lua_State *L;
    struct bq_schemas schemas;
    const struct bq_schema *schema;
    struct bq_invalid invalid;
    struct bq_buf out;
    bq_str text;
};

static void *prepare(int count)
{
    struct json *j = calloc(1, sizeof *j);
    char error[512];
    micro_need(j && (j->L = luaL_newstate()), "memory");
    luaL_openlibs(j->L);
    bq_decode_open(j->L);
    bq_encode_open(j->L);
    bq_schemas_init(j->L, &j->schemas);
    bq_invalid_init(&j->invalid);
    lua_settop(j->L, 0);
    micro_need(luaL_loadstring(j->L, chunk) == 0, "the chunk does not load");
    lua_pushinteger(j->L, count);
    lua_pushcfunction(j->L, luaopen_cjson);
    lua_call(j->L, 0, 1);
    micro_need(lua_pcall(j->L, 2, ENCODE, 0) == 0, "the chunk does not run");
    j->schema = bq_schema_compile(j->L, &j->schemas, NODE, error);
    micro_need(j->schema != NULL, error);
    j->text.p = lua_tolstring(j->L, TEXT, &j->text.n);
    return j;
}

static void *prepare_item(void)
{
    return prepare(1);
}

static void *prepare_list(void)
{
    return prepare(LIST_ITEMS);
}

static size_t text_bytes(void *arg)
{
    return ((struct json *)arg)->text.n;
}

static void read_by_schema(void *arg, size_t calls)
{
    struct json *j = arg;
    struct bq_json_error error;
    for (size_t i = 0; i < calls; i++) {
        micro_need(bq_schema_read_json(j->L, j->schema, j->text, &j->invalid, &error) == BQ_OK &&
                       j->invalid.count == 0,
                   "the item is refused");
        lua_settop(j->L, ENCODE);
    }
}

static void read_any(void *arg, size_t calls)
{
    struct json *j = arg;
    struct bq_json_error error;
    for (size_t i = 0; i < calls; i++) {
        micro_need(bq_decode(j->L, j->text, &error) == BQ_OK, "the item is refused");
        lua_settop(j->L, ENCODE);
    }
}

static void call_cjson(struct json *j, int function, int argument)
{
    lua_pushvalue(j->L, function);
    lua_pushvalue(j->L, argument);
    lua_call(j->L, 1, 1);
    lua_settop(j->L, ENCODE);
}

static void read_by_cjson(void *arg, size_t calls)
{
    for (size_t i = 0; i < calls; i++)
        call_cjson(arg, DECODE, TEXT);
}

static void write_by_schema(void *arg, size_t calls)
{
    struct json *j = arg;
    struct bq_encode_error error;
    for (size_t i = 0; i < calls; i++) {
        bq_buf_reset(&j->out);
        micro_need(bq_schema_write(j->L, j->schema, VALUE, &j->out, &error) == BQ_OK, "no JSON");
    }
}

static void write_any(void *arg, size_t calls)
{
    struct json *j = arg;
    struct bq_encode_error error;
    for (size_t i = 0; i < calls; i++) {
        bq_buf_reset(&j->out);
        micro_need(bq_encode(j->L, VALUE, &j->out, &error) == BQ_OK, "no JSON");
    }
}

static void write_by_cjson(void *arg, size_t calls)
{
    for (size_t i = 0; i < calls; i++)
        call_cjson(arg, ENCODE, VALUE);
}

const struct micro_case micro_json_cases[] = {
    {"read an item by its schema", prepare_item, read_by_schema, text_bytes},
    {"read an item without a schema", prepare_item, read_any, text_bytes},
    {"read an item by lua-cjson", prepare_item, read_by_cjson, text_bytes},
    {"read 100 items by their schema", prepare_list, read_by_schema, text_bytes},
    {"read 100 items without a schema", prepare_list, read_any, text_bytes},
    {"read 100 items by lua-cjson", prepare_list, read_by_cjson, text_bytes},
    {"write an item by its schema", prepare_item, write_by_schema, text_bytes},
    {"write an item without a schema", prepare_item, write_any, text_bytes},
    {"write an item by lua-cjson", prepare_item, write_by_cjson, text_bytes},
    {"write 100 items by their schema", prepare_list, write_by_schema, text_bytes},
    {"write 100 items without a schema", prepare_list, write_any, text_bytes},
    {"write 100 items by lua-cjson", prepare_list, write_by_cjson, text_bytes},
    {0},
};
