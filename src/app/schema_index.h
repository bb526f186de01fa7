/*
 * schema_index.h: tables of names that are known when the app is frozen.
 */
#ifndef BQ_APP_SCHEMA_INDEX_H
#define BQ_APP_SCHEMA_INDEX_H

#include "app/schema.h"

/* At most so many names have an index: a slot is 16 bits. */
#define BQ_SCHEMA_NAMES_MAX 32767

/* An index over count names, stride bytes apart, the first at names; those with p NULL are left
 * out. Of equal names the first counts. Fails: BQ_MEMORY. */
int bq_schema_index_make(struct bq_schema_index *out, struct bq_arena *arena, const bq_str *names,
                         size_t count, size_t stride);

/* The position of the name, or -1. names and stride are as when it was made. */
ptrdiff_t bq_schema_index_find(const struct bq_schema_index *index, const bq_str *names,
                               size_t stride, bq_str name);

#endif
