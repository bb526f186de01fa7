/*
 * exchange.h: one request and its answer, protocol-neutral.
 *
 * Everything carried between serve (which knows connections) and app (which
 * knows Lua) is this struct, through two small interfaces: the handler going
 * in, the sink coming out. HTTP/2 will hang another sink on the same struct.
 *
 *   begin ── handler.head ── body … ── handler.request ── sink.respond ── end
 *
 * Life: a codec begins an exchange when a request's head is complete, and it
 * ends after respond; the arena, and all that the request needed, goes with it.
 */
#ifndef BQ_HTTP_EXCHANGE_H
#define BQ_HTTP_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Methods of RFC 9110 and RFC 5789 that barq routes; every other method that
 * is registered (RFC 9110, section 16.1.1) is OTHER: known, never routed. */
enum bq_method {
    BQ_GET,
    BQ_HEAD,
    BQ_POST,
    BQ_PUT,
    BQ_PATCH,
    BQ_DELETE,
    BQ_OPTIONS,
    BQ_METHOD_OTHER,
};
#define BQ_METHOD_COUNT 8

/* "GET" … "OPTIONS", or "other". */
const char *bq_method_name(enum bq_method m);

struct bq_field {
    bq_str name;  /* in a request as received, letter case kept */
    bq_str value; /* without surrounding white space */
};

/* Fields that the core itself looks at are found once, while parsing. */
struct bq_request {
    enum bq_method method;
    bq_str method_name;    /* as received: "GET" */
    bq_str target;         /* as received */
    bq_str path;           /* raw (still percent-encoded) path of the target; "*" for OPTIONS * */
    bq_str query;          /* raw, without "?"; p is NULL when there is none */
    bq_str host;           /* from the Host field or an absolute-form target; or as a trusted
                              proxy has received it */
    uint8_t version_minor; /* HTTP/1.minor */
    bool keep_alive;
    bool expect_continue;
    const struct bq_field *fields;
    size_t field_count;
    const struct bq_field *trailers; /* of a chunked body, after the body */
    size_t trailer_count;
};

/* What most answers are of. The writer of heads knows these by where they are, not by their text.
 */
extern const char bq_type_json[], bq_type_text[];
#define BQ_TYPE_JSON bq_str_of(bq_type_json, sizeof "application/json" - 1)
#define BQ_TYPE_TEXT bq_str_of(bq_type_text, sizeof "text/plain; charset=utf-8" - 1)

/* What the app answers. The sink adds framing, Date and Connection itself and
 * drops a field of those names. */
struct bq_response {
    int status;                    /* 200 … 599 */
    bq_str content_type;           /* n = 0: none */
    const struct bq_field *fields; /* further fields */
    size_t field_count;
    bq_str body; /* for HEAD too: it gives the length */
};

/* Where a request is from, by the word of proxies that are trusted (forwarded.h). */
struct bq_client {
    struct bq_ip ip; /* the client's */
    bq_str scheme;   /* by which it came to the first of them: "http" or "https" */
};

struct bq_exchange;
struct bq_tally;

struct bq_sink {
    /* Takes the answer, copying what it needs; called exactly once for each
     * request the handler got, on the worker that owns the exchange. The
     * exchange is gone when this returns. Fails: never; a peer that left or a
     * lack of memory is the sink's own affair. */
    void (*respond)(struct bq_exchange *ex, const struct bq_response *response);
    /* Writes the client's address without port ("" for a UNIX socket) into out. */
    size_t (*peer)(const struct bq_exchange *ex, char out[static 64]);
};

/* What the handler says of a head, before the body is read. */
struct bq_verdict {
    uint64_t body_bytes_max; /* a longer body is refused with 413 */
    bool wants_body;         /* false: the answer is known; with Expect no 100 is sent */
};

/* self is that of the handler that serve has now; another one before it may have been told the
 * head, and been given the request: what it left in ex->app tells. */
struct bq_handler {
    void *self;
    /* The head is complete. Must not respond. May keep a route in ex->app, and nothing outside of
     * ex: where another worker takes the connection over before request(), its handler is told the
     * head again, and this one is told nothing. */
    struct bq_verdict (*head)(void *self, struct bq_exchange *ex);
    /* The request is complete; the answer may come now or later. */
    void (*request)(void *self, struct bq_exchange *ex);
    /* The peer has gone while the answer is awaited: the handler may end its
     * work early, and must respond still (the answer is dropped). */
    void (*gone)(void *self, struct bq_exchange *ex);
    /* The request ended before request() was called, or the server itself ends and
     * gone was not responded to; forget it. */
    void (*abandon)(void *self, struct bq_exchange *ex);
};

/* Enough for what a browser sends; a request that waits holds it all. */
#define BQ_EXCHANGE_ARENA_BYTES 2560

struct bq_exchange {
    struct bq_arena arena;
    struct bq_request request;
    bq_str body;
    const struct bq_sink *sink;
    void *conn;             /* the sink's: the connection this came from */
    void *app;              /* the handler's: its state for this exchange, in the arena */
    struct bq_tally *tally; /* the handler's: what the answer is counted under; NULL: nothing */
    bq_str id;              /* n = 0: nobody has asked for one yet (request_id.h) */
    const struct bq_client *client; /* NULL: no trusted proxy, the connection tells; in the arena */
    bool gone;                      /* the peer has left; nobody will read the answer */
    char first_block[BQ_EXCHANGE_ARENA_BYTES];
};

/* Prepares a block of memory as an exchange; release ends it. Between requests
 * bq_exchange_reset makes it ready for the next. */
void bq_exchange_init(struct bq_exchange *ex, const struct bq_sink *sink, void *conn);
void bq_exchange_reset(struct bq_exchange *ex);
void bq_exchange_release(struct bq_exchange *ex);

/* The first field of that name, letters folded, or NULL. */
const struct bq_field *bq_request_find(const struct bq_request *r, bq_str name);

#endif
