/*
 * check.c: a whole text passed over, for readers that are laxer or vaguer than the RFC.
 *
 * Stands between a request's body and lua-cjson, which reads hexadecimal numbers, passes
 * bytes that are not UTF-8 and turns 1e400 into infinity.
 */
#include "json/check.h"

#include "base/rc.h"
#include "json/read.h"

int bq_json_check(bq_str text, unsigned depth_max, struct bq_json_error *error)
{
    struct bq_json_reader r;
    bq_json_reader_init(&r, text, depth_max, NULL);
    bq_json_pass(&r);
    int rc = bq_json_finish(&r);
    if (rc != BQ_OK)
        *error = r.error;
    return rc;
}
