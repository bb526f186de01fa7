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

/* Once, before there are threads: segments of the heap (32 MiB) that are free go back to the system
 * at once, and not when the heap is used again, which may be never. */
void bq_heap_open(void);

/* The same without the count and the fault site, for Lua's blocks, whose allocator has its own
 * (vm/memory.c). n: above 0. */
void *bq_heap_alloc(size_t n) __attribute__((malloc));
void *bq_heap_realloc(void *p, size_t n);
void bq_heap_free(void *p);

/* Gives back to the system what is free, as far as it lies together. Takes long. */
void bq_heap_trim(void);

/* Blocks now held, in builds with fault sites; 0 elsewhere. */
long bq_mem_live(void);

#endif
