/*
 * micro_http.c: the router over a real API's routes, the date, and the head of a response.
 */
#include "base/rc.h"
#include "http/h1_write.h"
#include "http/router.h"
#include "micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS_MAX      256
#define LINE_BYTES_MAX 256

struct routing {
    struct bq_router *router;
    struct bq_arena arena;
    size_t count;
    enum bq_method methods[PATHS_MAX];
    bq_str paths[PATHS_MAX];
};

static enum bq_method method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum bq_method)i;
    return BQ_METHOD_OTHER;
}

/* The path of a request for the pattern. */
static bq_str fill(const char *text)
{
    const bq_str values[BQ_ROUTE_PARAMS_MAX] = {BQ_STR("octocat"), BQ_STR("hello-world"),
                                                BQ_STR("1347"), BQ_STR("bug")};
    struct bq_buf path = BQ_BUF_INIT;
    struct bq_pattern pattern;
    char error[256];
    micro_need(bq_pattern_parse(&pattern, bq_str_cstr(text), error) == BQ_OK, text);
    micro_need(bq_pattern_build(&path, &pattern, values, pattern.count / 2) == BQ_OK, text);
    return bq_buf_str(&path);
}

static void add(struct routing *r, const char *method, const char *pattern)
{
    uint32_t other;
    char error[256];
    micro_need(r->count < PATHS_MAX, "more routes than there is room for");
    r->methods[r->count] = method_of(method);
    r->paths[r->count] = fill(pattern);
    micro_need(bq_router_add(r->router, r->methods[r->count], bq_str_cstr(pattern),
                             (uint32_t)r->count, &other, error) == BQ_OK,
               pattern);
    r->count++;
}

/* The first table of the file, which begins with its second comment: GitHub's API. */
static void *prepare_router(void)
{
    struct routing *r = calloc(1, sizeof *r);
    FILE *file = fopen(BARQ_SOURCE_DIR "/tests/data/routes.txt", "r");
    char line[LINE_BYTES_MAX], method[16], pattern[128];
    micro_need(r && file && (r->router = bq_router_new()), "tests/data/routes.txt");
    for (int comments = 0; fgets(line, sizeof line, file) && comments < 3;) {
        comments += line[0] == '#';
        if (line[0] != '#' && sscanf(line, "%15s %127s", method, pattern) == 2)
            add(r, method, pattern);
    }
    fclose(file);
    bq_arena_init(&r->arena, NULL, 0);
    micro_need(r->count > 100 && bq_router_freeze(r->router) == BQ_OK, "the table is too small");
    return r;
}

static void run_router(void *arg, size_t calls)
{
    struct routing *r = arg;
    for (size_t i = 0, at = 0; i < calls; i++, at = at + 1 < r->count ? at + 1 : 0) {
        struct bq_match m;
        micro_need(bq_router_match(r->router, r->methods[at], r->paths[at], &r->arena, &m) ==
                           BQ_MATCH_FOUND &&
                       m.route == at,
                   "the router is wrong");
    }
}

static void *prepare_date(void)
{
    return calloc(1, BQ_DATE_BYTES);
}

static void run_date(void *arg, size_t calls)
{
    for (size_t i = 0; i < calls; i++)
        bq_date_format((time_t)(1700000000 + i), arg);
}

struct heads {
    struct bq_buf out;
    struct bq_response response;
    struct bq_h1_reply how;
};

static void *prepare_head(void)
{
    struct heads *h = calloc(1, sizeof *h);
    micro_need(h != NULL, "memory");
    h->response = (struct bq_response){
        .status = 200, .content_type = BQ_STR("application/json"), .body = BQ_STR("{}")};
    h->how = (struct bq_h1_reply){.version_minor = 1, .date = "Sun, 06 Nov 1994 08:49:37 GMT"};
    return h;
}

static void run_head(void *arg, size_t calls)
{
    struct heads *h = arg;
    for (size_t i = 0; i < calls; i++) {
        bq_buf_reset(&h->out);
        micro_need(bq_h1_write_response(&h->out, &h->response, &h->how) == BQ_OK, "memory");
    }
}

static void *prepare_fields(void)
{
    static const struct bq_field fields[] = {
        {BQ_STR("Cache-Control"), BQ_STR("no-store")},
        {BQ_STR("X-Request-Id"), BQ_STR("0af7651916cd43dd8448eb211c80319c")},
        {BQ_STR("ETag"), BQ_STR("\"33a64df551425fcc55e4d42a148795d9\"")},
    };
    struct heads *h = prepare_head();
    h->response.fields = fields;
    h->response.field_count = sizeof fields / sizeof fields[0];
    return h;
}

const struct micro_case micro_http_cases[] = {
    {"router: a match among 203 routes", prepare_router, run_router, NULL},
    {"date", prepare_date, run_date, NULL},
    {"head of a small response", prepare_head, run_head, NULL},
    {"the same with three further fields", prepare_fields, run_head, NULL},
    {0},
};
