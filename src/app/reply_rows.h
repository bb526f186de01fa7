/* reply_rows.h: JSON straight from the rows of a query. */
#ifndef BQ_APP_REPLY_ROWS_H
#define BQ_APP_REPLY_ROWS_H

#include "app/schema.h"
#include "base/buf.h"
#include "vm/rows.h"

/* Appends the rows, as the schema declares them (NULL: as they are): the text that their tables
 * would give, but that without a schema fields come in the order of the columns. Only what is plain
 * is written. Fails: BQ_CONFLICT (it is not, or does not fit: make tables, and write or refuse
 * those; out is as before), BQ_MEMORY. */
int bq_rows_write(const struct bq_rows *rows, const struct bq_schema *schema, struct bq_buf *out);

#endif
