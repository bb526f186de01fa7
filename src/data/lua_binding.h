/*
 * lua_binding.h: what lua_shared.c and lua_flight.c have in common; for these two only.
 *
 * Every function of the core has two upvalues: the binding, and the metatable of
 * stores.
 */
#ifndef BQ_DATA_LUA_BINDING_H
#define BQ_DATA_LUA_BINDING_H

#include "base/buf.h"
#include "data/lua_pack.h"
#include "data/shared.h"
#include "vm/lua.h"

/* A buffer that Lua owns, so that an error raised while it is filled leaks nothing. */
struct bq_scratch {
    struct bq_buf buf;
    bool busy;
};

struct bq_shared_binding {
    struct bq_stores *stores;
    struct bq_scratch *scratch;
    int scratch_ref; /* the registry's, keeps it alive */
};

/* Keys that are numbers are written here. */
struct bq_shared_key {
    bq_str s;
    char digits[24];
};

#define BQ_SHARED_BINDING(L) ((struct bq_shared_binding *)lua_touserdata(L, lua_upvalueindex(1)))

/* The arguments at index. Raises: on any other value. */
struct bq_store *bq_shared_check_store(lua_State *L, int index);
void bq_shared_check_key(lua_State *L, struct bq_store *s, int index, struct bq_shared_key *key);
uint64_t bq_shared_check_ttl(lua_State *L, struct bq_store *s, int index);

/* The binding's buffer, empty; what Lua runs meanwhile (a finaliser) gets another.
 * Pushes one value, which keeps it alive. */
struct bq_scratch *bq_scratch_take(lua_State *L);
void bq_scratch_give(struct bq_scratch *scratch);

/* Raises 'barq.shared "name": …' at the line that called the method. */
int bq_shared_fail(lua_State *L, struct bq_store *s, const char *format, ...);

/* The same for a return code of the store. */
int bq_shared_fail_rc(lua_State *L, struct bq_store *s, const struct bq_shared_key *key, int rc);

/* The same for what bq_pack or then the store answered. */
int bq_shared_fail_pack(lua_State *L, struct bq_store *s, const struct bq_shared_key *key, int rc,
                        const struct bq_pack_error *error);

/* Puts begin, finish, abandon, and the states that begin returns, into the table on top;
 * the binding and the stores' metatable are at the indexes given. */
void bq_shared_open_flight(lua_State *L, int binding, int metatable);

/* Sets table[name] of the table on top to fn with the two upvalues. */
void bq_shared_add(lua_State *L, int binding, int metatable, const char *name, lua_CFunction fn);

#endif
