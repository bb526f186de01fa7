/*
 * app.h: an application in one worker: app.lua loaded, frozen, and serving.
 *
 *   new ─> load ─> (configure) ─> freeze ─> (settle) ─> hooks "start", "worker" ─> handler … ─>
 *   hooks "drain", "stop" ─> free
 *
 * Each worker has its own, with its own Lua state; the worker's thread alone calls
 * these functions (before the thread runs, the one that starts it may).
 */
#ifndef BQ_APP_APP_H
#define BQ_APP_APP_H

#include "http/exchange.h"
#include "vm/collector.h"
#include "vm/lua.h"

#include <stdio.h>

struct bq_app;
struct bq_loop;
struct bq_tallies;
struct bq_vm;

/* What the porch decides for it. */
struct bq_app_env {
    void (*open_modules)(lua_State *L,
                         void *arg); /* makes the embedded modules loadable; may raise */
    void *open_modules_arg;
    const char *version;
    unsigned worker; /* its number, from 0 */
    /* Where its routes find what they are counted under; it outlives the application. NULL: it
     * keeps them itself. */
    struct bq_tallies *tallies;
};

/* What configuration says about applications; see src/config.h. */
struct bq_app_options {
    uint64_t body_bytes_max;
    bool redirect_slashes;
    bool docs; /* serve /openapi.json */
    bool dev;
    uint64_t lua_bytes_max; /* 0: no limit; from freeze on instead of what bq_app_new was given */
};

/* Fails: NULL without memory, or when a module of barq's own does not load (logged). */
struct bq_app *bq_app_new(struct bq_loop *loop, const struct bq_app_env *env,
                          uint64_t lua_bytes_max);

/* The same in a VM that there is. Takes vm, also when it fails. A guest (vm/guest.h) is in while
 * any function here is called, but for bq_app_free: it is out then. */
struct bq_app *bq_app_new_in(struct bq_vm *vm, const struct bq_app_env *env);

/* report(arg, text) is told what the log says of an error: of a request, or of what
 * does not load. For tests. */
void bq_app_set_report(struct bq_app *app, void (*report)(void *arg, const char *text), void *arg);

/* For `barq-server check`, before load: from now on problem(arg, text) is told each thing that is
 * wrong, as "app.lua:12: …", instead of the log, and a mistake in a declaration ends neither the
 * load nor the freeze. Fails: BQ_INVALID, and problem has been told. */
int bq_app_begin_check(struct bq_app *app, void (*problem)(void *arg, const char *text), void *arg);

/* After load and freeze, whatever became of them: tells the accidental globals in the files that
 * path, app.lua, has loaded. */
int bq_app_finish_check(struct bq_app *app, const char *path);

/* Waiting tasks are dropped, the Lua state is closed. */
void bq_app_free(struct bq_app *app);

/* Modules beside app.lua are found before all others. Raises: on memory exhaustion. */
void bq_app_extend_path(lua_State *L, const char *app_path);

/* Puts into package.loaded what of barq.core works in a state without an application: what
 * lua/barq/aside.lua is built on. Raises: on memory exhaustion. */
void bq_app_open_aside(lua_State *L);

/* Runs app.lua: the declarations. Fails: BQ_INVALID, and the error with file, line
 * and traceback is logged. */
int bq_app_load(struct bq_app *app, const char *path);

/* Calls fn for each entry of barq.config{…}, values as text ("8000", "true"; a list's
 * elements one by one), with the place it was written at ("app.lua:12"). Stops at
 * the first that returns other than BQ_OK, and returns that. */
int bq_app_each_config(struct bq_app *app,
                       int (*fn)(void *arg, bq_str name, bq_str value, const char *place),
                       void *arg);

/* Compiles the declarations: routes, middleware, error handlers. No more can be
 * declared. Again: compiles them anew, for other providers take the place of some; not while
 * something is pending. Fails: BQ_INVALID, logged with both places of a conflict. */
int bq_app_freeze(struct bq_app *app, const struct bq_app_options *options);

/* After the last freeze, before it serves: lets go of what only the declarations needed, and
 * collects Lua's garbage. Neither routes nor the OpenAPI document can be printed any more. Fails:
 * BQ_INVALID, logged. */
int bq_app_settle(struct bq_app *app);

/* Runs the functions of barq.on(event, fn), in order, as a task ("close": those that close the
 * worker-scoped dependencies); turns the loop until
 * it has ended. Not from within the loop. Fails: BQ_INVALID (one raised; logged, the
 * others are skipped for "start" and "worker", run for "drain" and "stop"). */
int bq_app_run_hooks(struct bq_app *app, const char *event);

/* The same, from within the loop: done(arg, rc) runs when they have ended. */
void bq_app_start_hooks(struct bq_app *app, const char *event, void (*done)(void *arg, int rc),
                        void *arg);

/* What serve calls. Valid: until bq_app_free. */
struct bq_handler bq_app_handler(struct bq_app *app);

/* What its Lua state holds. */
struct bq_app_figures {
    uint64_t lua_bytes, lua_bytes_max; /* 0: no limit */
    uint64_t tasks, tasks_idle;        /* coroutines of the server's; those that wait for work */
    uint64_t tasks_waiting;            /* those that wait inside a handler or hook */
};
struct bq_app_figures bq_app_figures(const struct bq_app *app);

#define BQ_APP_WHERE_MAX 200

/* Where the work for an exchange stands, which an application was given and has not responded to,
 * such as "sleep at app.lua:12". */
void bq_app_progress(const struct bq_exchange *ex, char out[static BQ_APP_WHERE_MAX]);

/* What Lua's collector has taken. Thread: any, as long as the app lives. */
struct bq_collector_view bq_app_collector(const struct bq_app *app);

/* Exchanges and req:after functions that have not ended. */
size_t bq_app_pending(const struct bq_app *app);

/* Prints the OpenAPI document, for `barq-server openapi`. Fails: BQ_INVALID (logged), BQ_SYSTEM. */
int bq_app_print_openapi(struct bq_app *app, FILE *out);

/* Prints every route, for `barq-server routes`: aligned columns, or JSON. Fails: as the other. */
int bq_app_print_routes(struct bq_app *app, bool json, FILE *out);

#endif
