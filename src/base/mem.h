/*
 * mem.h: the one door to the heap.
 *
 * Every allocation of the C core goes through here, so that a test can fail
 * each in turn (the fault site "alloc") and count what is still held.
 */
#ifndef BQ_BASE_MEM_H
#define BQ_BASE_MEM_H

#include <stddef.h>

/* Like malloc, calloc, realloc and free, but n = 0 is a block too and never frees.
 * Fails: NULL when memory is exhausted; what bq_realloc was given stays as it was. */
void *bq_alloc(size_t n) __attribute__((malloc));
void *bq_alloc_zero(size_t n) __attribute__((malloc));
void *bq_realloc(void *p, size_t n);
void bq_free(void *p);

/* For start-up, where going on without memory makes no sense: zeroed memory, or
 * a message and abort(). */
void *bq_alloc_must(size_t n) __attribute__((malloc, returns_nonnull));

/* Blocks now held, in builds with fault sites; 0 elsewhere. */
long bq_mem_live(void);

#endif
