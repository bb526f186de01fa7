/*
 * lua_pack.c: the store's form of Lua values.
 *
 * A table is read in one pass of lua_next: what comes in the order 1, 2, 3 … is an
 * item, the rest are pairs, and the two counts are filled in at the end.
 */
#include "data/lua_pack.h"

#include "base/rc.h"
#include "data/shared.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#define KEY_SHOWN_BYTES 40

/* A table that is being packed, for the path in an error and to find cycles. */
struct level {
    const struct level *up;
    const void *table;
    int depth;
    int key; /* where on the Lua stack its current key lies; 0: none yet */
};

struct packer {
    lua_State *L;
    struct bq_buf *out;
    size_t bytes_max;
    struct bq_pack_error *error;
};

struct text {
    char *p;
    size_t n, max;
};

static void text_byte(struct text *t, char c)
{
    if (t->n + 1 < t->max) {
        t->p[t->n++] = c;
        t->p[t->n] = '\0';
    }
}

static void text_add(struct text *t, const char *s)
{
    while (*s)
        text_byte(t, *s++);
}

static bool is_name(bq_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(isalpha((unsigned char)s.p[i]) || s.p[i] == '_' ||
              (i && isdigit((unsigned char)s.p[i]))))
            return false;
    return s.n > 0 && s.n <= KEY_SHOWN_BYTES;
}

static void text_quoted(struct text *t, bq_str s)
{
    text_add(t, "[\"");
    for (size_t i = 0; i < s.n && i < KEY_SHOWN_BYTES; i++)
        text_byte(t, isprint((unsigned char)s.p[i]) ? s.p[i] : '?');
    text_add(t, s.n > KEY_SHOWN_BYTES ? "…\"]" : "\"]");
}

static void text_key(struct text *t, lua_State *L, int key)
{
    if (lua_type(L, key) == LUA_TSTRING) {
        bq_str s;
        s.p = lua_tolstring(L, key, &s.n);
        if (!is_name(s)) {
            text_quoted(t, s);
            return;
        }
        if (t->n)
            text_byte(t, '.');
        for (size_t i = 0; i < s.n; i++)
            text_byte(t, s.p[i]);
        return;
    }
    char number[40];
    snprintf(number, sizeof number, "[%.17g]", (double)lua_tonumber(L, key));
    if (lua_type(L, key) == LUA_TBOOLEAN)
        text_add(t, lua_toboolean(L, key) ? "[true]" : "[false]");
    else
        text_add(t, number);
}

static void text_path(struct text *t, lua_State *L, const struct level *level)
{
    if (!level || !level->key)
        return;
    text_path(t, L, level->up);
    text_key(t, L, level->key);
}

/* article and what make one phrase; the sentence is cut if the path is very long. */
static int refuse(struct packer *p, const struct level *level, const char *article,
                  const char *what, const char *why)
{
    struct text t = {p->error->text, 0, sizeof p->error->text};
    text_path(&t, p->L, level);
    if (t.n)
        text_add(&t, ": ");
    text_add(&t, article);
    text_add(&t, what);
    text_add(&t, why);
    return BQ_INVALID;
}

static int put(struct packer *p, char tag, const void *bytes, size_t n)
{
    if (bq_buf_size(p->out) + 1 + n > p->bytes_max)
        return BQ_LIMIT;
    if (bq_buf_reserve(p->out, 1 + n) != BQ_OK)
        return BQ_MEMORY;
    char *to = p->out->data + p->out->len;
    *to = tag;
    if (n)
        memcpy(to + 1, bytes, n);
    p->out->len += 1 + n;
    return BQ_OK;
}

static int put_string(struct packer *p, int index)
{
    size_t n;
    const char *bytes = lua_tolstring(p->L, index, &n);
    if (n > p->bytes_max)
        return BQ_LIMIT;
    uint8_t n8 = (uint8_t)n;
    uint32_t n32 = (uint32_t)n;
    int rc = n <= UINT8_MAX ? put(p, 's', &n8, sizeof n8) : put(p, 'S', &n32, sizeof n32);
    if (rc != BQ_OK)
        return rc;
    if (bq_buf_size(p->out) + n > p->bytes_max)
        return BQ_LIMIT;
    return bq_buf_append(p->out, bq_str_of(bytes, n));
}

