/*
 * check.h: whether bytes are one JSON text (RFC 8259), and where they stop being it.
 *
 * Stands before readers that are laxer or vaguer than the RFC. Refused too: bytes
 * that are not UTF-8, an escaped lone surrogate, a number beyond a double's range,
 * more nesting than depth_max, a byte order mark.
 */
#ifndef BQ_JSON_CHECK_H
#define BQ_JSON_CHECK_H

#include "base/str.h"

/* What depth_max can be at most. */
#define BQ_JSON_DEPTH_MAX 1024

struct bq_json_error {
    /* Of the first byte that cannot be part of it; the text's length where it ends too
     * early; the first byte of a sequence that is not UTF-8, of a number out of range,
     * and of the escape that is a lone surrogate. */
    size_t offset;
    const char *reason; /* static: "unexpected character", "nested too deeply", … */
};

/* Fails: BQ_INVALID (BQ_LIMIT for depth) and *error. */
int bq_json_check(bq_str text, unsigned depth_max, struct bq_json_error *error);

#endif
