/*
 * naive_router.h: the routing rules as a list of patterns, each tried on its own.
 *
 * The oracle for the tree, in the unit tests and in the fuzz target: no tree, no
 * backtracking, decoding segment by segment, the best of all that fit. It shares
 * no code with the router. Patterns given to it are valid and lie in memory that
 * outlives it; paths have at most NAIVE_SEGMENTS segments of NAIVE_BYTES bytes.
 */
#ifndef BQ_TEST_NAIVE_ROUTER_H
#define BQ_TEST_NAIVE_ROUTER_H

#include "base/utf8.h"
#include "http/router.h"

#include <stdlib.h>

#define NAIVE_SEGMENTS 24
#define NAIVE_BYTES    64
#define NAIVE_ROUTES   64

struct naive_route {
    enum bq_method method;
    bq_str pattern;
    uint32_t route;
};

struct naive_router {
    struct naive_route routes[NAIVE_ROUTES];
    size_t count;
};

struct naive_segment {
    char text[NAIVE_BYTES + 1]; /* decoded, with '/' for "%2F" */
    size_t n;
};

struct naive_match {
    enum bq_match_result result;
    uint32_t route;
    uint32_t allow;
    size_t param_count;
    char params[BQ_ROUTE_PARAMS_MAX][NAIVE_SEGMENTS * (NAIVE_BYTES + 1)];
    size_t lengths[BQ_ROUTE_PARAMS_MAX];
};

/* Whether an element between from and to in s, split at "/", is empty (empty) or dots. */
static inline bool naive_has_piece(const char *s, size_t n, bool empty)
{
    size_t start = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '/')
            continue;
        size_t len = i - start;
        bool dots =
            (len == 1 && s[start] == '.') || (len == 2 && s[start] == '.' && s[start + 1] == '.');
        if (empty ? len == 0 : dots)
            return true;
        start = i + 1;
    }
    return false;
}

static inline bool naive_is_hex(char c)
{
    return c && strchr("0123456789abcdefABCDEF", c);
}

/* Decodes a path that starts with "/" into segments. False: 400. */
static inline bool naive_split(bq_str path, struct naive_segment *segments, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (c == '/') {
            segments[(*count)++].n = 0;
            continue;
        }
        if (c == '%') {
            char hex[3] = {0};
            if (i + 2 >= path.n || !naive_is_hex(path.p[i + 1]) || !naive_is_hex(path.p[i + 2]))
                return false;
            memcpy(hex, path.p + i + 1, 2);
            c = (char)strtol(hex, NULL, 16);
            i += 2;
        }
        if (c == '\0')
            return false;
        struct naive_segment *to = &segments[*count - 1];
        to->text[to->n++] = c;
    }
    for (size_t i = 0; i < *count; i++)
        if (!bq_utf8_valid(bq_str_of(segments[i].text, segments[i].n)))
            return false;
    return true;
}

static inline bool naive_in_set(const struct naive_segment *s, const char *set)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strchr(set, s->text[i]))
            return false;
    return s->n > 0;
}

static inline bool naive_is_int(const struct naive_segment *s)
{
    struct naive_segment digits = *s;
    if (s->n && s->text[0] == '-') {
        digits.n--;
        memmove(digits.text, s->text + 1, digits.n);
    }
    if (!naive_in_set(&digits, "0123456789"))
        return false;
    digits.text[digits.n] = '\0';
    const char *p = digits.text + strspn(digits.text, "0");
    return strlen(p) < 16 || (strlen(p) == 16 && strcmp(p, "9007199254740991") <= 0);
}

static inline bool naive_is_uuid(const struct naive_segment *s)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < sizeof shape - 1; i++)
        if (i >= s->n ||
            (shape[i] == '-' ? s->text[i] != '-' : !strchr("0123456789abcdefABCDEF", s->text[i])))
            return false;
    return s->n == sizeof shape - 1;
}

