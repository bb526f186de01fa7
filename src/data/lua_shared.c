/*
 * lua_shared.c: stores as Lua sees them.
 *
 * Bytes of a store are copied out under its lock and become Lua values after it: a
 * Lua error must never pass a locked stripe.
 */
#include "data/lua_shared.h"

#include "base/clock.h"
#include "base/rc.h"
#include "data/lua_binding.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define INTEGER_MAX       9007199254740992.0  /* 2^53 */
#define SCRATCH_BYTES_MAX ((size_t)256 << 10) /* a larger buffer is not kept */
#define SCRATCH_TYPE      "barq.shared.scratch"

int bq_shared_fail(lua_State *L, struct bq_store *s, const char *format, ...)
{
    va_list ap;
    luaL_where(L, 2);
    lua_pushfstring(L, "barq.shared \"%s\": ", bq_store_name(s).p);
    va_start(ap, format);
    lua_pushvfstring(L, format, ap);
    va_end(ap);
    lua_concat(L, 3);
    return lua_error(L);
}

/* Only called with a valid store, key and value: what is left are limits and memory. */
int bq_shared_fail_rc(lua_State *L, struct bq_store *s, const struct bq_shared_key *key, int rc)
{
    lua_pushlstring(L, key->s.p, key->s.n);
    const char *name = lua_tostring(L, -1);
    if (rc == BQ_LIMIT)
        return bq_shared_fail(
            L, s,
            "the value for \"%s\" is too large: this store takes %f bytes at most; "
            "open it with a larger bytes_max",
            name, (double)bq_store_entry_bytes_max(s));
    return bq_shared_fail(L, s, "\"%s\": %s", name, bq_rc_text(rc));
}

struct bq_store *bq_shared_check_store(lua_State *L, int index)
{
    struct bq_store **box = lua_touserdata(L, index);
    bool is_store = false;
    if (box && lua_getmetatable(L, index)) {
        is_store = lua_rawequal(L, -1, lua_upvalueindex(2));
        lua_pop(L, 1);
    }
    if (is_store)
        return *box;
    luaL_where(L, 2);
    lua_pushfstring(L,
                    "barq.shared: a store expected, got %s: call methods with a colon, s:get(key)",
                    luaL_typename(L, index));
    lua_concat(L, 2);
    lua_error(L);
    return NULL;
}

static void write_number_key(lua_State *L, struct bq_store *s, int index, struct bq_shared_key *key)
{
    double number = lua_tonumber(L, index);
    if (!(fabs(number) <= INTEGER_MAX) || floor(number) != number)
        bq_shared_fail(L, s, "the key %f is not an integer: use a string", number);
    int n = snprintf(key->digits, sizeof key->digits, "%lld", (long long)number);
    key->s = bq_str_of(key->digits, (size_t)n);
}

void bq_shared_check_key(lua_State *L, struct bq_store *s, int index, struct bq_shared_key *key)
{
    int type = lua_type(L, index);
    if (type == LUA_TNUMBER) {
        write_number_key(L, s, index, key);
        return;
    }
    if (type != LUA_TSTRING)
        bq_shared_fail(L, s, "a key is a string or an integer, not %s",
                       type == LUA_TNONE ? "nil" : lua_typename(L, type));
    key->s.p = lua_tolstring(L, index, &key->s.n);
    if (key->s.n > BQ_STORE_KEY_BYTES_MAX)
        bq_shared_fail(L, s, "the key has %d bytes, %d are allowed", (int)key->s.n,
                       BQ_STORE_KEY_BYTES_MAX);
}

uint64_t bq_shared_check_ttl(lua_State *L, struct bq_store *s, int index)
{
    if (lua_isnoneornil(L, index))
        return 0;
    double ms = lua_type(L, index) == LUA_TNUMBER ? ceil(lua_tonumber(L, index) * 1000) : -1;
    if (!(ms > 0))
        bq_shared_fail(L, s, "ttl is a number of seconds above 0");
    return ms < INTEGER_MAX ? (uint64_t)ms : 0;
}

