/*
 * arena.c: bump allocation in the caller's block, then in heap blocks of 4 KiB.
 *
 * A piece above a quarter of that gets a block of its own, and the block in use
 * stays in use, so that one large piece wastes nothing.
 */
#include "base/arena.h"

#include "base/mem.h"
#include "base/rc.h"

#include <stdalign.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define BQ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BQ_ASAN 1
#endif
#endif
#ifdef BQ_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ALIGNMENT   alignof(max_align_t)
#define BLOCK_BYTES ((size_t)4096)

/* No block can be larger, and no sum below overflows. */
#define BYTES_MAX ((size_t)PTRDIFF_MAX / 2)

struct bq_arena_block {
    struct bq_arena_block *next;
    alignas(max_align_t) char bytes[];
};

struct bq_arena_cleanup {
    struct bq_arena_cleanup *next;
    bq_cleanup_fn fn;
    void *arg;
};

static size_t round_up(size_t n)
{
    return (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

void bq_arena_init(struct bq_arena *a, void *first, size_t n)
{
    uintptr_t start = ((uintptr_t)first + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    size_t lost = first ? start - (uintptr_t)first : 0;
    *a = (struct bq_arena){0};
    if (n > lost) {
        a->first = (char *)start;
        a->first_end = (char *)first + n;
        POISON(a->first, n - lost);
    }
    a->cur = a->first;
    a->end = a->first_end;
}

void bq_arena_reset(struct bq_arena *a)
{
    while (a->cleanups) {
        struct bq_arena_cleanup *c = a->cleanups;
        a->cleanups = c->next;
        c->fn(c->arg);
    }
    while (a->blocks) {
        struct bq_arena_block *next = a->blocks->next;
        bq_free(a->blocks);
        a->blocks = next;
    }
    a->cur = a->first;
    a->end = a->first_end;
    if (a->first)
        POISON(a->first, (size_t)(a->first_end - a->first));
}

void bq_arena_release(struct bq_arena *a)
{
    bq_arena_reset(a);
    if (a->first)
        UNPOISON(a->first, (size_t)(a->first_end - a->first));
    *a = (struct bq_arena){0};
}

static void *alloc_block(struct bq_arena *a, size_t n)
{
    size_t size = n > BLOCK_BYTES / 4 ? n : BLOCK_BYTES;
    struct bq_arena_block *block;
    if (!(block = bq_alloc(sizeof *block + size)))
        return NULL;
    block->next = a->blocks;
    a->blocks = block;
    if (size > n) {
        a->cur = block->bytes + n;
        a->end = block->bytes + size;
        POISON(a->cur, size - n);
    }
    return block->bytes;
}

void *bq_arena_alloc(struct bq_arena *a, size_t n)
{
    if (n > BYTES_MAX)
        return NULL;
    size_t need = round_up(n ? n : 1);
    char *p = a->cur;
    if ((size_t)(a->end - a->cur) >= need)
        a->cur += need;
    else if (!(p = alloc_block(a, need)))
        return NULL;
    UNPOISON(p, n);
    POISON(p + n, need - n);
    return p;
}

bq_str bq_arena_dup(struct bq_arena *a, bq_str s)
{
    char *p = bq_arena_alloc(a, s.n);
    if (!p)
        return bq_str_of(NULL, 0);
    if (s.n)
        memcpy(p, s.p, s.n);
    return bq_str_of(p, s.n);
}

int bq_arena_defer(struct bq_arena *a, bq_cleanup_fn fn, void *arg)
{
    struct bq_arena_cleanup *c = bq_arena_alloc(a, sizeof *c);
    if (!c)
        return BQ_MEMORY;
    *c = (struct bq_arena_cleanup){a->cleanups, fn, arg};
    a->cleanups = c;
    return BQ_OK;
}
