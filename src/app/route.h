/*
 * route.h: routes as the request path sees them, compiled from freeze.lua's list.
 */
#ifndef BQ_APP_ROUTE_H
#define BQ_APP_ROUTE_H

#include "base/tally.h"
#include "http/router.h"
#include "vm/lua.h"

#include <stdio.h>

struct bq_app;
struct bq_input;
struct bq_plan;
struct bq_schema;

struct bq_route {
    int handler;                     /* reference to the function */
    int chain;                       /* the middleware around it, LUA_NOREF without */
    const struct bq_input *input;    /* what it declares of its request, or NULL */
    const struct bq_plan *plan;      /* the providers it needs, or NULL */
    const struct bq_schema *returns; /* of its answer, or NULL */
    bool takes_request;              /* whether that looks at req: if not, none is built */
    int status; /* when the handler gives none; 0: 200, or 204 without a body */
    uint64_t body_bytes_max;
    double timeout_s;          /* for the whole request; 0: none */
    int timeout_error;         /* reference to what is raised then */
    bool ignores_disconnect;   /* goes on when its client has gone */
    enum bq_method method;     /* BQ_METHOD_OTHER: any */
    char *path;                /* as declared, with its groups' prefixes */
    char *name;                /* NULL: none */
    char *place;               /* "app.lua:12" */
    struct bq_tally *tally;    /* what its answers, and calls that held the worker, count under */
    uint64_t held_logged_ms;   /* when the log last said that such a call did; 0: never */
    struct bq_pattern pattern; /* views into path */
    size_t param_count;
    bq_str params[BQ_ROUTE_PARAMS_MAX];
};

/* Compiles the list of route tables at index into app->routes and app->router.
 * Fails: BQ_INVALID, after logging every mistake; BQ_MEMORY. */
int bq_routes_compile(struct bq_app *app, lua_State *L, int index);

void bq_routes_free(struct bq_app *app);

#endif