static int free_scratch(lua_State *L)
{
    struct bq_scratch *scratch = lua_touserdata(L, 1);
    bq_buf_release(&scratch->buf);
    return 0;
}

/* Pushes the new one. */
static struct bq_scratch *new_scratch(lua_State *L)
{
    struct bq_scratch *scratch = lua_newuserdata(L, sizeof *scratch);
    *scratch = (struct bq_scratch){BQ_BUF_INIT, false};
    luaL_getmetatable(L, SCRATCH_TYPE);
    lua_setmetatable(L, -2);
    return scratch;
}

/* A busy one belongs to a call further up, or to one that ended in an error; the stack
 * of the former keeps it, the collector takes the latter. */
struct bq_scratch *bq_scratch_take(lua_State *L)
{
    struct bq_shared_binding *binding = BQ_SHARED_BINDING(L);
    if (binding->scratch->busy) {
        struct bq_scratch *scratch = new_scratch(L);
        lua_rawseti(L, LUA_REGISTRYINDEX, binding->scratch_ref);
        binding->scratch = scratch;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, binding->scratch_ref);
    binding->scratch->busy = true;
    bq_buf_reset(&binding->scratch->buf);
    return binding->scratch;
}

void bq_scratch_give(struct bq_scratch *scratch)
{
    if (scratch->buf.cap > SCRATCH_BYTES_MAX)
        bq_buf_release(&scratch->buf);
    scratch->busy = false;
}

int bq_shared_fail_pack(lua_State *L, struct bq_store *s, const struct bq_shared_key *key, int rc,
                        const struct bq_pack_error *error)
{
    if (rc != BQ_INVALID)
        return bq_shared_fail_rc(L, s, key, rc);
    lua_pushlstring(L, key->s.p, key->s.n);
    return bq_shared_fail(L, s, "the value for \"%s\": %s", lua_tostring(L, -1), error->text);
}

/* Packs the argument at index. Raises: if it cannot be stored. */
static void pack(lua_State *L, struct bq_store *s, const struct bq_shared_key *key, int index,
                 struct bq_scratch *scratch)
{
    struct bq_pack_error error;
    int rc = bq_pack(L, index, bq_store_entry_bytes_max(s), &scratch->buf, &error);
    if (rc == BQ_OK)
        return;
    bq_scratch_give(scratch);
    bq_shared_fail_pack(L, s, key, rc, &error);
}

/* open(name, bytes_max | nil) → store; shared.lua has checked the types. */
static int l_open(lua_State *L)
{
    struct bq_store *store;
    bq_str name;
    name.p = lua_tolstring(L, 1, &name.n);
    size_t bytes_max = (size_t)lua_tonumber(L, 2);
    int rc = bq_stores_open(BQ_SHARED_BINDING(L)->stores, name, bytes_max, &store);
    if (rc == BQ_CONFLICT)
        return bq_shared_fail(L, store, "it is open already, with another bytes_max: say it once");
    if (rc != BQ_OK) {
        luaL_where(L, 2);
        lua_pushfstring(L, "barq.shared \"%s\": cannot be opened: %s", name.p, bq_rc_text(rc));
        lua_concat(L, 2);
        return lua_error(L);
    }
    struct bq_store **box = lua_newuserdata(L, sizeof(struct bq_store *));
    *box = store;
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_setmetatable(L, -2);
    return 1;
}

/* Pushes the value and gives its version; nil and 0 when it is absent. */
static uint64_t push_value(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    struct bq_scratch *scratch = bq_scratch_take(L);
    uint64_t version = 0;
    int rc = bq_store_get(s, key.s, &scratch->buf, &version);
    if (rc == BQ_OK)
        bq_unpack(L, bq_buf_str(&scratch->buf));
    bq_scratch_give(scratch);
    if (rc == BQ_NOT_FOUND)
        lua_pushnil(L);
    else if (rc != BQ_OK)
        bq_shared_fail_rc(L, s, &key, rc);
    return version;
}

/* get(store, key) → value | nil */
static int l_get(lua_State *L)
{
    push_value(L);
    return 1;
}

