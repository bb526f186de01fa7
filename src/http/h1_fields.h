/*
 * h1_fields.h: the fields of a whole section, by two readers that must agree.
 */
#ifndef BQ_HTTP_H1_FIELDS_H
#define BQ_HTTP_H1_FIELDS_H

#include "http/exchange.h"
#include "http/refusal.h"

/* A head, or trailers, cut out by its lines and at rest. */
struct bq_h1_text {
    bq_str bytes;  /* up to the empty line, which is there, and with it */
    size_t from;   /* where the fields begin; before it is the request line */
    size_t count;  /* of fields: lines between the request line and the empty one */
    bq_str target; /* as the request line's reader saw it; p = NULL: llhttp is to be told a
                      stand-in for the line */
    bool odd;      /* a value may hold control characters */
};

/* Fills fields, room for text->count of them, with views into the bytes. Refuses: 400 for what
 * llhttp refuses, for spans that do not tile the section, and for a disagreement. */
struct bq_refusal bq_h1_fields_read(const struct bq_h1_text *text, struct bq_field *fields);

#endif
