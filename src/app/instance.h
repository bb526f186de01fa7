/*
 * instance.h: struct bq_app from the inside, for the files of this room only.
 *
 * Everything in it belongs to one worker. Functions of Lua that C calls are kept by
 * reference; what is compared on the request path is kept by address.
 */
#ifndef BQ_APP_INSTANCE_H
#define BQ_APP_INSTANCE_H

#include "app/app.h"
#include "app/route.h"
#include "app/schema.h"
#include "base/buf.h"
#include "http/request_id.h"
#include "http/router.h"
#include "vm/handle.h"
#include "vm/vm.h"

/* References into the registry. */
struct bq_app_refs {
    int prepare;       /* C: () -> a function and its arguments (prepare.c) */
    int read_response; /* C: (Response) -> body (reply.c) */
    int respond;       /* errors.respond(req, err, trace) -> Response */
    int fallback;      /* (req, status, allow) -> Response; LUA_NOREF without middleware */
    int openapi;       /* () -> the OpenAPI document as JSON text */
    int listing;       /* (json) -> the table of routes as text */
    int run_hooks;     /* hooks.run(event) -> ok */
    int run_after;     /* hooks.run_after(list) */
    int abort;         /* errors.abort, for errors that C raises */
    int new_abort;     /* errors.new_abort(status, detail) */
    int plain_error;   /* the barq.Abort of a 500 that has nothing to say */
    int closed;        /* the barq.Closed of a client that has gone */
    int await_open;    /* C: (provider): waits for who opens it (opening.c) */
    int request_class, headers_class; /* the metatables of req and of its headers (request.c) */
    int worker_values; /* what worker-scoped providers gave, by their numbers (depends.c) */
};

struct bq_call;
struct response_reading;

struct bq_app {
    struct bq_vm *vm;
    struct bq_loop *loop;
    struct bq_app_env env;
    struct bq_app_options options;
    void (*report)(void *arg, const char *text); /* NULL: nobody asked */
    void *report_arg;
    void (*problem)(void *arg, const char *text); /* under `check`, instead of the log; or NULL */
    void *problem_arg;
    struct bq_handles handles; /* of calls, for req objects */
    struct bq_router *router;
    struct bq_route *routes;
    size_t route_count;
    struct bq_app_refs refs;
    struct bq_invalid invalid;               /* what is wrong with the request that is being read */
    struct bq_schemas schemas;               /* compiled, with plans and inputs, in its arena */
    struct bq_tallies own_tallies, *tallies; /* those in use are its own, or the environment's */
    struct bq_tally *outside; /* of calls into Lua that belong to no route; NULL: no memory */
    uint64_t outside_held_logged_ms; /* see struct bq_route */
    bool has_error_handlers;
    const void *response_class; /* the metatables of barq.Response … */
    const void *abort_class;    /* … and of what barq.abort raises */
    /* Arguments of C functions that Lua calls for us: passing them as values may need memory
     * where nothing protects the call. */
    struct bq_call *entering;         /* prepare */
    struct response_reading *reading; /* read_response */
    struct bq_list afters;            /* req:after lists that wait for their turn */
    struct bq_buf body;               /* where a JSON answer is encoded, one at a time */
    size_t pending;                   /* calls, hooks and req:after lists that have not ended */
    struct bq_ids ids;
};

#endif
