/* unrouted.c: what is said to a request for which there is no route. */
#include "app/unrouted.h"

#include "base/rc.h"

static bq_str allow_text(struct bq_call *call, uint32_t allow)
{
    struct bq_buf text = BQ_BUF_INIT;
    bq_str copy = BQ_STR("");
    if (bq_allow_write(&text, allow) == BQ_OK)
        copy = bq_arena_dup(&call->ex->arena, bq_buf_str(&text));
    bq_buf_release(&text);
    return copy;
}

/* The path with its trailing slash added or taken away, if a route has that. */
static bool find_slash_variant(struct bq_call *call)
{
    struct bq_request *r = &call->ex->request;
    bool slashed = r->path.n > 1 && r->path.p[r->path.n - 1] == '/';
    size_t path_bytes = slashed ? r->path.n - 1 : r->path.n + 1;
    char *text = bq_arena_alloc(&call->ex->arena, path_bytes + r->query.n + 1);
    if (!text || r->path.n < 2)
        return false;
    memcpy(text, r->path.p, slashed ? path_bytes : r->path.n);
    if (!slashed)
        text[path_bytes - 1] = '/';
    if (bq_router_match(call->app->router, r->method, bq_str_of(text, path_bytes), &call->ex->arena,
                        &call->match) != BQ_MATCH_FOUND)
        return false;
    size_t n = path_bytes;
    if (r->query.p) {
        text[n++] = '?';
        memcpy(text + n, r->query.p, r->query.n);
        n += r->query.n;
    }
    call->location = bq_str_of(text, n);
    return true;
}

int bq_unrouted_status(struct bq_call *call)
{
    const struct bq_request *r = &call->ex->request;
    switch (call->outcome) {
    case BQ_MATCH_METHOD:
        call->allow = allow_text(call, call->match.allow);
        return r->method == BQ_OPTIONS ? 204 : 405;
    case BQ_MATCH_INVALID:
        return 400;
    case BQ_MATCH_MEMORY:
        return 503;
    default:
        break;
    }
    if (r->method == BQ_OPTIONS && bq_str_eq(r->path, BQ_STR("*")))
        return 204;
    /* "//host" must not become a Location that leads elsewhere. */
    if (call->app->options.redirect_slashes && !bq_str_starts(r->path, BQ_STR("//")) &&
        find_slash_variant(call))
        return 308;
    return 404;
}
