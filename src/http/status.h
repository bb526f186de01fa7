/* status.h: prebuilt status lines (RFC 9112, section 4). */
#ifndef BQ_HTTP_STATUS_H
#define BQ_HTTP_STATUS_H

#include "base/str.h"

/* "HTTP/1.1 200 OK" with its CRLF; n = 0 for a status that is not registered. */
bq_str bq_status_line(int status);

#endif
