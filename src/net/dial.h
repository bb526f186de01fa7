/* dial.h: connecting to a server and talking with it, for whoever has time to wait. */
#ifndef BQ_NET_DIAL_H
#define BQ_NET_DIAL_H

#include "net/addr.h"

#include <stdint.h>

/* A connection, on which read(2) and write(2) wait for at most ms_max and fail with EAGAIN then,
 * as connecting does. Every address (bq_endpoint_set) is this machine's own. Waits. Fails:
 * BQ_SYSTEM (errno). */
int bq_dial(const struct bq_endpoint *e, uint32_t ms_max, int *fd);

/* One datagram to the socket at that path; "@name" is one without a file. Fails: BQ_INVALID (no
 * such path can be), BQ_SYSTEM (errno). Does not wait. */
int bq_datagram_send(bq_str path, bq_str bytes);

#endif
