/*
 * forwarded.h: what proxies say of the client behind them (Forwarded, RFC 7239, and the older
 * X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host).
 *
 * Anybody can send these fields. Each proxy adds to the right who has asked it, so the list is
 * walked from the right, as long as the address that was just read is that of a proxy that is
 * trusted; the first one that is not is the client's. What stands to the left of it is the
 * client's own word, and is not read at all.
 *
 *   X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7      and the peer is 10.0.0.5
 *                    never read   client <── trusted <── trusted
 *
 * Where an element is no address (obfuscated, "unknown", broken) the walk ends, and the address
 * before it is the last that is known.
 */
#ifndef BQ_HTTP_FORWARDED_H
#define BQ_HTTP_FORWARDED_H

#include "base/ip.h"
#include "http/exchange.h"

/* Which of the two ways is believed; in the order of the words of the option
 * trust_proxy_fields. A proxy that writes one passes the other on as its client sent it, so never
 * both: where both are there, AUTO takes the X-Forwarded fields, which nearly all proxies write. */
enum bq_forwarded_by { BQ_FORWARDED_AUTO, BQ_FORWARDED_X, BQ_FORWARDED_STANDARD };

struct bq_trust {
    const struct bq_networks *proxies; /* NULL: nobody is trusted */
    enum bq_forwarded_by by;
};

/* Fills out, and r->host if a proxy says it. Takes: a peer that is trusted. Valid: out, and the
 * host, as long as r's fields. */
void bq_forwarded_read(struct bq_request *r, const struct bq_trust *trust, const struct bq_ip *peer,
                       struct bq_client *out);

#endif
