/*
 * listeners.h: the endpoints that the server listens on, and each worker's sockets for them.
 *
 * On a TCP endpoint each worker has a socket of its own (SO_REUSEPORT); of a UNIX socket,
 * and of one that a service manager has opened, all have duplicates of one. The main thread opens
 * and closes; in between, each worker takes its own.
 */
#ifndef BQ_LISTENERS_H
#define BQ_LISTENERS_H

#include "config.h"
#include "net/addr.h"

#include <sys/types.h>

struct bq_listener {
    struct bq_endpoint endpoint;
    int *fds; /* by worker; -1: taken */
    bool inherited;
    dev_t device; /* of a UNIX socket's file, so that only our own is removed */
    ino_t inode;
};

struct bq_listeners {
    struct bq_listener items[BQ_LISTEN_MAX];
    size_t count;
    unsigned workers;
};

/* Opens what the configuration says. A zeroed struct is closed. Fails: BQ_INVALID or
 * BQ_SYSTEM or BQ_MEMORY, and a sentence in error. */
int bq_listeners_open(struct bq_listeners *l, const struct bq_config *c, unsigned workers,
                      struct bq_config_error *error);

/* Instead of that: the endpoint that an option names, for one worker. Fails: likewise. */
int bq_listeners_open_one(struct bq_listeners *l, const char *option, bq_str endpoint, int backlog,
                          struct bq_config_error *error);

/* Instead of that: the sockets that are descriptors first, first + 1, …, count of them (at most
 * BQ_LISTEN_MAX). Takes the descriptors. Fails: likewise. */
int bq_listeners_inherit(struct bq_listeners *l, int first, unsigned count, unsigned workers,
                         struct bq_config_error *error);

/* The worker's socket for the item, which is the worker's now. Thread: that worker's. */
int bq_listeners_take(struct bq_listeners *l, size_t item, unsigned worker);

bool bq_listeners_is_shared(const struct bq_listeners *l, size_t item);

/* Closes the sockets that nobody has taken, and removes the files of UNIX sockets. */
void bq_listeners_close(struct bq_listeners *l);

#define BQ_LISTENERS_TEXT_MAX 1024

/* All endpoints with their real ports: "http://127.0.0.1:8000, unix:/run/barq.sock". */
void bq_listeners_text(const struct bq_listeners *l, char out[static BQ_LISTENERS_TEXT_MAX]);

#endif