/* The rank of a pattern's segment for a path's: lower is better, 0 is no match. */
static inline int naive_rank(bq_str want, const struct naive_segment *have)
{
    static const char slug[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    if (want.n == 0 || want.p[0] != '{')
        return want.n == have->n && memcmp(want.p, have->text, want.n) == 0 ? 1 : 0;
    if (have->n == 0)
        return 0;
    if (memmem(want.p, want.n, ":int", 4))
        return naive_is_int(have) ? 2 : 0;
    if (memmem(want.p, want.n, ":uuid", 5))
        return naive_is_uuid(have) ? 3 : 0;
    if (memmem(want.p, want.n, ":slug", 5))
        return naive_in_set(have, slug) ? 4 : 0;
    return want.p[want.n - 2] == '*' ? 6 : 5;
}

/* Ranks for each segment and the parameters of out; false if the pattern does not fit. */
static inline bool naive_fits(bq_str pattern, const struct naive_segment *segments, size_t count,
                              unsigned char *ranks, struct naive_match *out)
{
    size_t at = 1, i = 0;
    out->param_count = 0;
    for (; at <= pattern.n; i++) {
        size_t end = at;
        while (end < pattern.n && pattern.p[end] != '/')
            end++;
        if (i >= count)
            return false;
        bq_str want = bq_str_of(pattern.p + at, end - at);
        ranks[i] = (unsigned char)naive_rank(want, &segments[i]);
        at = end + 1;
        if (ranks[i] == 0)
            return false;
        if (ranks[i] == 1)
            continue;
        char *value = out->params[out->param_count];
        size_t n = 0, last = ranks[i] == 6 ? count - 1 : i;
        for (size_t s = i; s <= last; s++) {
            if (s > i)
                value[n++] = '/';
            memcpy(value + n, segments[s].text, segments[s].n);
            n += segments[s].n;
        }
        out->lengths[out->param_count++] = n;
        if (ranks[i] == 6)
            return !naive_has_piece(value, n, true);
    }
    return i == count;
}

/* The preference among routes of one pattern; 0 is no answer to the method. */
static inline int naive_method_rank(enum bq_method route, enum bq_method asked)
{
    if (route == BQ_METHOD_OTHER)
        return 3;
    if (route == asked)
        return 1;
    return asked == BQ_HEAD && route == BQ_GET ? 2 : 0;
}

static inline void naive_find(const struct naive_router *r, enum bq_method method, bq_str path,
                              struct naive_match *out)
{
    static struct naive_segment segments[NAIVE_SEGMENTS];
    static struct naive_match candidate;
    unsigned char best[NAIVE_SEGMENTS + 1];
    size_t count;
    memset(best, 0xff, sizeof best);
    out->allow = 0;
    out->result = BQ_MATCH_NOT_FOUND;
    if (path.n == 0 || path.p[0] != '/')
        return;
    if (!naive_split(path, segments, &count)) {
        out->result = BQ_MATCH_INVALID;
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (naive_has_piece(segments[i].text, segments[i].n, false))
            return;
    for (size_t i = 0; i < r->count; i++) {
        unsigned char ranks[NAIVE_SEGMENTS + 1] = {0};
        enum bq_method m = r->routes[i].method;
        if (!naive_fits(r->routes[i].pattern, segments, count, ranks, &candidate))
            continue;
        out->allow |= 1u << BQ_OPTIONS | (m < BQ_METHOD_OTHER ? 1u << m : 0) |
                      (m == BQ_GET ? 1u << BQ_HEAD : 0);
        ranks[NAIVE_SEGMENTS] = (unsigned char)naive_method_rank(m, method);
        if (ranks[NAIVE_SEGMENTS] == 0 || memcmp(ranks, best, sizeof best) >= 0)
            continue;
        memcpy(best, ranks, sizeof best);
        uint32_t allow = out->allow;
        *out = candidate;
        out->allow = allow;
        out->result = BQ_MATCH_FOUND;
        out->route = r->routes[i].route;
    }
    if (out->result == BQ_MATCH_NOT_FOUND && out->allow)
        out->result = BQ_MATCH_METHOD;
}

/* Whether the router says the same. */
static inline bool naive_agrees(const struct naive_match *want, enum bq_match_result result,
                                const struct bq_match *have)
{
    if (result != want->result)
        return false;
    if (result == BQ_MATCH_METHOD)
        return have->allow == want->allow;
    if (result != BQ_MATCH_FOUND)
        return true;
    if (have->route != want->route || have->param_count != want->param_count)
        return false;
    for (size_t i = 0; i < want->param_count; i++)
        if (!bq_str_eq(have->params[i].value, bq_str_of(want->params[i], want->lengths[i])))
            return false;
    return true;
}

#endif
