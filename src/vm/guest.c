/*
 * guest.c: keeps a guest's entries of the registry apart from its host's.
 *
 * References (luaL_ref) are integers that host and guests take from one list, so they stay
 * where they are, and may be used while the guest is out. Which are the guest's is known by
 * when they appeared: they are given back at its end, as lua_close does for a whole state.
 */
#include "vm/guest.h"

#include "base/mem.h"
#include "base/rc.h"
#include "vm/task.h"

#include <assert.h>
#include <string.h>

/* Slots of the table at vm->guest_ref. */
enum {
    SLOT_THREAD = 1, /* keeps vm->L alive */
    SLOT_AWAY,       /* the entries of whoever is out: the guest's, or the host's */
    SLOT_BEFORE,     /* while it is in: the references that there were before */
    SLOT_OWN,        /* its references, number -> value, weak */
};

/* The entries that host and guest each have their own of. */
static bool is_apart(lua_State *L, int key)
{
    if (lua_type(L, key) != LUA_TSTRING)
        return lua_type(L, key) == LUA_TLIGHTUSERDATA;
    const char *name = lua_tostring(L, key);
    return strcmp(name, "_LOADED") == 0 || strcmp(name, "_PRELOAD") == 0 ||
           strncmp(name, "barq", 4) == 0;
}

/* Moves what is apart from the registry into the table on top. */
static void take_away(lua_State *L)
{
    int away = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (!is_apart(L, away + 1))
            continue;
        lua_pushvalue(L, away + 1);
        lua_insert(L, -2);
        lua_rawset(L, away);
        lua_pushvalue(L, away + 1);
        lua_pushnil(L);
        lua_rawset(L, LUA_REGISTRYINDEX);
        lua_pushnil(L); /* in place of the value */
    }
}

/* Puts the entries of the table on top into the registry. */
static void bring_back(lua_State *L)
{
    int away = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, away);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
}

/* The guest's table lies at 1 of an otherwise empty part of the stack. */
static void swap(lua_State *L, int slots)
{
    lua_rawgeti(L, slots, SLOT_AWAY);
    lua_newtable(L);
    take_away(L);
    lua_insert(L, -2);
    bring_back(L);
    lua_pop(L, 1);
    lua_rawseti(L, slots, SLOT_AWAY);
}

/* Free references hold numbers, the rest of their list. */
static bool is_reference(lua_State *L, int key)
{
    return lua_type(L, key) == LUA_TNUMBER && lua_type(L, key + 1) != LUA_TNUMBER;
}

static void note_references(lua_State *L, int slots)
{
    lua_newtable(L);
    int before = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (!is_reference(L, before + 1))
            continue;
        lua_pushvalue(L, before + 1);
        lua_pushvalue(L, before + 2);
        lua_rawset(L, before);
    }
    lua_rawseti(L, slots, SLOT_BEFORE);
}

/* What has appeared since note_references. */
static void claim_references(lua_State *L, int slots)
{
    lua_rawgeti(L, slots, SLOT_BEFORE);
    lua_rawgeti(L, slots, SLOT_OWN);
    int before = slots + 1, own = slots + 2, key = slots + 3;
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_settop(L, key)) {
        if (!is_reference(L, key))
            continue;
        lua_pushvalue(L, key);
        lua_rawget(L, before);
        if (lua_rawequal(L, -1, key + 1))
            continue;
        lua_pushvalue(L, key);
        lua_pushvalue(L, key + 1);
        lua_rawset(L, own);
    }
    lua_settop(L, slots);
    lua_pushnil(L);
    lua_rawseti(L, slots, SLOT_BEFORE);
}

static int push_slots(lua_State *L, const struct bq_vm *guest)
{
    luaL_checkstack(L, 8, "guest");
    lua_rawgeti(L, LUA_REGISTRYINDEX, guest->guest_ref);
    return lua_gettop(L);
}

void bq_guest_enter(struct bq_vm *guest)
{
    lua_State *L = guest->L;
    assert(guest->host && !guest->guest_in && !bq_vm_of(L)->host);
    int slots = push_slots(L, guest);
    note_references(L, slots);
    swap(L, slots);
    lua_settop(L, slots - 1);
    guest->guest_in = true;
}

void bq_guest_leave(struct bq_vm *guest)
{
    lua_State *L = guest->L;
    assert(guest->guest_in);
    int slots = push_slots(L, guest);
    swap(L, slots);
    claim_references(L, slots);
    lua_settop(L, slots - 1);
    guest->guest_in = false;
}

/* --- life --------------------------------------------------------------------------------- */

/* Copies the fields of the table at from, which does not change meanwhile. */
static void copy_fields(lua_State *L, int from, int to)
{
    for (lua_pushnil(L); lua_next(L, from);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, to);
    }
}

/* Libraries that are one for all: opening them again would replace what others hold (the types
 * that ffi knows, the methods of strings). */
