/*
 * h1_conn.c: drives the HTTP/1 codec for a connection, and is the sink of its
 * exchanges.
 *
 * The surprising part is respond: a handler may call it from within request()
 * or at any later time, so it only appends and changes the state; what
 * follows happens in the run that is under way, or in one that it asks for.
 */
#include "serve/h1_conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/tally.h"
#include "serve/worker.h"

/* A body is collected as it arrives; what is announced is believed up to here. */
#define BODY_BYTES_BELIEVED ((uint64_t)64 * 1024)

/* A spare work keeps a body's memory up to here. */
#define BODY_BYTES_KEPT ((size_t)16 * 1024)

/* All pieces of a body together may take as long as so many body_ms_max, and a
 * millisecond for each byte: a peer that drips bytes ends some day. */
#define BODY_PATIENCE 10

static const struct bq_sink sink;

/* Works */

/* Forgets a request and all that it needed; ready for the next. So is every work
 * that is in the pool or comes from it. */
static void renew(struct bq_h1_work *w)
{
    bq_exchange_reset(&w->exchange);
    if (w->body.cap > BODY_BYTES_KEPT)
        bq_buf_release(&w->body);
    bq_buf_reset(&w->body);
    w->body_bytes = w->body_bytes_max = 0;
    w->judged_us = 0;
    w->fed = w->known = w->wants_body = w->lost = false;
    bq_h1_parser_reset(w->parser, &w->exchange);
}

static struct bq_h1_work *new_work(struct bq_serve *s)
{
    struct bq_h1_work *w = bq_alloc(sizeof *w);
    if (!w)
        return NULL;
    w->body = BQ_BUF_INIT;
    bq_exchange_init(&w->exchange, &sink, NULL);
    w->parser = bq_h1_parser_new(&s->config.limits.h1);
    if (!w->parser) {
        bq_h1_work_free(w);
        return NULL;
    }
    renew(w);
    return w;
}

void bq_h1_work_free(struct bq_h1_work *w)
{
    if (w->parser)
        bq_h1_parser_free(w->parser);
    bq_buf_release(&w->body);
    bq_exchange_release(&w->exchange);
    bq_free(w);
}

static bool lend(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    struct bq_h1_work *w = (struct bq_h1_work *)bq_pool_take(&s->spare_works);
    if (!w && !(w = new_work(s)))
        return false;
    w->exchange.conn = c;
    c->work = w;
    s->counts.busy++;
    return true;
}

static void give_back(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    struct bq_h1_work *w = c->work;
    c->work = NULL;
    s->counts.busy--;
    if (!bq_pool_give(&s->spare_works, &w->spare))
        bq_h1_work_free(w);
}

static void drop(struct bq_conn *c)
{
    const struct bq_handler *handler = &c->serve->handler;
    if (!c->work)
        return;
    if (c->work->known)
        handler->abandon(handler->self, &c->work->exchange);
    renew(c->work);
    give_back(c);
}

static void rest(struct bq_conn *c)
{
    if (c->work && !c->work->fed)
        give_back(c);
}

/* What the old handler has made of the head is no use to the new one's, which may be that of other
 * code. Once some of the body was read by what the old one said, that holds. */
static void judge_again(struct bq_h1_work *w, const struct bq_handler *handler)
{
    struct bq_verdict verdict = handler->head(handler->self, &w->exchange);
    if (w->body_bytes) {
        w->lost = w->lost || (verdict.wants_body && !w->wants_body);
        return;
    }
    w->body_bytes_max = verdict.body_bytes_max;
    w->wants_body = verdict.wants_body;
}

static void moved(struct bq_conn *c, struct bq_serve *from)
{
    if (!c->work)
        return;
    from->counts.busy--;
    c->serve->counts.busy++;
    if (c->work->known)
        judge_again(c->work, &c->serve->handler);
}

/* The access log, and the counts of answers */

static bq_str field_value(const struct bq_request *r, bq_str name)
{
    const struct bq_field *f = bq_request_find(r, name);
    return f ? f->value : BQ_STR("");
}

/* The request whose head was read, as far as to its end; else NULL. */
static const struct bq_request *request_of(const struct bq_conn *c)
{
    const struct bq_request *r = c->work ? &c->work->exchange.request : NULL;
    return r && r->method_name.n ? r : NULL;
}

