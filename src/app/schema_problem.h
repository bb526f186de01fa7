/*
 * schema_problem.h: problems whose message and ctx hold a text or a number; for the files that
 * check values.
 */
#ifndef BQ_APP_SCHEMA_PROBLEM_H
#define BQ_APP_SCHEMA_PROBLEM_H

#include "app/invalid.h"

/* The message is what is said, then the text; so is ctx {"key":text}. */
void bq_problem_text(struct bq_invalid *v, const char *type, const char *said, const char *key,
                     bq_str text);

/* The same, but in the message the text is in quotes. */
void bq_problem_quoted(struct bq_invalid *v, const char *type, const char *said, const char *key,
                       bq_str text);

/* The same with a number, which is written as JSON does: 0 and not 0.0. */
void bq_problem_number(struct bq_invalid *v, const char *type, const char *said, const char *key,
                       double number);
void bq_problem_int64(struct bq_invalid *v, const char *type, const char *said, const char *key,
                      int64_t number);

#endif
