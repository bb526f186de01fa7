/* cookie_fuzz.c: pairs lie in the field in order, trimmed; a pair that may be set is
 * read back as it was written. */
#include "http/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_round_trip(bq_str name, bq_str value)
{
    struct bq_set_cookie c = {.name = name, .value = value};
    c.max_age_s = c.expires_s = INT64_MIN;
    struct bq_buf b = BQ_BUF_INIT;
    const char *why = NULL;
    if (bq_set_cookie_write(&b, &c, &why) == 0) {
        bq_str rest = bq_buf_str(&b), name_read, value_read;
        if (!bq_cookie_next(&rest, &name_read, &value_read) || rest.n ||
            !bq_str_eq(name_read, name) || !bq_str_eq(value_read, value))
            abort();
    } else if (!why) {
        abort();
    }
    bq_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str rest = bq_str_of((const char *)data, n), name, value;
    const char *at = rest.p, *end = rest.p + n;
    while (bq_cookie_next(&rest, &name, &value)) {
        if (name.p < at || value.p < name.p + name.n || value.p + value.n > end || !name.n)
            abort();
        if (bq_str_find(name, ';', 0) < name.n || bq_str_find(value, ';', 0) < value.n ||
            bq_str_trim(name).n != name.n)
            abort();
        check_round_trip(name, value);
        at = value.p + value.n;
    }
    return 0;
}
