/*
 * router_fuzz.c: random tables and paths through the router, held against the naive one.
 *
 * The input is text, so that seeds are readable: lines "+<method digit><pattern>" add a
 * route, lines "?<method digit><path>" ask for a path. All routes come before the first
 * question, whatever the order of lines. In patterns and paths, "&" and a letter stand
 * for a longer word, which makes converters and splits likely.
 */
#include "../../unit/http/naive_router.h"
#include "base/rc.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 1024

static const char *word_of(char c)
{
    switch (c) {
    case 'i':
        return "{i:int}";
    case 'u':
        return "{u:uuid}";
    case 's':
        return "{s:slug}";
    case 'a':
        return "{a}";
    case 'b':
        return "{b}";
    case 'r':
        return "{r*}";
    case 'U':
        return "123e4567-e89b-12d3-a456-426614174000";
    case 'N':
        return "9007199254740991";
    case 'L':
        return "a-rather-long-static-run";
    case '2':
        return "%2F";
    case '.':
        return "%2e";
    case 'e':
        return "%c3%a9";
    default:
        return "";
    }
}

static bq_str expand(bq_str line, char out[static TEXT_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < line.n && n < TEXT_MAX - 64; i++) {
        if (line.p[i] == '&' && i + 1 < line.n) {
            bq_str word = bq_str_cstr(word_of(line.p[++i]));
            memcpy(out + n, word.p, word.n);
            n += word.n;
        } else {
            out[n++] = line.p[i];
        }
    }
    return bq_str_of(out, n);
}

/* The naive router has fixed room for segments. */
static bool within_naive(bq_str path)
{
    size_t segments = 0, run = 0;
    for (size_t i = 0; i < path.n; i++) {
        bool slash = path.p[i] == '/';
        segments += slash;
        run = slash ? 0 : run + 1;
        if (segments > NAIVE_SEGMENTS || run > NAIVE_BYTES)
            return false;
    }
    return true;
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void add(struct bq_router *r, struct naive_router *naive, enum bq_method method, bq_str line)
{
    static char store[NAIVE_ROUTES][TEXT_MAX];
    char error[256];
    uint32_t other = UINT32_MAX, route = (uint32_t)naive->count;
    if (naive->count == NAIVE_ROUTES)
        return;
    bq_str pattern = expand(line, store[naive->count]);
    if (!within_naive(pattern))
        return;
    int rc = bq_router_add(r, method, pattern, route, &other, error);
    check(rc == BQ_OK || rc == BQ_INVALID || rc == BQ_CONFLICT);
    check(rc == BQ_OK || error[0]);
    if (rc == BQ_CONFLICT)
        check(other < naive->count && naive->routes[other].method == method);
    if (rc == BQ_OK)
        naive->routes[naive->count++] = (struct naive_route){method, pattern, route};
}

/* What matched is built again from its values, and matches with the same. */
static void rebuild(const struct bq_router *r, enum bq_method method, bq_str pattern,
                    const struct bq_match *m, struct bq_arena *a)
{
    struct bq_buf path = BQ_BUF_INIT;
    struct bq_pattern p;
    struct bq_match again;
    bq_str values[BQ_ROUTE_PARAMS_MAX];
    char error[256];
    for (size_t i = 0; i < m->param_count; i++)
        values[i] = m->params[i].value;
    check(bq_pattern_parse(&p, pattern, error) == BQ_OK);
    check(bq_pattern_build(&path, &p, values, m->param_count) == BQ_OK);
    check(bq_router_match(r, method, bq_buf_str(&path), a, &again) == BQ_MATCH_FOUND);
    check(again.route == m->route && again.param_count == m->param_count);
    for (size_t i = 0; i < m->param_count; i++)
        check(bq_str_eq(again.params[i].value, values[i]));
    bq_buf_release(&path);
}

static void ask(const struct bq_router *r, const struct naive_router *naive, enum bq_method method,
                bq_str line)
{
    static char text[TEXT_MAX];
    static struct naive_match want;
    struct bq_arena a;
    struct bq_match m;
    bq_arena_init(&a, NULL, 0);
    bq_str expanded = expand(line, text);
    /* Of its own on the heap, so that a read beyond it is seen. */
    char *own = malloc(expanded.n + 1);
    check(own != NULL);
    memcpy(own, expanded.p, expanded.n);
    bq_str path = bq_str_of(own + 1, expanded.n);
    memmove(own + 1, own, expanded.n);
    enum bq_match_result result = bq_router_match(r, method, path, &a, &m);
    if (within_naive(path)) {
        naive_find(naive, method, path, &want);
        check(naive_agrees(&want, result, &m));
    }
    /* A rest with "%2F" is built with plain slashes, which may fit a better route. */
    bool rest = result == BQ_MATCH_FOUND && m.param_count &&
                m.params[m.param_count - 1].converter == BQ_CONV_REST;
    if (result == BQ_MATCH_FOUND && !(rest && memchr(path.p, '%', path.n)))
        rebuild(r, method, naive->routes[m.route].pattern, &m, &a);
    bq_arena_release(&a);
    free(own);
}

static void each_line(bq_str text, char kind, struct bq_router *r, struct naive_router *naive)
{
    while (text.n) {
        size_t end = bq_str_find(text, '\n', 0);
        bq_str line = bq_str_of(text.p, end);
        text = end < text.n ? bq_str_of(text.p + end + 1, text.n - end - 1) : bq_str_of("", 0);
        if (line.n < 2 || line.p[0] != kind)
            continue;
        enum bq_method method = (enum bq_method)((unsigned char)line.p[1] % BQ_METHOD_COUNT);
        line = bq_str_of(line.p + 2, line.n - 2);
        if (kind == '+')
            add(r, naive, method, line);
        else
            ask(r, naive, method, line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct naive_router naive;
    bq_str text = bq_str_of((const char *)data, size);
    struct bq_router *r = bq_router_new();
    check(r != NULL);
    naive.count = 0;
    each_line(text, '+', r, &naive);
    check(bq_router_freeze(r) == BQ_OK);
    each_line(text, '?', r, &naive);
    bq_router_free(r);
    return 0;
}