/* The client's address: the peer's, or what trusted proxies say. */
static struct bq_ip client_of(const struct bq_conn *c)
{
    const struct bq_client *client = c->work ? c->work->exchange.client : NULL;
    return client ? client->ip : bq_peer_ip(&c->peer);
}

static void log_answer(struct bq_conn *c, const struct bq_request *request, int status,
                       uint64_t body_bytes, uint64_t us)
{
    const struct bq_serve_config *config = &c->serve->config;
    struct bq_access_record r = {
        .ip = client_of(c),
        .method = BQ_STR(""),
        .target = BQ_STR(""),
        .referer = BQ_STR(""),
        .user_agent = BQ_STR(""),
        .version_minor = 1,
        .status = status,
        .body_bytes = body_bytes,
        .duration_us = us,
    };
    if (request) {
        r.method = request->method_name;
        r.target = request->target;
        r.referer = field_value(request, BQ_STR("referer"));
        r.user_agent = field_value(request, BQ_STR("user-agent"));
        r.version_minor = request->version_minor;
        const struct bq_exchange *ex = &c->work->exchange;
        bq_str traceparent = bq_traceparent_of(ex);
        r.id = ex->id;
        r.trace_id = traceparent.n ? bq_trace_id(traceparent) : BQ_STR("");
    }
    config->access(config->access_arg, &r);
}

static void count_answer(struct bq_conn *c, const struct bq_request *request, int status,
                         uint64_t body_bytes, uint64_t us)
{
    struct bq_tally *own = request ? c->work->exchange.tally : NULL;
    enum bq_method method = request ? request->method : BQ_METHOD_OTHER;
    bq_tally_add(own ? own : c->serve->config.tally, BQ_TALLY_KEY(method, status), us, body_bytes);
}

static void record_wanted(struct bq_conn *c, int status, uint64_t body_bytes)
{
    const struct bq_serve_config *config = &c->serve->config;
    const struct bq_request *request = request_of(c);
    uint64_t us = request && c->work->judged_us ? bq_clock_us() - c->work->judged_us : 0;
    if (config->tally)
        count_answer(c, request, status, body_bytes, us);
    if (config->access)
        log_answer(c, request, status, body_bytes, us);
}

static inline void record(struct bq_conn *c, int status, uint64_t body_bytes)
{
    if (c->serve->config.access || c->serve->config.tally)
        record_wanted(c, status, body_bytes);
}

/* Answers */

/* To a request whose head was read. */
static struct bq_h1_reply reply_to(struct bq_conn *c, bool close)
{
    const struct bq_exchange *ex = &c->work->exchange;
    struct bq_h1_reply reply = {
        .head_only = ex->request.method == BQ_HEAD,
        .close = close,
        .version_minor = ex->request.version_minor,
        .date = bq_serve_date(c->serve),
    };
    if (c->serve->config.request_id)
        reply.id = ex->id;
    return reply;
}

/* What follows the head of a response. */
static uint64_t body_bytes(bq_str response)
{
    const char *end = memmem(response.p, response.n, "\r\n\r\n", 4);
    return end ? (uint64_t)(response.p + response.n - (end + 4)) : 0;
}

static bool write_error(struct bq_conn *c, int status, const char *reason)
{
    struct bq_h1_reply how = {.version_minor = 1, .date = bq_serve_date(c->serve)};
    if (request_of(c))
        how = reply_to(c, true);
    struct bq_buf *out = bq_conn_out(c);
    size_t before = bq_buf_size(out);
    if (bq_h1_write_error(out, status, reason, &how) != BQ_OK)
        return false;
    c->serve->counts.refused++;
    bq_str written = bq_buf_str(out);
    record(c, status, body_bytes(bq_str_of(written.p + before, written.n - before)));
    return true;
}

static void refuse(struct bq_conn *c, int status, const char *reason)
{
    bool written = write_error(c, status, reason);
    drop(c);
    if (written)
        bq_conn_finish(c, true);
    else
        bq_conn_set_state(c, BQ_CONN_CLOSED);
}

static void refuse_for_memory(struct bq_conn *c)
{
    refuse(c, 503, "Service Unavailable");
}

static bool has_body(const struct bq_h1_reply *how, int status)
{
    return !how->head_only && status != 204 && status != 205 && status != 304;
}