/* Whether the metatable on top is the registry's of that name. */
static bool is_mark(lua_State *L, const char *name)
{
    luaL_getmetatable(L, name);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

static char mark_of(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return 'T';
    char tag = is_mark(L, "barq.array") ? 'A' : is_mark(L, "barq.object") ? 'O' : 'T';
    lua_pop(L, 1);
    return tag;
}

static int pack_value(struct packer *p, int index, const struct level *up);

static int pack_key(struct packer *p, int index, const struct level *up)
{
    switch (lua_type(p->L, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
    case LUA_TBOOLEAN:
        return pack_value(p, index, up);
    default:
        return refuse(p, up->up, "a ", lua_typename(p->L, lua_type(p->L, index)),
                      " as a key cannot be stored: use a string, number or boolean");
    }
}

static int pack_pairs(struct packer *p, int index, struct level *level, uint32_t counts[2])
{
    lua_State *L = p->L;
    int rc = BQ_OK;
    lua_pushnil(L);
    while (rc == BQ_OK && lua_next(L, index)) {
        level->key = lua_gettop(L) - 1;
        bool item = counts[1] == 0 && lua_type(L, level->key) == LUA_TNUMBER &&
                    lua_tonumber(L, level->key) == counts[0] + 1.0;
        counts[item ? 0 : 1]++;
        if (!item)
            rc = pack_key(p, level->key, level);
        if (rc == BQ_OK)
            rc = pack_value(p, level->key + 1, level);
        lua_pop(L, 1);
    }
    if (rc != BQ_OK)
        lua_pop(L, 1);
    return rc;
}

static int pack_table(struct packer *p, int index, const struct level *up)
{
    struct level level = {up, lua_topointer(p->L, index), up ? up->depth + 1 : 1, 0};
    for (const struct level *l = up; l; l = l->up)
        if (l->table == level.table)
            return refuse(p, up, "the ", "table", " contains itself");
    if (level.depth > BQ_PACK_DEPTH_MAX)
        return refuse(p, up, "a ", "table", " nested too deep to be stored");
    if (!lua_checkstack(p->L, 6))
        return BQ_MEMORY;
    uint32_t counts[2] = {0, 0};
    size_t head = p->out->len + 1;
    int rc = put(p, mark_of(p->L, index), counts, sizeof counts);
    if (rc == BQ_OK)
        rc = pack_pairs(p, index, &level, counts);
    if (rc == BQ_OK)
        memcpy(p->out->data + head, counts, sizeof counts);
    return rc;
}

static int pack_value(struct packer *p, int index, const struct level *up)
{
    lua_State *L = p->L;
    int type = lua_type(L, index);
    if (type == LUA_TBOOLEAN)
        return put(p, lua_toboolean(L, index) ? 't' : 'f', NULL, 0);
    if (type == LUA_TNUMBER) {
        double number = lua_tonumber(L, index);
        return put(p, BQ_STORE_NUMBER, &number, sizeof number);
    }
    if (type == LUA_TSTRING)
        return put_string(p, index);
    if (type == LUA_TTABLE)
        return pack_table(p, index, up);
    if (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, index))
        return put(p, '0', NULL, 0);
    return refuse(p, up, "a ", lua_typename(L, type), " cannot be stored");
}

int bq_pack(lua_State *L, int index, size_t bytes_max, struct bq_buf *out,
            struct bq_pack_error *error)
{
    assert(index > 0 && bq_buf_size(out) == 0);
    struct packer p = {L, out, bytes_max, error};
    return pack_value(&p, index, NULL);
}

/* The bytes are bq_pack's own: a wrong one is a bug, not an input. */
static const char *take(bq_str *rest, size_t n)
{
    assert(n <= rest->n);
    const char *p = rest->p;
    rest->p += n;
    rest->n -= n;
    return p;
}

static uint32_t take_u32(bq_str *rest)
{
    uint32_t n;
    memcpy(&n, take(rest, sizeof n), sizeof n);
    return n;
}

static void unpack_value(lua_State *L, bq_str *rest);

static void unpack_table(lua_State *L, bq_str *rest, const char *mark)
{
    uint32_t items = take_u32(rest), pairs = take_u32(rest);
    luaL_checkstack(L, 4, "unpacking a stored table");
    lua_createtable(L, (int)items, (int)pairs);
    for (uint32_t i = 1; i <= items; i++) {
        unpack_value(L, rest);
        lua_rawseti(L, -2, (int)i);
    }
    for (uint32_t i = 0; i < pairs; i++) {
        unpack_value(L, rest);
        unpack_value(L, rest);
        lua_rawset(L, -3);
    }
    if (!mark)
        return;
    luaL_getmetatable(L, mark);
    if (lua_istable(L, -1))
        lua_setmetatable(L, -2);
    else
        lua_pop(L, 1);
}

static void unpack_string(lua_State *L, bq_str *rest, size_t n)
{
    const char *p = take(rest, n);
    lua_pushlstring(L, p, n);
}

static void unpack_number(lua_State *L, bq_str *rest)
{
    double number;
    memcpy(&number, take(rest, sizeof number), sizeof number);
    lua_pushnumber(L, number);
}

static void unpack_value(lua_State *L, bq_str *rest)
{
    char tag = *take(rest, 1);
    switch (tag) {
    case '0':
        lua_pushlightuserdata(L, NULL);
        break;
    case 't':
    case 'f':
        lua_pushboolean(L, tag == 't');
        break;
    case BQ_STORE_NUMBER:
        unpack_number(L, rest);
        break;
    case 's':
        unpack_string(L, rest, (unsigned char)*take(rest, 1));
        break;
    case 'S':
        unpack_string(L, rest, take_u32(rest));
        break;
    default:
        assert(tag == 'T' || tag == 'A' || tag == 'O');
        unpack_table(L, rest, tag == 'A' ? "barq.array" : tag == 'O' ? "barq.object" : NULL);
    }
}

void bq_unpack(lua_State *L, bq_str bytes)
{
    unpack_value(L, &bytes);
    assert(bytes.n == 0);
}
