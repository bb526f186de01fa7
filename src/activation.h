/*
 * activation.h: listening sockets that a service manager has opened (sd_listen_fds(3)).
 *
 * They are descriptors 3, 4, …; LISTEN_FDS says how many, LISTEN_PID for which process. A
 * connection that comes while barq starts, or is restarted, waits in them instead of being refused.
 */
#ifndef BQ_ACTIVATION_H
#define BQ_ACTIVATION_H

#include "config.h"

#define BQ_ACTIVATION_FIRST 3 /* descriptor */

/* How many sockets there are; 0 where nobody has opened any. Takes the variables out of the
 * environment, and keeps the sockets from programs that the application starts: call it before
 * anything of the application runs. Thread: main, the only one. Fails: BQ_INVALID, and a sentence
 * in error. */
int bq_activation_take(unsigned *count, struct bq_config_error *error);

#endif
