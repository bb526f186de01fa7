/* request_id_fuzz.c: an id that is believed cannot break a field or a log line, and a trace that is
 * believed has its digits where the format has them. */
#include "http/h1_write.h"
#include "http/request_id.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_trace(bq_str s)
{
    bq_str trace = bq_trace_id(s);
    bool any = false;
    demand(s.n >= 55 && trace.n == 32);
    for (size_t i = 0; i < trace.n; i++) {
        demand(strchr("0123456789abcdef", trace.p[i]) && trace.p[i]);
        any = any || trace.p[i] != '0';
    }
    demand(any && trace.p[-1] == '-' && trace.p[32] == '-');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str s = bq_str_of((const char *)data, n);
    if (bq_request_id_valid(s)) {
        demand(n > 0 && n <= BQ_REQUEST_ID_BYTES_MAX);
        demand(bq_field_check(BQ_STR("X-Request-Id"), s) == 0);
        for (size_t i = 0; i < n; i++)
            demand(data[i] > ' ' && data[i] < 0x7f && data[i] != '"' && data[i] != '\\');
    }
    if (bq_traceparent_valid(s))
        check_trace(s);
    return 0;
}
