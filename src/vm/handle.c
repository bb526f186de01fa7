/* handle.c: slots with generations; a number is generation * 2^20 + slot + 1. */
#include "vm/handle.h"

#include "base/mem.h"

#define SLOT_BITS 20
#define SLOTS_MAX ((1u << SLOT_BITS) - 1)
#define NO_SLOT   UINT32_MAX

void bq_handles_init(struct bq_handles *h)
{
    *h = (struct bq_handles){.free_head = NO_SLOT};
}

void bq_handles_release(struct bq_handles *h)
{
    bq_free(h->slots);
    bq_handles_init(h);
}

static int grow(struct bq_handles *h)
{
    uint32_t cap = h->cap ? h->cap * 2 : 64;
    if (cap > SLOTS_MAX)
        cap = SLOTS_MAX;
    if (cap == h->cap)
        return -1;
    struct bq_handle_slot *slots = bq_realloc(h->slots, cap * sizeof *slots);
    if (!slots)
        return -1;
    h->slots = slots;
    h->cap = cap;
    return 0;
}

double bq_handle_give(struct bq_handles *h, void *object)
{
    uint32_t slot = h->free_head;
    if (slot != NO_SLOT) {
        h->free_head = h->slots[slot].next_free;
    } else {
        if (h->count == h->cap && grow(h) != 0)
            return BQ_HANDLE_NONE;
        slot = h->count++;
        h->slots[slot].generation = 0;
    }
    h->slots[slot].object = object;
    return (double)(((uint64_t)h->slots[slot].generation << SLOT_BITS) + slot + 1);
}

static struct bq_handle_slot *find_slot(const struct bq_handles *h, double number)
{
    if (!(number >= 1 && number < 9007199254740992.0))
        return NULL;
    uint64_t bits = (uint64_t)number - 1;
    uint32_t slot = (uint32_t)(bits & ((1u << SLOT_BITS) - 1));
    if (slot >= h->count || h->slots[slot].generation != (uint32_t)(bits >> SLOT_BITS))
        return NULL;
    return &h->slots[slot];
}

void *bq_handle_find(const struct bq_handles *h, double number)
{
    struct bq_handle_slot *slot = find_slot(h, number);
    return slot ? slot->object : NULL;
}

void bq_handle_revoke(struct bq_handles *h, double number)
{
    struct bq_handle_slot *slot = find_slot(h, number);
    if (!slot || !slot->object)
        return;
    slot->object = NULL;
    slot->generation++;
    slot->next_free = h->free_head;
    h->free_head = (uint32_t)(slot - h->slots);
}
