/*
 * quantity.h: how people write durations and sizes.
 *
 *   durations  "30" and "0.5" are seconds; "500ms", "30s", "2m", "1h"
 *   sizes      "4096" are bytes; "16k", "64K", "16KiB", "1MiB", "2g": powers of 1024
 */
#ifndef BQ_BASE_QUANTITY_H
#define BQ_BASE_QUANTITY_H

#include "base/str.h"

/* What is finer than a millisecond or a byte is cut off. Fails: BQ_INVALID, BQ_LIMIT
 * (too large to count). */
int bq_quantity_ms(bq_str text, uint64_t *ms);
int bq_quantity_bytes(bq_str text, uint64_t *bytes);

#define BQ_QUANTITY_TEXT_MAX 32

/* In the largest unit that divides it: "2m", "500ms"; "16KiB", "4097". */
void bq_quantity_ms_text(uint64_t ms, char out[static BQ_QUANTITY_TEXT_MAX]);
void bq_quantity_bytes_text(uint64_t bytes, char out[static BQ_QUANTITY_TEXT_MAX]);

#endif