/* load(store, key) → value | nil, version. A version is exact in a double for 2^53
 * writes of a stripe. */
static int l_load(lua_State *L)
{
    uint64_t version = push_value(L);
    lua_pushnumber(L, (double)version);
    return 2;
}

/* set(store, key, value | nil, ttl | nil) */
static int l_set(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    uint64_t ttl_ms = bq_shared_check_ttl(L, s, 4);
    if (lua_isnoneornil(L, 3)) {
        bq_store_delete(s, key.s);
        return 0;
    }
    struct bq_scratch *scratch = bq_scratch_take(L);
    pack(L, s, &key, 3, scratch);
    int rc = bq_store_set(s, key.s, bq_buf_str(&scratch->buf), ttl_ms);
    bq_scratch_give(scratch);
    return rc == BQ_OK ? 0 : bq_shared_fail_rc(L, s, &key, rc);
}

/* add(store, key, value, ttl | nil) → whether it was stored */
static int l_add(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    uint64_t ttl_ms = bq_shared_check_ttl(L, s, 4);
    if (lua_isnoneornil(L, 3))
        return bq_shared_fail(L, s, "nil cannot be added");
    struct bq_scratch *scratch = bq_scratch_take(L);
    pack(L, s, &key, 3, scratch);
    int rc = bq_store_add(s, key.s, bq_buf_str(&scratch->buf), ttl_ms);
    bq_scratch_give(scratch);
    if (rc != BQ_OK && rc != BQ_CONFLICT)
        return bq_shared_fail_rc(L, s, &key, rc);
    lua_pushboolean(L, rc == BQ_OK);
    return 1;
}

/* replace(store, key, version, value | nil, ttl | nil) → whether nobody else had changed it */
static int l_replace(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    uint64_t version = (uint64_t)lua_tonumber(L, 3);
    uint64_t ttl_ms = lua_isnoneornil(L, 5) ? BQ_STORE_TTL_KEEP : bq_shared_check_ttl(L, s, 5);
    struct bq_scratch *scratch = bq_scratch_take(L);
    bq_str value = {NULL, 0};
    if (!lua_isnil(L, 4)) {
        pack(L, s, &key, 4, scratch);
        value = bq_buf_str(&scratch->buf);
    }
    int rc = bq_store_replace(s, key.s, version, value, ttl_ms);
    bq_scratch_give(scratch);
    if (rc != BQ_OK && rc != BQ_CONFLICT)
        return bq_shared_fail_rc(L, s, &key, rc);
    lua_pushboolean(L, rc == BQ_OK);
    return 1;
}

static double check_finite(lua_State *L, struct bq_store *s, int index, double absent,
                           const char *what)
{
    if (lua_isnoneornil(L, index))
        return absent;
    double number = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : NAN;
    if (!isfinite(number))
        bq_shared_fail(L, s, "%s is a finite number", what);
    return number;
}

/* incr(store, key, delta | nil, init | nil, ttl | nil) → sum */
static int l_incr(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    double delta = check_finite(L, s, 3, 1, "delta"), init = check_finite(L, s, 4, 0, "init"), sum;
    int rc = bq_store_incr(s, key.s, delta, init, bq_shared_check_ttl(L, s, 5), &sum);
    if (rc == BQ_INVALID) {
        lua_pushlstring(L, key.s.p, key.s.n);
        return bq_shared_fail(L, s, "\"%s\" cannot be incremented: %s", lua_tostring(L, -1),
                              isfinite(sum) ? "it is not a number" : "the sum is not finite");
    }
    if (rc != BQ_OK)
        return bq_shared_fail_rc(L, s, &key, rc);
    lua_pushnumber(L, sum);
    return 1;
}

/* delete(store, key) → whether it was there */
static int l_delete(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    lua_pushboolean(L, bq_store_delete(s, key.s));
    return 1;
}

/* ttl(store, key) → seconds left; nil when absent or without expiry */
static int l_ttl(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    int64_t left_ms;
    bq_shared_check_key(L, s, 2, &key);
    if (bq_store_ttl(s, key.s, &left_ms) == BQ_OK && left_ms >= 0)
        lua_pushnumber(L, (double)left_ms / 1000);
    else
        lua_pushnil(L);
    return 1;
}

