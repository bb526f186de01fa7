/*
 * arena.h: memory that is freed together.
 *
 * An arena hands out memory by moving a pointer and gives all of it back at
 * reset, after running the registered cleanups in reverse order. The first
 * block belongs to the caller (it is part of a pooled exchange), so that a
 * small request never meets malloc. Free space is poisoned for the address
 * sanitizer.
 */
#ifndef BQ_BASE_ARENA_H
#define BQ_BASE_ARENA_H

#include "base/str.h"

#include <stddef.h>

typedef void (*bq_cleanup_fn)(void *arg);

struct bq_arena_block;
struct bq_arena_cleanup;

struct bq_arena {
    char *cur, *end;
    char *first, *first_end;
    struct bq_arena_block *blocks; /* heap blocks, newest first */
    struct bq_arena_cleanup *cleanups;
};

/* Takes: n bytes at first, which stay the caller's and must outlive the arena
 * (n may be 0). */
void bq_arena_init(struct bq_arena *a, void *first, size_t n);

/* Runs the cleanups and frees every heap block; the arena is as after init. */
void bq_arena_reset(struct bq_arena *a);

/* Like reset; the arena must not be used again without init. */
void bq_arena_release(struct bq_arena *a);

/* n bytes aligned for any type. Valid: until reset. Fails: NULL without memory. */
void *bq_arena_alloc(struct bq_arena *a, size_t n);

/* A copy of s; p is NULL only when memory ran out (an empty s gives a non-NULL p). */
bq_str bq_arena_dup(struct bq_arena *a, bq_str s);

/* fn(arg) runs at reset, later registrations first. Fails: BQ_MEMORY. */
int bq_arena_defer(struct bq_arena *a, bq_cleanup_fn fn, void *arg);

#endif