/* Appends the answer, or a 503 where memory is short for it. False: not even that. */
static bool write_answer(struct bq_conn *c, const struct bq_response *r)
{
    struct bq_h1_reply how = reply_to(c, c->last);
    if (bq_h1_write_response(bq_conn_out(c), r, &how) == BQ_OK) {
        record(c, r->status, has_body(&how, r->status) ? r->body.n : 0);
        return true;
    }
    c->last = true;
    return write_error(c, 503, "Service Unavailable");
}

/* Whether the client does not know yet that this answer is the last: it may be
 * sending its next request. */
static bool surprises_client(const struct bq_conn *c)
{
    return c->work->exchange.request.keep_alive;
}

static void answer(struct bq_conn *c, const struct bq_response *response)
{
    c->last = c->last || c->serve->draining;
    bool written = write_answer(c, response);
    bool unread = c->last && surprises_client(c);
    renew(c->work);
    if (written && !c->last) {
        bq_conn_set_state(c, BQ_CONN_IDLE);
        return;
    }
    give_back(c);
    if (written)
        bq_conn_finish(c, unread);
    else
        bq_conn_set_state(c, BQ_CONN_CLOSED);
}

static void respond(struct bq_exchange *ex, const struct bq_response *response)
{
    struct bq_conn *c = ex->conn;
    assert(ex == &c->work->exchange);
    if (c->state == BQ_CONN_GONE) {
        record(c, response->status, 0);
        renew(c->work);
        give_back(c);
        bq_conn_set_state(c, BQ_CONN_CLOSED);
    } else {
        assert(c->state == BQ_CONN_HANDLING);
        answer(c, response);
    }
    bq_conn_defer(c);
}

static size_t peer(const struct bq_exchange *ex, char out[static 64])
{
    struct bq_ip ip = client_of(ex->conn);
    return bq_ip_text(&ip, out);
}

static const struct bq_sink sink = {.respond = respond, .peer = peer};

/* Requests */

static void request_complete(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    struct bq_exchange *ex = &c->work->exchange;
    uint32_t requests_max = s->config.limits.requests_max;
    if (c->work->lost) {
        refuse(c, 503, "Service Unavailable");
        return;
    }
    ex->body = bq_buf_str(&c->work->body);
    s->counts.requests++;
    c->requests++;
    c->batch--;
    if (!ex->request.keep_alive || (requests_max && c->requests >= requests_max))
        c->last = true;
    bq_conn_set_state(c, BQ_CONN_HANDLING);
    s->handler.request(s->handler.self, ex);
}

/* Expect: 100-continue (RFC 9110, section 10.1.1), where none of the body has
 * come yet. A client whose body is not wanted may send it or not: the answer to
 * that is the connection's last. */
static void meet_expectation(struct bq_conn *c)
{
    if (!c->work->wants_body) {
        c->last = c->unread = true;
        request_complete(c);
    } else if (bq_h1_write_continue(bq_conn_out(c)) != BQ_OK) {
        refuse_for_memory(c);
    }
}

static void body_begins(struct bq_conn *c, const struct bq_h1_framing *framing, bool arriving)
{
    struct bq_h1_work *w = c->work;
    uint64_t n = framing->chunked ? 0 : framing->content_length;
    if (c->state == BQ_CONN_IDLE)
        bq_conn_set_state(c, BQ_CONN_HEAD);
    bq_conn_set_state(c, BQ_CONN_BODY);
    w->body_began_ms = bq_serve_now_ms(c->serve);
    size_t believed = (size_t)(n < BODY_BYTES_BELIEVED ? n : BODY_BYTES_BELIEVED);
    if (n > w->body_bytes_max)
        refuse(c, 413, "Content Too Large");
    else if (w->wants_body && bq_buf_reserve(&w->body, believed) != BQ_OK)
        refuse_for_memory(c);
    else if (w->exchange.request.expect_continue && !arriving)
        meet_expectation(c);
}

/* What the peer says of its client, if it is trusted. Fails: BQ_MEMORY. */
static int ask_proxy(struct bq_conn *c)
{
    const struct bq_trust *trust = &c->serve->config.trust;
    struct bq_exchange *ex = &c->work->exchange;
    struct bq_ip peer_ip = bq_peer_ip(&c->peer);
    if (!bq_networks_have(trust->proxies, &peer_ip))
        return BQ_OK;
    struct bq_client *client = bq_arena_alloc(&ex->arena, sizeof *client);
    if (!client)
        return BQ_MEMORY;
    bq_forwarded_read(&ex->request, trust, &peer_ip, client);
    ex->client = client;
    return BQ_OK;
}