struct key_list {
    struct bq_buf *out;
    double left; /* how many more are wanted */
};

static bool list_key(void *arg, bq_str key)
{
    struct key_list *list = arg;
    uint32_t n = (uint32_t)key.n;
    if (list->left-- < 1)
        return false;
    bq_buf_append(list->out, bq_str_of((const char *)&n, sizeof n));
    bq_buf_append(list->out, key);
    return !list->out->failed;
}

static void push_keys(lua_State *L, bq_str list)
{
    lua_newtable(L);
    for (int i = 1; list.n; i++) {
        uint32_t n;
        memcpy(&n, list.p, sizeof n);
        lua_pushlstring(L, list.p + sizeof n, n);
        lua_rawseti(L, -2, i);
        list = bq_str_of(list.p + sizeof n + n, list.n - sizeof n - n);
    }
}

/* keys(store, prefix, limit) → array, in no order. Raises: without memory. */
static int l_keys(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_scratch *scratch = bq_scratch_take(L);
    struct key_list list = {&scratch->buf, lua_tonumber(L, 3)};
    bq_str prefix;
    prefix.p = lua_tolstring(L, 2, &prefix.n);
    bq_store_each(s, prefix, list_key, &list);
    if (scratch->buf.failed) {
        bq_scratch_give(scratch);
        return bq_shared_fail(L, s, "not enough memory for the list of keys");
    }
    push_keys(L, bq_buf_str(&scratch->buf));
    bq_scratch_give(scratch);
    return 1;
}

/* count(store) → live entries */
static int l_count(lua_State *L)
{
    lua_pushnumber(L, (double)bq_store_counts(bq_shared_check_store(L, 1)).entries);
    return 1;
}

/* clear(store) */
static int l_clear(lua_State *L)
{
    bq_store_clear(bq_shared_check_store(L, 1));
    return 0;
}

/* now() → monotonic seconds */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)bq_clock_ms() / 1000);
    return 1;
}

static int l_tostring(lua_State *L)
{
    lua_pushfstring(L, "barq.shared \"%s\"", bq_store_name(bq_shared_check_store(L, 1)).p);
    return 1;
}

void bq_shared_add(lua_State *L, int binding, int metatable, const char *name, lua_CFunction fn)
{
    lua_pushvalue(L, binding);
    lua_pushvalue(L, metatable);
    lua_pushcclosure(L, fn, 2);
    lua_setfield(L, -2, name);
}

/* Pushes it. */
static void new_binding(lua_State *L, struct bq_stores *stores)
{
    struct bq_shared_binding *binding = lua_newuserdata(L, sizeof *binding);
    luaL_newmetatable(L, SCRATCH_TYPE);
    lua_pushcfunction(L, free_scratch);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    binding->stores = stores;
    binding->scratch = new_scratch(L);
    binding->scratch_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void bq_shared_open(lua_State *L, struct bq_stores *stores)
{
    static const luaL_Reg functions[] = {
        {"add", l_add}, {"clear", l_clear}, {"count", l_count},     {"delete", l_delete},
        {"get", l_get}, {"incr", l_incr},   {"keys", l_keys},       {"load", l_load},
        {"now", l_now}, {"open", l_open},   {"replace", l_replace}, {"set", l_set},
        {"ttl", l_ttl},
    };
    new_binding(L, stores);
    int binding = lua_gettop(L);
    lua_newtable(L); /* the metatable of stores; shared.lua fills its __index */
    bq_shared_add(L, binding, binding + 1, "__tostring", l_tostring);
    lua_pushliteral(L, "barq.shared");
    lua_setfield(L, -2, "__metatable");
    lua_newtable(L);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        bq_shared_add(L, binding, binding + 1, functions[i].name, functions[i].func);
    bq_shared_open_flight(L, binding, binding + 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, binding + 1, "__index");
    lua_setfield(L, -2, "methods");
    lua_replace(L, binding);
    lua_pop(L, 1);
}
