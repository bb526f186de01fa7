/*
 * dispatch.h: one request's way through the application.
 *
 *   ROUTE ─┬─ found ──> HANDLER ⇄ (waits) ─┬─ returned ──> REPLY ──> sink.respond
 *          │                               └─ raised ──> ERROR ⇄ (waits) ──> REPLY
 *          └─ no route ──> FALLBACK ⇄ (waits) ──> REPLY    (or an answer of the server's own)
 *
 * A call is the state of one exchange here; it lies in the exchange's arena. Where
 * a task waits, the loop over the steps ends, and the task's end takes it up again.
 */
#ifndef BQ_APP_DISPATCH_H
#define BQ_APP_DISPATCH_H

#include "app/instance.h"
#include "vm/task.h"

enum bq_step { BQ_STEP_ROUTE, BQ_STEP_HANDLER, BQ_STEP_FALLBACK, BQ_STEP_ERROR, BQ_STEP_REPLY };

struct bq_call {
    struct bq_app *app;
    struct bq_exchange *ex;
    const struct bq_route *route; /* NULL: none matched */
    struct bq_task *task;         /* runs, waits or has ended for this call; NULL: none yet */
    double handle;                /* what req objects know this call by, or BQ_HANDLE_NONE */
    int after;                    /* reference to the list of req:after, or LUA_NOREF */
    enum bq_step step;
    bool failing;    /* an error is being answered: a further one gets a plain 500 */
    int status;      /* without a route: 404, 405, 400, … */
    bq_str allow;    /* with 405 and OPTIONS */
    bq_str location; /* with a redirect of the server's own */
    enum bq_match_result outcome;
    struct bq_match match;
};

/* The four functions of struct bq_handler, self is the bq_app. */
struct bq_verdict bq_dispatch_head(void *self, struct bq_exchange *ex);
void bq_dispatch_request(void *self, struct bq_exchange *ex);
void bq_dispatch_gone(void *self, struct bq_exchange *ex);
void bq_dispatch_abandon(void *self, struct bq_exchange *ex);

/* Pushes the C function that builds handler and request on a task's stack. Raises: on memory
 * exhaustion. */
void bq_dispatch_open(lua_State *L, struct bq_app *app);

#endif
