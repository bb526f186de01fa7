/*
 * notify.h: telling a service manager how the process is (sd_notify(3)).
 *
 * The protocol is a datagram of lines, "READY=1", to the UNIX socket that NOTIFY_SOCKET names: four
 * states do not need libsystemd, which would bring six libraries into every image. systemd promises
 * that the protocol stays.
 */
#ifndef BQ_NOTIFY_H
#define BQ_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#define BQ_NOTIFY_PATH_MAX 108 /* of a UNIX socket */

struct bq_notify {
    char path[BQ_NOTIFY_PATH_MAX]; /* "": nobody wants to know */
    uint64_t watchdog_ms;          /* how often it wants to hear WATCHDOG=1; 0: not */
    bool deaf;                     /* it did not hear the last message */
};

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment. What it cannot
 * understand is a warning in the log. Thread: main, the only one. */
void bq_notify_init(struct bq_notify *n);

/* Sends the lines, "READY=1\nSTATUS=…"; more than 500 bytes are cut. The first that fails is a
 * warning in the log: it is the service manager's loss. Does not wait. */
void bq_notify_say(struct bq_notify *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
