/*
 * pair.h: a connection with both of its ends in this process, without an address or a port.
 */
#ifndef BQ_NET_PAIR_H
#define BQ_NET_PAIR_H

#include "net/addr.h"

/* Two connected stream sockets, which do not block; peer is what a client on this machine would
 * be (127.0.0.1). Fails: BQ_SYSTEM (errno). */
int bq_pair_open(int fds[static 2], struct bq_peer *peer);

#endif
