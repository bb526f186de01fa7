/*
 * proxy_conn.c: reads a connection's PROXY header and hands it to the next protocol.
 *
 * The state stays IDLE meanwhile, as nothing of a request has come. A header that comes in one
 * piece, which is how proxies send it, needs no memory; what is left of one that does not lies on
 * the heap, and moves with the connection.
 */
#include "serve/proxy_conn.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "net/proxy_header.h"
#include "serve/conn.h"
#include "serve/worker.h"

#define WARN_INTERVAL_MS 1000

/* Once a second: whoever can connect could fill the log. */
static void warn_of(struct bq_conn *c, const char *why)
{
    struct bq_serve *s = c->serve;
    char text[BQ_IP_TEXT_MAX];
    struct bq_ip ip = bq_peer_ip(&c->peer);
    uint64_t now_ms = bq_serve_now_ms(s);
    if (s->proxy_warned_ms && now_ms - s->proxy_warned_ms < WARN_INTERVAL_MS) {
        s->proxy_unsaid++;
        return;
    }
    bq_str from = bq_str_of(text, bq_ip_text(&ip, text));
    if (from.n == 0)
        from = BQ_STR("a UNIX socket");
    if (s->proxy_unsaid)
        bq_warn("%u more connections were closed for their PROXY headers", s->proxy_unsaid);
    bq_warn("a connection from %.*s is closed: %s (option proxy_protocol)", BQ_STR_ARG(from), why);
    s->proxy_warned_ms = now_ms;
    s->proxy_unsaid = 0;
}

static void drop(struct bq_conn *c)
{
    bq_free(c->proxy_header);
    c->proxy_header = NULL;
}

static void reject(struct bq_conn *c, const char *why)
{
    warn_of(c, why);
    bq_conn_set_state(c, BQ_CONN_CLOSED);
}

static bool believes(const struct bq_conn *c)
{
    const struct bq_serve_config *config = &c->serve->config;
    struct bq_ip ip = bq_peer_ip(&c->peer);
    return config->proxy_protocol == BQ_PROXY_PROTOCOL_ANY ||
           (config->trust.proxies && bq_networks_have(config->trust.proxies, &ip));
}

/* All of the header has to come as fast as a request's head. */
static void wait_for_more(struct bq_conn *c, const struct bq_proxy_header *header)
{
    uint32_t ms = c->serve->config.limits.head_ms_max;
    if (c->proxy_header)
        return;
    c->proxy_header = bq_alloc(sizeof *header);
    if (!c->proxy_header) {
        bq_conn_set_state(c, BQ_CONN_CLOSED);
        return;
    }
    *c->proxy_header = *header;
    if (ms && !c->serve->draining)
        c->deadline_ms = bq_serve_now_ms(c->serve) + ms;
}

/* The client's first request has as long as on any other connection; while draining, what it has
 * already. */
static void begin(struct bq_conn *c, const struct bq_proxy_header *header)
{
    uint32_t ms = c->serve->config.limits.idle_ms_max;
    if (header->named)
        c->peer = header->client;
    if (!c->serve->draining)
        c->deadline_ms = ms ? bq_serve_now_ms(c->serve) + ms : 0;
    drop(c);
    c->proto = bq_proto_choose(c);
}

static void input(struct bq_conn *c, bq_str *in)
{
    struct bq_proxy_header fresh;
    struct bq_proxy_header *header = c->proxy_header;
    if (!header) {
        header = &fresh;
        bq_proxy_header_init(header);
    }
    switch (bq_proxy_header_feed(header, in)) {
    case BQ_PROXY_MORE:
        wait_for_more(c, header);
        return;
    case BQ_PROXY_BAD:
        reject(c, header->why);
        return;
    case BQ_PROXY_DONE:
        break;
    }
    /* Without a name it is a connection like any other's. */
    if (header->named && !believes(c)) {
        reject(c, "its PROXY header names a client, and trust_proxy does not name it");
        return;
    }
    begin(c, header);
    if (in->n && bq_conn_may_parse(c))
        c->proto->input(c, in);
}

static void refuse(struct bq_conn *c, int status, const char *reason)
{
    (void)status;
    (void)reason;
    bq_conn_set_state(c, BQ_CONN_CLOSED); /* whoever reads no PROXY header understands no answer */
}

static void nothing(struct bq_conn *c)
{
    (void)c;
}

static void moved(struct bq_conn *c, struct bq_serve *from)
{
    (void)c;
    (void)from;
}

const struct bq_proto bq_proxy_proto = {
    .input = input,
    .refuse = refuse,
    .gone = nothing,
    .drop = drop,
    .rest = nothing,
    .moved = moved,
};
