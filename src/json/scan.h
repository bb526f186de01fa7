/*
 * scan.h: the lexical half of RFC 8259: white space, strings, numbers; private to the room.
 *
 * Checks and finds the ends of things and decodes nothing, so that what is only passed
 * over costs no more than that. The first error stays: it moves the reader to the end of
 * the text, where nothing is found any more.
 */
#ifndef BQ_JSON_SCAN_H
#define BQ_JSON_SCAN_H

#include "json/number.h"
#include "json/read.h"
#include "json/word.h"

/* Notes the first error; always false. */
bool bq_json_fail_at(struct bq_json_reader *r, const char *p, int rc, const char *reason);

/* The byte at the reader's place does not belong there, or there is none; always false. */
bool bq_json_fail(struct bq_json_reader *r);

/* The next byte, or 0 at the end. A NUL in the text belongs nowhere either. */
static inline char bq_json_peek(const struct bq_json_reader *r)
{
    return r->p < r->end ? *r->p : '\0';
}

static inline bool bq_json_take(struct bq_json_reader *r, char c)
{
    if (bq_json_peek(r) != c)
        return false;
    r->p++;
    return true;
}

static inline void bq_json_skip_space(struct bq_json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

/* The rest of a string, where a byte stands that is not plain. */
bool bq_json_scan_special(struct bq_json_reader *r, bool *escaped);

/* Behind the opening quote: to behind the closing one; *escaped if there are backslashes. */
static inline bool bq_json_scan_string(struct bq_json_reader *r, bool *escaped)
{
    uint64_t marks = 0;
    while (!marks && r->end - r->p >= BQ_WORD_BYTES) {
        marks = bq_json_word_marks(bq_json_word_load(r->p));
        r->p += bq_json_word_plain_bytes(marks);
    }
    *escaped = false;
    return bq_json_take(r, '"') || bq_json_scan_special(r, escaped);
}

/* At a number's first byte: to behind its last. */
bool bq_json_scan_number(struct bq_json_reader *r, struct bq_json_digits *digits);

#endif
