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

struct bq_json_error {
    size_t offset;      /* of the first byte that cannot be part of it */
    const char *reason; /* "unexpected character", "nested too deeply", … */
};

/* Fails: BQ_INVALID (BQ_LIMIT for depth) and *error. */
int bq_json_check(bq_str text, unsigned depth_max, struct bq_json_error *error);

#endif
