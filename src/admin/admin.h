/*
 * admin.h: the admin port: a thread of its own that says how the server is.
 *
 *   /          the live page          /healthz   200, or 503 and why
 *   /live      its changing part      /readyz    200 while it serves, else 503
 *   /metrics   for Prometheus
 *
 * It is served by the same code as the application's ports (serve.h), with a handler in C, so that
 * it answers whatever the workers are at. There is no password: it belongs on an address that only
 * those reach who may see all of this.
 */
#ifndef BQ_ADMIN_ADMIN_H
#define BQ_ADMIN_ADMIN_H

#include "admin/snapshot.h"

#define BQ_ADMIN_WHY_MAX 200

/* Where it looks. Thread: the admin's. */
struct bq_admin_source {
    void *self;
    enum bq_admin_phase (*phase)(void *self);
    /* False: the server wants to be restarted, and why it does. */
    bool (*is_alive)(void *self, char why[static BQ_ADMIN_WHY_MAX]);
    /* Fills in all but process. Waits for the workers, shortly. Valid: until the next look. */
    void (*look)(void *self, struct bq_snapshot *out, bool flights);
};

struct bq_admin;

/* Serves what comes in at the listening socket. Takes the descriptor, also when it fails; a copy of
 * source. The thread inherits the caller's signal mask. Fails: NULL, errno says why. */
struct bq_admin *bq_admin_start(int fd, const struct bq_admin_source *source);

/* Ends the thread; what is being answered is cut. NULL is harmless. */
void bq_admin_stop(struct bq_admin *a);

#endif