/* Who asks, and what the request is called. Fails: BQ_MEMORY. */
static int identify(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    int rc = s->config.trust.proxies ? ask_proxy(c) : BQ_OK;
    if (rc == BQ_OK && s->config.request_id)
        rc = bq_request_id_set(&c->work->exchange, &s->ids);
    return rc;
}

static void head_complete(struct bq_conn *c, bool arriving)
{
    struct bq_serve *s = c->serve;
    struct bq_h1_work *w = c->work;
    if (s->config.access || s->config.tally)
        w->judged_us = bq_clock_us();
    if (s->identifies && identify(c) != BQ_OK) {
        refuse_for_memory(c);
        return;
    }
    struct bq_verdict verdict = s->handler.head(s->handler.self, &w->exchange);
    w->known = true;
    w->body_bytes_max = verdict.body_bytes_max;
    w->wants_body = verdict.wants_body;
    struct bq_h1_framing framing = bq_h1_parser_framing(w->parser);
    if (framing.has_body)
        body_begins(c, &framing, arriving);
    else
        request_complete(c); /* what the parser would say next */
}

static void body_arrived(struct bq_conn *c, bq_str chunk)
{
    struct bq_h1_work *w = c->work;
    uint64_t body_ms_max = c->serve->config.limits.body_ms_max;
    w->body_bytes += chunk.n;
    if (w->body_bytes > w->body_bytes_max) {
        refuse(c, 413, "Content Too Large");
        return;
    }
    if (w->wants_body && bq_buf_append(&w->body, chunk) != BQ_OK) {
        refuse_for_memory(c);
        return;
    }
    if (body_ms_max == 0)
        return;
    uint64_t patience_ms = w->body_began_ms + BODY_PATIENCE * body_ms_max + w->body_bytes;
    uint64_t deadline_ms = bq_serve_now_ms(c->serve) + body_ms_max;
    c->deadline_ms = deadline_ms < patience_ms ? deadline_ms : patience_ms;
}

/* Gives the parser more. False: it wants input that is not there. */
static bool step(struct bq_conn *c, bq_str *in)
{
    struct bq_h1_work *w = c->work;
    enum bq_h1_event event = bq_h1_parser_feed(w->parser, in);
    w->fed = true;
    switch (event) {
    case BQ_H1_MORE:
        if (c->state == BQ_CONN_IDLE && bq_h1_parser_started(w->parser))
            bq_conn_set_state(c, BQ_CONN_HEAD);
        return false;
    case BQ_H1_HEAD:
        head_complete(c, in->n > 0);
        return true;
    case BQ_H1_BODY:
        body_arrived(c, bq_h1_parser_chunk(w->parser));
        return true;
    case BQ_H1_DONE:
        request_complete(c);
        return true;
    case BQ_H1_REFUSED:
        refuse(c, bq_h1_parser_status(w->parser), bq_h1_parser_reason(w->parser));
        return true;
    }
    return false;
}

/* After a head the parser goes on without input: the request may be complete. */
static void input(struct bq_conn *c, bq_str *in)
{
    while (bq_conn_may_parse(c) && (in->n || c->state == BQ_CONN_BODY)) {
        if (!c->work && !lend(c)) {
            refuse_for_memory(c);
            return;
        }
        if (!step(c, in))
            return;
    }
}

static void gone(struct bq_conn *c)
{
    const struct bq_handler *handler = &c->serve->handler;
    struct bq_exchange *ex = &c->work->exchange;
    if (ex->gone)
        return;
    ex->gone = true;
    handler->gone(handler->self, ex);
}

static const struct bq_exchange *exchange(const struct bq_conn *c, uint64_t *began_us)
{
    *began_us = c->work->judged_us;
    return &c->work->exchange;
}

const struct bq_proto bq_h1_proto = {
    .input = input,
    .refuse = refuse,
    .gone = gone,
    .drop = drop,
    .rest = rest,
    .moved = moved,
    .exchange = exchange,
};
