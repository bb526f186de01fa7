/*
 * depends.h: the providers that a route needs, in the order in which they are opened.
 *
 * lua/barq/depends.lua flattens the graph when the application is frozen; a plan is its compiled
 * form. Each provider has a slot in the request's table of values, is opened at most once, and is
 * closed in reverse order. A worker-scoped provider is opened by the first request that needs it;
 * others that need it meanwhile wait.
 *
 * The table of values of a request, at call->values in the registry:
 *
 *   [0] req    [1 … n] what the providers gave    [-1] the error, for close
 *   [-2] [-3] [-4] what the middleware's next() returns
 */
#ifndef BQ_APP_DEPENDS_H
#define BQ_APP_DEPENDS_H

#include "base/list.h"
#include "vm/lua.h"
#include "vm/task.h"

#include <stdbool.h>
#include <stddef.h>

struct bq_app;
struct bq_call;

enum {
    BQ_VALUE_REQ = 0,
    BQ_VALUE_ERROR = -1,
    BQ_VALUE_FIRST = -2, /* next(): whether it succeeded, … */
    BQ_VALUE_SECOND = -3,
    BQ_VALUE_THIRD = -4,
};

/* One entry of a deps table: deps[name] is the value of the slot. */
struct bq_dep {
    int name; /* reference */
    int slot; /* from 1 */
};

struct bq_deps {
    size_t count;
    struct bq_dep *list;
};

struct bq_provider {
    int open, close; /* references; close may be LUA_NOREF */
    int key;         /* reference to the provider's own table */
    bool worker;     /* its scope; otherwise the request */
    int closer;      /* worker scope: reference to what its next value will be closed by */
    /* Worker scope, see opening.h: */
    struct bq_task *opener; /* is at it; or NULL */
    struct bq_task_guard guard;
    struct bq_list waiting; /* tasks that wait for that */
};

struct bq_plan {
    size_t count;
    struct bq_provider **providers; /* slot i + 1 */
    struct bq_deps *needs;          /* of each of them: slots of this plan */
    struct bq_deps deps;            /* the handler's */
    bool closes;                    /* one of request scope has a close */
};

/* What a provider's own table, at index, is compiled to; a worker-scoped one has one for all plans.
 * Raises: on memory exhaustion. */
struct bq_provider *bq_provider_get(lua_State *L, struct bq_app *app, int index);

/* Compiles the plan's table at index:
 * { steps = { { provider = its table, deps = { name -> slot } }, … }, deps = { name -> slot } }.
 * NULL in *out when there are no steps and no deps. Raises: on memory exhaustion. */
void bq_plan_compile(lua_State *L, struct bq_app *app, int index, struct bq_plan **out);

/* Pushes the deps table of a consumer. Raises: on memory exhaustion. */
void bq_deps_push(lua_State *L, const struct bq_call *call, const struct bq_deps *deps);

/* Makes the call's table of values, with the req at index in it. Raises: on memory exhaustion. */
void bq_values_make(lua_State *L, struct bq_call *call, int index);

/* Pushes a value of the call; needs no memory. */
void bq_value_push(lua_State *L, const struct bq_call *call, int slot);

/* Pops the top into a slot that bq_values_make has prepared; needs no memory. */
void bq_value_set(lua_State *L, struct bq_call *call, int slot);

/* Whether a worker-scoped provider has its value, which then is put into the slot. */
bool bq_worker_value_take(lua_State *L, struct bq_call *call, const struct bq_provider *provider,
                          int slot);

/* Before a worker-scoped provider is opened: so that whatever it opens will be closed.
 * Raises: on memory exhaustion. */
void bq_worker_value_reserve(lua_State *L, struct bq_app *app, struct bq_provider *provider);

/* Keeps the top as the provider's value for this worker, without popping it; after reserve.
 * Raises: on memory exhaustion, when the value is not found again, but will be closed. */
void bq_worker_value_keep(lua_State *L, struct bq_app *app, struct bq_provider *provider);

#endif
