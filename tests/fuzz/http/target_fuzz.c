/* target_fuzz.c: what is accepted lies inside the target, and an accepted host never
 * holds what could be a path, a user or white space. */
#include "http/target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool inside(bq_str part, bq_str whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_target(struct bq_request *r)
{
    if (bq_target_parse(r) != 0)
        return;
    bool given = !bq_str_eq(r->path, BQ_STR("/")) && !bq_str_eq(r->path, BQ_STR("*"));
    if (r->path.n == 0 || (given && !inside(r->path, r->target)) || !inside(r->query, r->target) ||
        !inside(r->host, r->target) || !bq_host_valid(r->host))
        abort();
    if (bq_str_find(r->path, '?', 0) < r->path.n || bq_str_find(r->target, '#', 0) < r->target.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str bytes = bq_str_of((const char *)data, n);
    check_target(&(struct bq_request){.method = BQ_GET, .target = bytes});
    check_target(&(struct bq_request){.method = BQ_OPTIONS, .target = bytes});
    if (bq_host_valid(bytes))
        for (size_t i = 0; i < n; i++)
            if (data[i] <= ' ' || data[i] >= 0x7f || strchr("/?#@\\\"<>", data[i]))
                abort();
    return 0;
}
