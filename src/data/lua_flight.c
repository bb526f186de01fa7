/*
 * lua_flight.c: single flight as tasks see it: leading is a userdata, waiting a yield.
 *
 * The userdata ends its flight when it is collected: a leader whose task was dropped
 * holds nobody up for longer than that.
 */
#include "base/clock.h"
#include "base/rc.h"
#include "data/flight.h"
#include "data/lua_binding.h"
#include "vm/outward.h"
#include "vm/task.h"

#define LEAD_TYPE "barq.shared.lead"

/* What begin returns first. */
enum state { VALUE = 1, LEAD, AGAIN, NOTHING, TIMEOUT };

struct lead {
    struct bq_flight *flight; /* NULL: ended */
};

static void end_lead(struct lead *lead, bool nothing)
{
    struct bq_flight *flight = lead->flight;
    lead->flight = NULL;
    if (flight)
        bq_flight_end(flight, nothing);
}

static int l_end_lead(lua_State *L)
{
    end_lead(lua_touserdata(L, 1), false);
    return 0;
}

static struct lead *push_lead(lua_State *L)
{
    struct lead *lead = lua_newuserdata(L, sizeof *lead);
    lead->flight = NULL;
    luaL_getmetatable(L, LEAD_TYPE);
    lua_setmetatable(L, -2);
    return lead;
}

static void wake(void *arg, int rc)
{
    struct bq_task *task = arg;
    /* An integer needs no memory: there is nobody here to catch an error. */
    lua_pushinteger(task->L, rc == BQ_OK ? AGAIN : rc == BQ_LIMIT ? TIMEOUT : NOTHING);
    bq_task_wake(task, 1);
}

static void leave(void *arg)
{
    bq_flight_leave(arg);
}

static int push_state(lua_State *L, enum state state)
{
    lua_pushinteger(L, state);
    return 1;
}

static int wait_for(lua_State *L, struct bq_store *s, const struct bq_shared_key *key,
                    double deadline_ms)
{
    double left_ms = deadline_ms - (double)bq_clock_ms();
    if (left_ms <= 0)
        return push_state(L, TIMEOUT);
    struct bq_vm *vm = bq_vm_of(L);
    if (!vm || !vm->running) {
        lua_pushlstring(L, key->s.p, key->s.n);
        return bq_shared_fail(
            L, s,
            "\"%s\" is being computed by another worker, and code that runs while "
            "the application loads cannot wait for it",
            lua_tostring(L, -1));
    }
    struct bq_task *task = bq_task_running(L, "barq.shared:get_or");
    struct bq_flight_wait *wait;
    luaL_checkstack(L, 4, "barq.shared:get_or");
    int rc = bq_flight_join(s, key->s, vm->loop, (uint64_t)left_ms + 1, wake, task, &wait);
    if (rc == BQ_OK)
        return bq_task_wait(L, task, leave, wait);
    return rc == BQ_NOT_FOUND ? push_state(L, AGAIN) : bq_shared_fail_rc(L, s, key, rc);
}

/* begin(store, key, deadline, ttl | nil) → VALUE, value │ LEAD, lead │ AGAIN │ NOTHING │
 * TIMEOUT. Waits while another leads, until the deadline in the seconds of now(). The ttl
 * is for finish, checked before anything is computed. */
static int l_begin(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    bq_shared_check_ttl(L, s, 4);
    struct bq_scratch *scratch = bq_scratch_take(L);
    lua_pushinteger(L, LEAD);
    struct lead *lead = push_lead(L);
    int rc = bq_flight_begin(s, key.s, L, &scratch->buf, &lead->flight);
    if (rc == BQ_OK) {
        lua_pushinteger(L, VALUE);
        bq_unpack(L, bq_buf_str(&scratch->buf));
    }
    bq_scratch_give(scratch);
    if (rc == BQ_OK || rc == BQ_NOT_FOUND)
        return 2;
    if (rc == BQ_AGAIN)
        return wait_for(L, s, &key, lua_tonumber(L, 3) * 1000);
    if (rc != BQ_CONFLICT)
        return bq_shared_fail_rc(L, s, &key, rc);
    lua_pushlstring(L, key.s.p, key.s.n);
    return bq_shared_fail(L, s, "the function that computes \"%s\" asks for it itself",
                          lua_tostring(L, -1));
}

/* finish(store, key, lead, value | nil, ttl | nil): stores it and tells who waits. */
static int l_finish(lua_State *L)
{
    struct bq_store *s = bq_shared_check_store(L, 1);
    struct bq_shared_key key;
    bq_shared_check_key(L, s, 2, &key);
    struct lead *lead = luaL_checkudata(L, 3, LEAD_TYPE);
    uint64_t ttl_ms = bq_shared_check_ttl(L, s, 5);
    if (lua_isnoneornil(L, 4)) {
        end_lead(lead, true);
        return 0;
    }
    struct bq_scratch *scratch = bq_scratch_take(L);
    struct bq_pack_error error = {""};
    int rc = bq_pack(L, 4, bq_store_entry_bytes_max(s), &scratch->buf, &error);
    if (rc == BQ_OK)
        rc = bq_store_set(s, key.s, bq_buf_str(&scratch->buf), ttl_ms);
    bq_scratch_give(scratch);
    end_lead(lead, false);
    return rc == BQ_OK ? 0 : bq_shared_fail_pack(L, s, &key, rc, &error);
}

/* abandon(lead): there is no value; another may try. */
static int l_abandon(lua_State *L)
{
    end_lead(luaL_checkudata(L, 1, LEAD_TYPE), false);
    return 0;
}

void bq_shared_open_flight(lua_State *L, int binding, int metatable)
{
    static const struct {
        const char *name;
        enum state state;
    } states[] = {
        {"AGAIN", AGAIN},     {"LEAD", LEAD},   {"NOTHING", NOTHING},
        {"TIMEOUT", TIMEOUT}, {"VALUE", VALUE},
    };
    luaL_newmetatable(L, LEAD_TYPE);
    lua_pushcfunction(L, l_end_lead);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    bq_shared_add(L, binding, metatable, "begin", l_begin);
    bq_shared_add(L, binding, metatable, "finish", l_finish);
    bq_shared_add(L, binding, metatable, "abandon", l_abandon);
    bq_awaited_push(L);
    lua_setfield(L, -2, "awaited");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        lua_pushinteger(L, states[i].state);
        lua_setfield(L, -2, states[i].name);
    }
}