static void copy_libraries(lua_State *L, int from, int to)
{
    static const char *const names[] = {"string", "table", "math",     "io",
                                        "os",     "debug", "bit",      "coroutine",
                                        "jit",    "ffi",   "jit.util", "jit.opt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_getfield(L, from, names[i]);
        lua_setfield(L, to, names[i]);
    }
}

/* The guest's own `package` and `require`, which search where the host's do. */
static void open_package(lua_State *L, int host_package)
{
    lua_pushcfunction(L, luaopen_package);
    lua_pushliteral(L, "package");
    lua_call(L, 1, 0);
    lua_getglobal(L, "package");
    lua_getfield(L, host_package, "path");
    lua_setfield(L, -2, "path");
    lua_getfield(L, host_package, "cpath");
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 1);
}

/* (guest, host's registry entries): on the guest's own coroutine, when it is in. */
static int furnish(lua_State *L)
{
    struct bq_vm *guest = lua_touserdata(L, 1);
    enum { HOST = 2, GLOBALS, LOADED };
    lua_newtable(L);
    copy_fields(L, LUA_GLOBALSINDEX, GLOBALS);
    lua_pushvalue(L, GLOBALS);
    lua_setfield(L, GLOBALS, "_G");
    lua_pushnil(L);
    lua_setfield(L, GLOBALS, "package");

    lua_newtable(L);
    lua_getfield(L, HOST, "_LOADED");
    copy_libraries(L, LOADED + 1, LOADED);
    lua_pushvalue(L, GLOBALS);
    lua_setfield(L, LOADED, "_G");
    lua_pushvalue(L, LOADED);
    lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");

    lua_newtable(L);
    lua_getfield(L, HOST, "_PRELOAD");
    copy_fields(L, lua_gettop(L), lua_gettop(L) - 1);
    lua_pop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "_PRELOAD");

    lua_pushvalue(L, GLOBALS);
    lua_replace(L, LUA_GLOBALSINDEX);
    lua_getfield(L, LOADED + 1, "package");
    open_package(L, lua_gettop(L));
    bq_vm_register(L, guest);
    bq_tasks_open(L, guest);
    return 0;
}

/* Everything that is needed to be out. */
static void open_slots(lua_State *L, void *arg)
{
    struct bq_vm *guest = arg;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "ffi");
    lua_call(L, 1, 0);
    lua_createtable(L, SLOT_OWN, 0);
    guest->L = lua_newthread(L);
    lua_rawseti(L, -2, SLOT_THREAD);
    lua_newtable(L);
    lua_rawseti(L, -2, SLOT_AWAY);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawseti(L, -2, SLOT_OWN);
    guest->guest_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int furnish_protected(struct bq_vm *guest)
{
    lua_State *L = guest->L;
    bq_guest_enter(guest);
    lua_pushcfunction(L, furnish);
    lua_pushlightuserdata(L, guest);
    lua_rawgeti(L, LUA_REGISTRYINDEX, guest->guest_ref);
    lua_rawgeti(L, -1, SLOT_AWAY);
    lua_remove(L, -2);
    int rc = lua_pcall(L, 2, 0, 0);
    lua_settop(L, 0);
    bq_guest_leave(guest);
    return rc == 0 ? BQ_OK : BQ_MEMORY;
}

struct bq_vm *bq_guest_new(struct bq_vm *host, struct bq_loop *loop)
{
    struct bq_vm *guest = bq_alloc_zero(sizeof *guest);
    if (!guest)
        return NULL;
    guest->host = host;
    guest->raw_null = host->raw_null;
    guest->loop = loop;
    guest->absence = bq_loop_absence(loop);
    guest->guest_ref = LUA_NOREF;
    bq_list_init(&guest->idle);
    bq_list_init(&guest->waiting);
    bq_handles_init(&guest->handles);
    bq_collector_init(guest);
    if (bq_vm_protect(host, open_slots, guest) == BQ_OK && furnish_protected(guest) == BQ_OK)
        return guest;
    bq_vm_free(guest);
    return NULL;
}

static void release_references(lua_State *L, void *arg)
{
    const struct bq_vm *guest = arg;
    int slots = push_slots(L, guest);
    lua_rawgeti(L, slots, SLOT_OWN);
    for (lua_pushnil(L); lua_next(L, slots + 1); lua_settop(L, slots + 2)) {
        int ref = (int)lua_tointeger(L, slots + 2);
        lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
        /* Others have it by now if it holds something else. */
        if (lua_rawequal(L, -1, slots + 3))
            luaL_unref(L, LUA_REGISTRYINDEX, ref);
    }
}

void bq_guest_release(struct bq_vm *guest)
{
    if (guest->guest_ref == LUA_NOREF)
        return;
    if (guest->guest_in)
        bq_guest_leave(guest);
    bq_vm_protect(guest->host, release_references, guest);
    luaL_unref(guest->host->L, LUA_REGISTRYINDEX, guest->guest_ref);
}
