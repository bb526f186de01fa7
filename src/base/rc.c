/* rc.c: phrases for return codes. */
#include "base/rc.h"

const char *bq_rc_text(int rc)
{
    switch (rc) {
    case BQ_OK:
        return "ok";
    case BQ_AGAIN:
        return "not ready";
    case BQ_EOF:
        return "end of input";
    case BQ_MEMORY:
        return "out of memory";
    case BQ_SYSTEM:
        return "system call failed";
    case BQ_INVALID:
        return "invalid input";
    case BQ_LIMIT:
        return "limit exceeded";
    case BQ_NOT_FOUND:
        return "not found";
    case BQ_CONFLICT:
        return "conflict";
    default:
        return "unknown error";
    }
}
