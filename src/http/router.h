/*
 * router.h: from method and path to a route, a radix tree frozen after load.
 *
 * Patterns: "/items/{id}" (one segment), "/items/{id:int}" (converters int,
 * uuid, slug), "/files/{path*}" (the rest, one or more segments, last only). A
 * static segment beats a converter, a converter a plain parameter, a parameter
 * the rest; where the rest of the path or the method does not fit, the next best
 * is tried. A match walks the tree at most twice (the path raw, then decoded), and
 * a walk visits every node at most once, so backtracking is bounded by its size.
 *
 * Percent-decoding happens here, once, per segment: "%2F" stays inside its
 * segment. An empty segment ("//", a trailing slash) fits only a pattern that
 * spells it; "." and ".." (encoded or not, and also between the slashes that a
 * decoded "%2F" puts into a value) fit nothing. Patterns are written decoded.
 */
#ifndef BQ_HTTP_ROUTER_H
#define BQ_HTTP_ROUTER_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/exchange.h"

#define BQ_ROUTE_PARAMS_MAX   16
#define BQ_ROUTE_SEGMENTS_MAX 64
#define BQ_ROUTE_BYTES_MAX    2048

enum bq_converter { BQ_CONV_ANY, BQ_CONV_INT, BQ_CONV_UUID, BQ_CONV_SLUG, BQ_CONV_REST };

/* A pattern taken apart: static text and parameters by turns. */
struct bq_pattern_part {
    bq_str text; /* static text with its slashes, or the parameter's name */
    bool is_param;
    enum bq_converter converter;
};
struct bq_pattern {
    struct bq_pattern_part parts[2 * BQ_ROUTE_PARAMS_MAX + 1];
    size_t count;
};

/* Views into text. Fails: BQ_INVALID and a sentence in error that names the
 * place: no leading "/", a parameter that is not a whole segment, an unknown
 * converter (with the nearest right one), a name that is no identifier or is used
 * twice, "*" before the end, unbalanced braces, too many parameters or segments,
 * "." or "..", "?", "#", "%" (static text is written decoded), a control character,
 * invalid UTF-8, and what other frameworks write for parameters (":id", "*"). */
int bq_pattern_parse(struct bq_pattern *p, bq_str text, char error[static 256]);

/* Appends the path that the pattern matches with these values, decoded as in
 * bq_match and in the pattern's order; every byte of a value but the unreserved
 * ones (and a rest's slashes) is percent-encoded. Fails: BQ_INVALID (n is not the
 * number of parameters, a value does not fit its converter, holds a NUL or is no
 * UTF-8), BQ_MEMORY; out is then as before. */
int bq_pattern_build(struct bq_buf *out, const struct bq_pattern *p, const bq_str *values,
                     size_t n);

/* Whether a decoded segment fits a converter; for BQ_CONV_INT *number is its value
 * ("-?digits", |n| up to 2^53 - 1), else it is left alone. BQ_CONV_ANY is anything
 * but an empty segment or a dot segment; BQ_CONV_REST looks at a whole rest, where
 * that holds for each piece between slashes. */
bool bq_converter_fits(enum bq_converter c, bq_str segment, int64_t *number);

struct bq_router;

struct bq_router *bq_router_new(void); /* Fails: NULL without memory. */
void bq_router_free(struct bq_router *r);

/* Adds a route; method BQ_METHOD_OTHER stands for every method ("any"). route is
 * the caller's number for it, from 0. Two routes of one method whose patterns
 * match the same paths at the same rank (parameters' names do not count; "any"
 * beside a method is no conflict: the method wins) conflict.
 * Fails: BQ_CONFLICT, *other is the earlier route and error a sentence with both
 * patterns; BQ_INVALID and a sentence in error; BQ_MEMORY. */
int bq_router_add(struct bq_router *r, enum bq_method method, bq_str pattern, uint32_t route,
                  uint32_t *other, char error[static 256]);

/* Lays the tree out for matching; no more routes can be added. Fails: BQ_MEMORY. */
int bq_router_freeze(struct bq_router *r);

struct bq_param {
    enum bq_converter converter;
    bq_str value;   /* decoded */
    int64_t number; /* BQ_CONV_INT */
};

enum bq_match_result {
    BQ_MATCH_FOUND,
    BQ_MATCH_NOT_FOUND,
    BQ_MATCH_METHOD,  /* the path exists, the method does not: 405, or the answer to OPTIONS */
    BQ_MATCH_INVALID, /* 400: a broken percent-encoding, a NUL, or no UTF-8 when decoded */
    BQ_MATCH_MEMORY,
};

struct bq_match {
    uint32_t route;
    size_t param_count; /* in the pattern's order */
    struct bq_param params[BQ_ROUTE_PARAMS_MAX];
    uint32_t allow; /* BQ_MATCH_METHOD: a bit (1 << method) for each that would match, HEAD and
                       OPTIONS included */
};

/* path is the raw path; one that does not start with "/" ("*") matches nothing. HEAD
 * falls back to GET where the pattern has no HEAD route; OPTIONS without a route of
 * its own is BQ_MATCH_METHOD; BQ_METHOD_OTHER finds "any" routes only. In out only
 * what the result speaks of is written. Decoded strings lie in the arena or in path.
 * Thread: any, the frozen tree is read only. */
enum bq_match_result bq_router_match(const struct bq_router *r, enum bq_method method, bq_str path,
                                     struct bq_arena *a, struct bq_match *out);

/* Appends "GET, HEAD, OPTIONS" for an allow mask. Fails: BQ_MEMORY. */
int bq_allow_write(struct bq_buf *out, uint32_t allow);

#endif
