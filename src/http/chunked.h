/*
 * chunked.h: the chunked transfer coding (RFC 9112, section 7.1) up to the trailers.
 *
 *   SIZE ─";"─> EXTENSION ─CR─> SIZE_LF ──> DATA ──> DATA_CR ──> DATA_LF ──> SIZE
 *     └──────────CR──────────────^ └─ size 0 ──> LAST
 *
 * Written by hand and not left to llhttp, which reads chunk extensions without
 * bound (CVE-2024-22019). What the grammar allows and nobody sends is refused:
 * white space around the size, sizes above 60 bits. Extensions are skipped.
 */
#ifndef BQ_HTTP_CHUNKED_H
#define BQ_HTTP_CHUNKED_H

#include "base/str.h"

#define BQ_CHUNK_DIGITS_MAX              15
#define BQ_CHUNK_EXTENSION_BYTES_MAX     256           /* of one chunk */
#define BQ_CHUNK_EXTENSION_BYTES_SUM_MAX (16u * 1024u) /* of one body */

enum bq_chunk_event {
    BQ_CHUNK_MORE,    /* the input is used up */
    BQ_CHUNK_DATA,    /* *data is a piece of the body */
    BQ_CHUNK_LAST,    /* the last chunk's line has been read; trailers follow */
    BQ_CHUNK_INVALID, /* and stays so */
};

enum bq_chunk_state {
    BQ_CHUNK_AT_SIZE, /* zero: a zeroed struct is ready */
    BQ_CHUNK_AT_EXTENSION,
    BQ_CHUNK_AT_SIZE_LF,
    BQ_CHUNK_AT_DATA,
    BQ_CHUNK_AT_DATA_CR,
    BQ_CHUNK_AT_DATA_LF,
    BQ_CHUNK_AT_END,
    BQ_CHUNK_AT_FAULT,
};

struct bq_chunked {
    uint64_t left; /* of the chunk's data */
    uint32_t extension_bytes_sum;
    uint16_t extension_bytes;
    uint8_t digits;
    uint8_t state; /* enum bq_chunk_state */
};

/* Reads from the front of *in and moves it behind what was used. *data points into
 * the fed bytes. */
enum bq_chunk_event bq_chunked_feed(struct bq_chunked *c, bq_str *in, bq_str *data);

#endif
