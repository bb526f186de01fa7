/*
 * read.h: JSON text (RFC 8259), token by token, for a reader that knows what it expects.
 *
 * The caller walks the text by asking for what may come at its place; the reader checks the
 * grammar, so that a walk that ends in bq_json_finish has seen exactly one valid text. Strict as
 * check.h: UTF-8, no lone surrogates, no number beyond a double, bounded nesting. Nothing is
 * allocated but the scratch for strings with escapes.
 *
 *   value ─┬─ scalar
 *          ├─ OBJECT ─> (key ─> value)* ─> end of object
 *          └─ ARRAY ──> element* ─> end of array
 *
 * A reader is a plain value: a copy taken before a value reads that value again (unions, tags).
 * Copies share the scratch, so a decoded string ends with the next call to any of them.
 */
#ifndef BQ_JSON_READ_H
#define BQ_JSON_READ_H

#include "base/buf.h"
#include "json/check.h"

enum bq_json_token {
    BQ_JSON_ERROR, /* reader->error says where and why; every further call fails with it again */
    BQ_JSON_NULL,
    BQ_JSON_FALSE,
    BQ_JSON_TRUE,
    BQ_JSON_NUMBER, /* reader->number */
    BQ_JSON_STRING, /* reader->string */
    BQ_JSON_OBJECT, /* go on with bq_json_key until it gives false */
    BQ_JSON_ARRAY,  /* go on with bq_json_element until it gives BQ_JSON_END */
    BQ_JSON_END,
};

struct bq_json_number {
    bq_str text;   /* as written */
    double value;  /* correctly rounded */
    int64_t whole; /* if is_whole */
    bool is_whole; /* written without fraction and exponent, and fits int64_t */
};

struct bq_json_reader {
    const char *start, *p, *end;
    struct bq_buf *scratch; /* the caller's; decoded strings lie there */
    unsigned depth, depth_max;
    bool first;                   /* no comma is due before the next member or element */
    bq_str string;                /* of the last STRING or key; valid until the next call */
    struct bq_json_number number; /* of the last NUMBER */
    int rc; /* BQ_OK; after an error BQ_INVALID, BQ_LIMIT (depth) or BQ_MEMORY (of the scratch) */
    struct bq_json_error error;
};

/* scratch is emptied at each string that needs it; the caller releases it in the end. */
void bq_json_reader_init(struct bq_json_reader *r, bq_str text, unsigned depth_max,
                         struct bq_buf *scratch);

/* The value that must come now; an OBJECT or ARRAY is entered. */
enum bq_json_token bq_json_value(struct bq_json_reader *r);

/* In an object: true and reader->string for the next key (its value must be taken next), false
 * at the end of the object, which is left, or at an error (reader->rc is not BQ_OK). */
bool bq_json_key(struct bq_json_reader *r);

/* In an object: takes the key if it is the next one and written just as in text ("\"name\":"), but
 * for a space before it, and leaves reader->string alone. If not, nothing has changed and
 * bq_json_key tells what comes. */
bool bq_json_key_as(struct bq_json_reader *r, bq_str text);

/* In an array: the next element as bq_json_value gives it, END at the end, which is left. */
enum bq_json_token bq_json_element(struct bq_json_reader *r);

/* Passes over the rest of the value whose token was just given (its whole inside for OBJECT and
 * ARRAY), checking it, without recursion. Fails: reader->rc. */
int bq_json_skip(struct bq_json_reader *r, enum bq_json_token token);

/* Passes over the whole value that must come now, checking it; decodes nothing and needs no
 * scratch. Fails: reader->rc. */
int bq_json_pass(struct bq_json_reader *r);

/* Nothing but white space may be left. Fails: reader->rc. */
int bq_json_finish(struct bq_json_reader *r);

#endif
