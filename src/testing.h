/*
 * testing.h: an application served to a test in the same process: its own loop, connections and
 * stores, in the test's Lua state (vm/guest.h), without a port or a thread.
 *
 *   new ─> set … ─> start ─> exchange, refreeze … ─> stop ─> free
 *
 * Nothing of the application runs between these calls; in one of them its loop turns.
 */
#ifndef BQ_TESTING_H
#define BQ_TESTING_H

#include "app/app.h"
#include "aside.h"
#include "base/buf.h"
#include "config.h"
#include "data/shared.h"
#include "serve/serve.h"
#include "vm/guest.h"

struct bq_testing {
    struct bq_config config;
    struct bq_config_error error; /* the sentence, where set or start fails */
    struct bq_loop *loop;
    struct bq_stores *stores;
    struct bq_offload *offload;
    struct bq_aside aside; /* for its threads */
    struct bq_vm *vm;      /* the app's, once that is there */
    struct bq_app *app;
    struct bq_serve *serve;
    struct bq_buf report; /* what the log was told of errors since the last exchange began */
};

/* Fails: NULL without memory. */
struct bq_testing *bq_testing_new(void);

/* An option, which wins over barq.config. Fails: BQ_INVALID, BQ_MEMORY and error. */
int bq_testing_set(struct bq_testing *t, const char *name, bq_str value);

/* Loads, freezes, runs the hooks "start" and "worker". Fails: BQ_INVALID, BQ_MEMORY, and error
 * where the log does not say why. */
int bq_testing_start(struct bq_testing *t, struct bq_vm *host, const char *path);

/* Sends the request's bytes over a new connection and turns the loop until that has ended and
 * what req:after left is done. The answer's bytes are appended. Fails: BQ_LIMIT (ms_max have
 * passed; what is there is appended), BQ_SYSTEM (errno), BQ_MEMORY. */
int bq_testing_exchange(struct bq_testing *t, bq_str request, uint32_t ms_max,
                        struct bq_buf *answer);

/* Turns until done is set. Fails: BQ_LIMIT when ms_max have passed. */
int bq_testing_turn(struct bq_testing *t, const bool *done, uint32_t ms_max);

/* Takes up which providers are replaced. Fails: BQ_LIMIT when something of the application is
 * still pending, BQ_INVALID, logged. */
int bq_testing_refreeze(struct bq_testing *t);

/* Ends connections, runs the hooks "drain" and "stop", closes the worker's dependencies.
 * Whatever has been started; harmless otherwise. */
void bq_testing_stop(struct bq_testing *t);

void bq_testing_free(struct bq_testing *t);

#endif
