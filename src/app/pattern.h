/*
 * pattern.h: regular expressions of schemas, by PCRE2.
 *
 * Compiled once, when the app is frozen, in UTF mode with Unicode properties; by the JIT compiler
 * where there is one. Limits bound what a match may cost, and what all matches of a request may
 * cost together, whatever the pattern and the subject: one that is hit counts as no match, and the
 * log warns of it once a pattern. Expressions are not anchored, as in JSON Schema. Everything
 * belongs to one worker.
 */
#ifndef BQ_APP_PATTERN_H
#define BQ_APP_PATTERN_H

#include "base/str.h"

/* PCRE2's steps that the costly matches of one request may take: some 30 milliseconds. */
#define BQ_PATTERN_STEPS_MAX 10000000

struct bq_pattern_re;

/* Takes: a copy of text. Fails: NULL and a sentence in error: what is wrong and at which byte. */
struct bq_pattern_re *bq_pattern_compile(bq_str text, char error[static 256]);
void bq_pattern_free(struct bq_pattern_re *re);

/* The expression as it was written. */
bq_str bq_pattern_text(const struct bq_pattern_re *re);

/* Whether it occurs in the subject, which must be valid UTF-8. What the match costs beyond a few
 * hundred steps is taken from *steps_left. */
bool bq_pattern_matches(const struct bq_pattern_re *re, bq_str subject, uint32_t *steps_left);

#endif
