/*
 * dispatch.h: one request's way through the application.
 *
 *   ROUTE ─┬─ found ─> [CHAIN ─ next() ─>] DEPENDS ⇄ ─> HANDLER ⇄ ─┬─ returned ──────> RESULT
 *          │                                                       └─ raised ─> ERROR ⇄ ─┘ │
 *          │                                             [returned to next()] <─ CLOSE ⇄ <─┤
 *          │                                                                               v
 *          └─ no route ─> FALLBACK ⇄ ─────────────────> RESULT ─────────────────────> respond
 *
 * ⇄ is where a task may wait: the loop over the steps ends there, and the task's end takes it up
 * again. With middleware the steps from DEPENDS to CLOSE run within its next(), as tasks of their
 * own (call->inner); what the middleware makes of their outcome is another RESULT. The declared
 * input is read before the first provider or handler is entered. CLOSE closes the providers in
 * reverse, once, whatever happened, when the answer is encoded and before its first byte leaves.
 *
 * A call is the state of one exchange here; it lies in the exchange's arena.
 */
#ifndef BQ_APP_DISPATCH_H
#define BQ_APP_DISPATCH_H

#include "app/depends.h"
#include "app/instance.h"
#include "vm/task.h"

enum bq_step {
    BQ_STEP_ROUTE,
    BQ_STEP_CHAIN,
    BQ_STEP_DEPENDS,
    BQ_STEP_HANDLER,
    BQ_STEP_FALLBACK,
    BQ_STEP_ERROR,
    BQ_STEP_RESULT,
    BQ_STEP_CLOSE,
};

struct bq_call {
    struct bq_app *app;
    struct bq_exchange *ex;
    const struct bq_route *route; /* NULL: none matched */
    struct bq_task *task;         /* runs, waits or has ended for this call; NULL: none yet */
    struct bq_task *outer;        /* the middleware's, while next() is at work */
    struct bq_timer deadline;     /* set if its route has one */
    int cut;                      /* ended before its time: the error, or LUA_NOREF */
    double handle;                /* what req objects know this call by, or BQ_HANDLE_NONE */
    int after;                    /* reference to the list of req:after, or LUA_NOREF */
    int values;                   /* reference to the table of values (depends.h), or LUA_NOREF */
    enum bq_step step;
    bool begun;      /* the request is complete, and the call pending */
    bool inner;      /* the steps run within next() */
    bool in_next;    /* next() is on the C stack: what it returns is left in the values */
    bool input_read; /* the declared input is in req */
    bool queues;     /* its task waits for a provider that another opens */
    bool failing;    /* an error is being answered: a further one gets a plain 500 */
    bool close_failed;
    size_t opened;   /* providers of the plan that are open, and not closed again */
    int status;      /* of an answer of the server's own: 404, 405, 422, … */
    bq_str detail;   /* what is wrong with the input: a sentence, or for 422 the problems as JSON */
    bq_str allow;    /* with 405 and OPTIONS */
    bq_str location; /* with a redirect of the server's own */
    struct bq_response *saved; /* the answer, while providers are closed */
    enum bq_match_result outcome;
    struct bq_match match;
};

/* The four functions of struct bq_handler, self is the bq_app. */
struct bq_verdict bq_dispatch_head(void *self, struct bq_exchange *ex);
void bq_dispatch_request(void *self, struct bq_exchange *ex);
void bq_dispatch_gone(void *self, struct bq_exchange *ex);
void bq_dispatch_abandon(void *self, struct bq_exchange *ex);

/* The answer is known: closes what is open, then sends it, or hands it to next(). The response's
 * strings may go when this returns. The call may be gone. */
void bq_dispatch_finish(struct bq_call *call, const struct bq_response *response);

/* The call that the task runs for; NULL: it runs for none. */
struct bq_call *bq_dispatch_call_of(const struct bq_task *task);

/* core.enter(req), under middleware.lua's next(): runs the route below the middleware.
 * Gives: true, value, status; or false, error, traceback. */
int bq_dispatch_enter(lua_State *L);

#endif
