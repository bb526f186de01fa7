/* tally.c: a set is a list that only grows, and so are the blocks of a tally's counts. */
#include "base/tally.h"

#include "base/hash.h"
#include "base/mem.h"

void bq_tallies_init(struct bq_tallies *set)
{
    *set = (struct bq_tallies){.first = NULL};
    set->end = &set->first;
    pthread_mutex_init(&set->lock, NULL);
}

static void free_tally(struct bq_tally *t)
{
    struct bq_tally_block *block = t->block.next;
    while (block) {
        struct bq_tally_block *next = block->next;
        bq_free(block);
        block = next;
    }
    bq_free(t->durations);
    bq_free(t);
}

void bq_tallies_release(struct bq_tallies *set)
{
    struct bq_tally *t = set->first;
    while (t) {
        struct bq_tally *next = t->next;
        free_tally(t);
        t = next;
    }
    pthread_mutex_destroy(&set->lock);
}

static struct bq_tally **place_of(struct bq_tallies *set, bq_str name)
{
    static const struct bq_hash_key key = {{0, 0}}; /* the application chooses names, no client */
    return &set->index[bq_hash(&key, name) % BQ_TALLY_PLACES];
}

static struct bq_tally *find(struct bq_tally *t, bq_str kind, bq_str name)
{
    while (t && !(bq_str_eq(t->kind, kind) && bq_str_eq(t->name, name)))
        t = t->same;
    return t;
}

/* The names stand behind the struct. */
static struct bq_tally *new_tally(bq_str kind, bq_str name)
{
    struct bq_tally *t = bq_alloc_zero(sizeof *t + kind.n + name.n);
    if (!t)
        return NULL;
    char *text = (char *)(t + 1);
    memcpy(text, kind.p, kind.n);
    memcpy(text + kind.n, name.p, name.n);
    t->kind = bq_str_of(text, kind.n);
    t->name = bq_str_of(text + kind.n, name.n);
    return t;
}

struct bq_tally *bq_tally_get(struct bq_tallies *set, bq_str kind, bq_str name)
{
    pthread_mutex_lock(&set->lock);
    struct bq_tally **place = place_of(set, name);
    struct bq_tally *t = find(*place, kind, name);
    if (!t && (t = new_tally(kind, name))) {
        t->same = *place;
        *place = t;
        atomic_store_explicit(set->end, t, memory_order_release);
        set->end = &t->next;
    }
    pthread_mutex_unlock(&set->lock);
    return t;
}

/* Without memory for a further block the last pair takes what has none of its own: its key is
 * wrong then, and the sum is right. */
static struct bq_tally_pair *find_pair(struct bq_tally *t, uint32_t key)
{
    struct bq_tally_block *block = &t->block;
    for (;;) {
        for (int i = 0; i < BQ_TALLY_PAIRS; i++) {
            struct bq_tally_pair *pair = &block->pairs[i];
            uint32_t there = atomic_load_explicit(&pair->key, memory_order_relaxed);
            if (there == key)
                return pair;
            if (there == 0) {
                atomic_store_explicit(&pair->key, key, memory_order_relaxed);
                return pair;
            }
        }
        struct bq_tally_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);
        if (!next && !(next = bq_alloc_zero(sizeof *next)))
            return &block->pairs[BQ_TALLY_PAIRS - 1];
        atomic_store_explicit(&block->next, next, memory_order_release);
        block = next;
    }
}

void bq_tally_add(struct bq_tally *t, uint32_t key, uint64_t us, uint64_t bytes)
{
    bq_counter_add(&find_pair(t, key)->count, 1);
    bq_counter_add(&t->bytes, bytes);
    struct bq_histogram *h = atomic_load_explicit(&t->durations, memory_order_relaxed);
    if (!h && (h = bq_alloc_zero(sizeof *h)))
        atomic_store_explicit(&t->durations, h, memory_order_release);
    if (h)
        bq_histogram_add(h, us);
}

void bq_tally_each(const struct bq_tally *t, void (*fn)(void *arg, uint32_t key, uint64_t count),
                   void *arg)
{
    const struct bq_tally_block *block = &t->block;
    while (block) {
        for (int i = 0; i < BQ_TALLY_PAIRS; i++) {
            const struct bq_tally_pair *pair = &block->pairs[i];
            uint32_t key = atomic_load_explicit(&pair->key, memory_order_relaxed);
            if (key == 0)
                return;
            fn(arg, key, bq_counter_read(&pair->count));
        }
        block = atomic_load_explicit(&block->next, memory_order_acquire);
    }
}

struct looking_for {
    uint32_t key;
    uint64_t count;
};

static void note_count(void *arg, uint32_t key, uint64_t count)
{
    struct looking_for *l = arg;
    if (key == l->key)
        l->count = count;
}

uint64_t bq_tally_count(const struct bq_tally *t, uint32_t key)
{
    struct looking_for l = {key, 0};
    bq_tally_each(t, note_count, &l);
    return l.count;
}

const struct bq_tally *bq_tally_first(const struct bq_tallies *set)
{
    return atomic_load_explicit(&set->first, memory_order_acquire);
}

const struct bq_tally *bq_tally_next(const struct bq_tally *t)
{
    return atomic_load_explicit(&t->next, memory_order_acquire);
}
