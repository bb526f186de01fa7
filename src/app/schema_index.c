/*
 * schema_index.c: the way from a name to a field, an enum's value or a union's variant.
 *
 * On the request path for each key that does not come where it was expected. The hash looks at the
 * length and at the first and last eight bytes only; several seeds are tried when the index is
 * made, and the one with the fewest collisions stays. What still collides is probed for in line.
 */
#include "app/schema_index.h"

#include "base/rc.h"

#include <assert.h>

#define SEEDS_TRIED 64

static uint64_t load(const char *p, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, p, n);
    return word;
}

static uint64_t hash(bq_str s, uint64_t seed)
{
    uint64_t first, last;
    if (s.n >= 8) {
        first = load(s.p, 8);
        last = load(s.p + s.n - 8, 8);
    } else {
        first = s.n ? load(s.p, s.n) : 0;
        last = 0;
    }
    uint64_t h = (first ^ (last << 29 | last >> 35) ^ s.n) * seed;
    return h ^ h >> 32;
}

static bq_str name_at(const bq_str *names, size_t stride, size_t i)
{
    return *(const bq_str *)((const char *)names + i * stride);
}

static void clear(uint16_t *slots, size_t mask)
{
    memset(slots, 0, (mask + 1) * sizeof *slots);
}

/* Fills the slots; gives how many looks the names cost beyond one each. */
static size_t fill(uint16_t *slots, size_t mask, uint64_t seed, const bq_str *names, size_t count,
                   size_t stride)
{
    size_t collisions = 0;
    clear(slots, mask);
    for (size_t i = 0; i < count; i++) {
        bq_str name = name_at(names, stride, i);
        if (!name.p)
            continue;
        size_t at = hash(name, seed) & mask;
        for (; slots[at]; at = (at + 1) & mask)
            collisions++;
        slots[at] = (uint16_t)(i + 1);
    }
    return collisions;
}

int bq_schema_index_make(struct bq_schema_index *out, struct bq_arena *arena, const bq_str *names,
                         size_t count, size_t stride)
{
    assert(count <= BQ_SCHEMA_NAMES_MAX);
    size_t size = 4;
    while (size < 2 * count)
        size *= 2;
    uint16_t *slots = bq_arena_alloc(arena, size * sizeof *slots);
    if (!slots)
        return BQ_MEMORY;
    uint64_t seed = 0x9e3779b97f4a7c15ull, best = seed;
    size_t fewest = SIZE_MAX;
    for (int i = 0; i < SEEDS_TRIED && fewest; i++) {
        size_t collisions = fill(slots, size - 1, seed, names, count, stride);
        if (collisions < fewest) {
            fewest = collisions;
            best = seed;
        }
        seed = seed * 6364136223846793005ull + 2; /* stays odd */
    }
    fill(slots, size - 1, best, names, count, stride);
    *out = (struct bq_schema_index){slots, size - 1, best};
    return BQ_OK;
}

ptrdiff_t bq_schema_index_find(const struct bq_schema_index *index, const bq_str *names,
                               size_t stride, bq_str name)
{
    if (!index->slots)
        return -1;
    size_t at = hash(name, index->seed) & index->mask;
    for (; index->slots[at]; at = (at + 1) & index->mask) {
        size_t i = (size_t)index->slots[at] - 1;
        if (bq_str_eq(name_at(names, stride, i), name))
            return (ptrdiff_t)i;
    }
    return -1;
}

const struct bq_schema_field *bq_schema_find(const struct bq_schema *object, bq_str name)
{
    assert(object->kind == BQ_SCHEMA_OBJECT);
    const struct bq_schema_field *fields = object->object.fields;
    ptrdiff_t i = bq_schema_index_find(&object->object.index, &fields->name, sizeof *fields, name);
    return i < 0 ? NULL : &fields[i];
}

const struct bq_schema *bq_schema_variant(const struct bq_schema *tagged, bq_str value)
{
    assert(tagged->kind == BQ_SCHEMA_UNION && tagged->of.tag.n);
    ptrdiff_t i =
        bq_schema_index_find(&tagged->of.index, tagged->of.tags, sizeof *tagged->of.tags, value);
    return i < 0 ? NULL : tagged->of.variants[tagged->of.tag_variants[i]];
}
