/* page.h: the live page: a snapshot, and what came before it, as HTML and SVG. */
#ifndef BQ_ADMIN_PAGE_H
#define BQ_ADMIN_PAGE_H

#include "admin/recent.h"
#include "base/buf.h"

struct bq_page_facts {
    const struct bq_snapshot *now;
    const struct bq_routes_shown *routes;
    const struct bq_recent *recent;
    double cpu_share; /* processors in use lately: 1.5 is one and a half */
};

/* Appends the whole page, or only the part that its script fetches every second. Where memory is
 * short out->failed is set. */
void bq_page_write(struct bq_buf *out, const struct bq_page_facts *facts);
void bq_page_write_live(struct bq_buf *out, const struct bq_page_facts *facts);

#endif
