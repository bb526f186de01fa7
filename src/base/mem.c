/*
 * mem.c: the heap, with a fault site and a count of live blocks.
 *
 * malloc is mimalloc's, for everything in the process, unless sanitizers bring their own: what Lua
 * frees in one go and needs again for the next requests lies together in its pages, and a thread's
 * blocks do not lie in pieces among another's.
 */
#include "base/mem.h"

#include "base/fault.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef BQ_MIMALLOC
#include <mimalloc.h>
#endif

#ifdef BQ_FAULTS
#include <stdatomic.h>
static atomic_long live;
#define LIVE(n) atomic_fetch_add_explicit(&live, (n), memory_order_relaxed)
#else
#define LIVE(n) ((void)0)
#endif

void *bq_alloc(size_t n)
{
    void *p = BQ_FAULT(alloc) ? NULL : malloc(n ? n : 1);
    if (p)
        LIVE(1);
    return p;
}

void *bq_alloc_zero(size_t n)
{
    void *p = BQ_FAULT(alloc) ? NULL : calloc(1, n ? n : 1);
    if (p)
        LIVE(1);
    return p;
}

void *bq_realloc(void *old, size_t n)
{
    /* realloc(old, 0) frees old and gives NULL, which would look like a failure. */
    void *p = BQ_FAULT(alloc) ? NULL : realloc(old, n ? n : 1);
    if (p && !old)
        LIVE(1);
    return p;
}

void bq_free(void *p)
{
    if (p)
        LIVE(-1);
    free(p);
}

void *bq_alloc_must(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p) {
        fprintf(stderr, "barq: out of memory at start (%zu bytes)\n", n);
        abort();
    }
    LIVE(1);
    return p;
}

void *bq_heap_alloc(size_t n)
{
    return malloc(n);
}

void *bq_heap_realloc(void *p, size_t n)
{
    return realloc(p, n);
}

void bq_heap_free(void *p)
{
    free(p);
}

void bq_heap_open(void)
{
#ifdef BQ_MIMALLOC
    mi_option_set(mi_option_segment_decommit_delay, 0);
#endif
}

void bq_heap_trim(void)
{
#ifdef BQ_MIMALLOC
    mi_collect(true);
#endif
}

long bq_mem_live(void)
{
#ifdef BQ_FAULTS
    return atomic_load(&live);
#else
    return 0;
#endif
}
