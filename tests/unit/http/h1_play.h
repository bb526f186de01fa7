/*
 * h1_play.h: plays bytes into the parser in any pieces and writes down what came out.
 *
 * Two plays of the same bytes must give the same text. Each piece is a heap block of
 * its own that is gone before the request is looked at, so that a pointer that was
 * kept into the fed bytes is a sanitizer's report.
 */
#ifndef BQ_TEST_H1_PLAY_H
#define BQ_TEST_H1_PLAY_H

#include "base/mem.h"
#include "http/h1_parse.h"

#include <stdio.h>
#include <stdlib.h>

/* The length of the next piece: 1 … left. */
typedef size_t (*play_piece_fn)(void *arg, size_t left);

struct play {
    struct bq_exchange ex;
    struct bq_h1_parser *parser;
    struct bq_buf log;  /* the outcome */
    struct bq_buf body; /* of the current request */
    bool head_seen;
    unsigned done; /* complete requests */
    int status;    /* of the refusal, or 0 */
    const char *reason;
    bool wrong; /* the parser broke its contract */
};

static inline void play_fields(struct play *p, const char *label, const struct bq_field *fields,
                               size_t n)
{
    for (size_t i = 0; i < n; i++)
        bq_buf_printf(&p->log, " %s[%.*s=%.*s]", label, BQ_STR_ARG(fields[i].name),
                      BQ_STR_ARG(fields[i].value));
}

static inline void play_request(struct play *p)
{
    const struct bq_request *r = &p->ex.request;
    struct bq_h1_framing f = bq_h1_parser_framing(p->parser);
    bq_buf_printf(&p->log, "%d %.*s %.*s path=%.*s query=%s%.*s host=%.*s 1.%d%s%s", r->method,
                  BQ_STR_ARG(r->method_name), BQ_STR_ARG(r->target), BQ_STR_ARG(r->path),
                  r->query.p ? "?" : "-", BQ_STR_ARG(r->query), BQ_STR_ARG(r->host),
                  r->version_minor, r->keep_alive ? " keep" : " close",
                  r->expect_continue ? " expect" : "");
    if (f.has_body)
        bq_buf_printf(&p->log, " body(%s %llu)=", f.chunked ? "chunked" : "length",
                      (unsigned long long)f.content_length);
    bq_buf_append(&p->log, bq_buf_str(&p->body));
    play_fields(p, "f", r->fields, r->field_count);
    play_fields(p, "t", r->trailers, r->trailer_count);
}

static inline void play_next_request(struct play *p)
{
    p->head_seen = false;
    bq_buf_reset(&p->body);
    bq_exchange_reset(&p->ex);
    bq_h1_parser_reset(p->parser, &p->ex);
}

/* False when the parser wants nothing more of this piece. */
static inline bool play_event(struct play *p, enum bq_h1_event event, const bq_str *in)
{
    switch (event) {
    case BQ_H1_MORE:
        p->wrong |= in->n != 0;
        return false;
    case BQ_H1_HEAD:
        p->wrong |= p->head_seen;
        p->head_seen = true;
        return true;
    case BQ_H1_BODY:
        p->wrong |= bq_h1_parser_chunk(p->parser).n == 0;
        bq_buf_append(&p->body, bq_h1_parser_chunk(p->parser));
        return true;
    case BQ_H1_DONE:
        p->done++;
        play_request(p);
        bq_buf_printf(&p->log, " done\n");
        play_next_request(p);
        return in->n != 0;
    case BQ_H1_REFUSED:
        break;
    }
    if (p->head_seen)
        play_request(p);
    p->status = bq_h1_parser_status(p->parser);
    p->reason = bq_h1_parser_reason(p->parser);
    bq_buf_printf(&p->log, " refused %d %s\n", p->status, p->reason);
    return false;
}

/* Takes: bytes whose pieces are cut by piece. The play is released by play_release. */
static inline void play_bytes(struct play *p, const struct bq_h1_limits *limits, bq_str bytes,
                              play_piece_fn piece, void *arg)
{
    *p = (struct play){0};
    bq_exchange_init(&p->ex, NULL, NULL);
    p->parser = bq_h1_parser_new(limits);
    if (!p->parser)
        abort();
    bq_h1_parser_reset(p->parser, &p->ex);
    while (bytes.n && !p->status) {
        size_t n = piece(arg, bytes.n);
        char *block = malloc(n);
        if (!block)
            abort();
        memcpy(block, bytes.p, n);
        bq_str in = bq_str_of(block, n);
        while (play_event(p, bq_h1_parser_feed(p->parser, &in), &in))
            continue;
        free(block);
        bytes = bq_str_of(bytes.p + n, bytes.n - n);
    }
    if (!p->status)
        bq_buf_printf(&p->log, "%s\n",
                      p->head_seen                      ? "in body"
                      : bq_h1_parser_started(p->parser) ? "in head"
                                                        : "idle");
}

static inline void play_release(struct play *p)
{
    bq_buf_release(&p->log);
    bq_buf_release(&p->body);
    bq_h1_parser_free(p->parser);
    bq_exchange_release(&p->ex);
}

static inline size_t piece_whole(void *arg, size_t left)
{
    (void)arg;
    return left;
}

static inline size_t piece_byte(void *arg, size_t left)
{
    (void)arg;
    (void)left;
    return 1;
}

/* arg: a uint32_t state, xorshift. */
static inline size_t piece_random(void *arg, size_t left)
{
    uint32_t *x = arg;
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    size_t n = 1 + *x % 24;
    return n < left ? n : left;
}

#endif
