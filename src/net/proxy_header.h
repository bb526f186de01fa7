/*
 * proxy_header.h: the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): what a proxy
 * that passes on bytes says of its client, in front of them.
 *
 * The bytes come in whatever pieces; of what is longer than the addresses (TLVs), nothing is kept.
 * Nobody is trusted here: whether the sender may say that is the caller's question.
 */
#ifndef BQ_NET_PROXY_HEADER_H
#define BQ_NET_PROXY_HEADER_H

#include "net/addr.h"

#define BQ_PROXY_V1_BYTES_MAX 107 /* its line, CRLF included */
#define BQ_PROXY_V2_BYTES_MAX                                           \
    16384 /* behind the first 16; with TLVs, of which TLS has long ones \
           */
#define BQ_PROXY_LOCAL_BYTES 16
#define BQ_PROXY_LOCAL       "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0" /* version 2, LOCAL */

enum bq_proxy_result { BQ_PROXY_MORE, BQ_PROXY_DONE, BQ_PROXY_BAD };

struct bq_proxy_header {
    /* After DONE: who the client is, if named; otherwise the connection's peer speaks for itself
     * (LOCAL, UNKNOWN, UNSPEC). After BAD: why, for the log. */
    bool named;
    struct bq_peer client;
    const char *why;

    uint8_t version; /* 0: not known yet */
    uint8_t n;       /* bytes that are kept */
    uint8_t wanted;  /* of version 2, that are to be */
    uint16_t rest;   /* of version 2, to be passed over then */
    uint8_t bytes[BQ_PROXY_V1_BYTES_MAX];
};

void bq_proxy_header_init(struct bq_proxy_header *h);

/* Takes bytes from the front of *in, none of what follows the header. BAD as soon as it cannot
 * become a header. */
enum bq_proxy_result bq_proxy_header_feed(struct bq_proxy_header *h, bq_str *in);

#endif
