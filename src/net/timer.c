/*
 * timer.c: the timer wheel.
 *
 * A timer's level is the highest group of six bits in which its time differs
 * from now, its slot the value of that group. So every timer of a level lies
 * behind all timers of the levels below, and the next slot is found by one bit
 * scan of the lowest level in use. When a higher slot comes up its timers are
 * put again, and land at least one level lower (a cascade).
 *
 * The last level wraps around: its slots behind now's stand for the next
 * rotation, which is why no time is put 64 of its slots ahead.
 */
#include "net/timer.h"

#include <assert.h>
#include <stdbool.h>

#define SLOT_BITS  6
#define LEVEL_LAST (BQ_WHEEL_LEVELS - 1)
#define SPAN_MS    ((uint64_t)(BQ_WHEEL_SLOTS - 1) << (SLOT_BITS * LEVEL_LAST))

_Static_assert(BQ_WHEEL_SLOTS == 1 << SLOT_BITS, "a slot is a group of bits");

void bq_wheel_init(struct bq_wheel *w, uint64_t now_ms)
{
    *w = (struct bq_wheel){.now_ms = now_ms};
    for (size_t i = 0; i < BQ_WHEEL_LEVELS * BQ_WHEEL_SLOTS; i++)
        bq_list_init(&w->slots[i]);
    bq_list_init(&w->due);
}

static unsigned level_of(uint64_t when_ms, uint64_t now_ms)
{
    uint64_t differ = (when_ms ^ now_ms) | 1;
    unsigned level = (63 - (unsigned)__builtin_clzll(differ)) / SLOT_BITS;
    return level < LEVEL_LAST ? level : LEVEL_LAST;
}

static void put(struct bq_wheel *w, struct bq_timer *t)
{
    uint64_t when = t->deadline_ms > w->now_ms ? t->deadline_ms : w->now_ms;
    if (when - w->now_ms > SPAN_MS)
        when = w->now_ms + SPAN_MS;
    unsigned level = level_of(when, w->now_ms);
    unsigned slot = (when >> (SLOT_BITS * level)) % BQ_WHEEL_SLOTS;
    t->slot_ms = when;
    w->occupied[level] |= UINT64_C(1) << slot;
    bq_list_push(&w->slots[level * BQ_WHEEL_SLOTS + slot], &t->node);
}

/* The last timer of a slot has the slot's own head on both sides, which tells which slot it is. */
static void take_out(struct bq_wheel *w, struct bq_timer *t)
{
    struct bq_node *head = t->node.prev == t->node.next ? t->node.next : NULL;
    bq_list_remove(&t->node);
    if (!head || head == &w->due.head)
        return;
    size_t i = (size_t)(BQ_CONTAINER(head, struct bq_list, head) - w->slots);
    assert(i < BQ_WHEEL_LEVELS * BQ_WHEEL_SLOTS);
    w->occupied[i / BQ_WHEEL_SLOTS] &= ~(UINT64_C(1) << i % BQ_WHEEL_SLOTS);
}

void bq_timer_set(struct bq_wheel *w, struct bq_timer *t, uint64_t deadline_ms)
{
    t->deadline_ms = deadline_ms;
    if (bq_timer_is_set(t)) {
        if (deadline_ms >= t->slot_ms)
            return;
        take_out(w, t);
    }
    put(w, t);
}

void bq_timer_clear(struct bq_wheel *w, struct bq_timer *t)
{
    if (bq_timer_is_set(t))
        take_out(w, t);
}

/* The level whose slot comes up next and when that slot begins. False without timers. */
static bool next_slot(const struct bq_wheel *w, unsigned *level, uint64_t *start_ms)
{
    for (unsigned l = 0; l < BQ_WHEEL_LEVELS; l++) {
        if (!w->occupied[l])
            continue;
        uint64_t now = w->now_ms >> (SLOT_BITS * l);
        unsigned shift = now % BQ_WHEEL_SLOTS;
        uint64_t ahead = w->occupied[l] >> shift;
        if (shift)
            ahead |= w->occupied[l] << (BQ_WHEEL_SLOTS - shift);
        *level = l;
        *start_ms = (now + (unsigned)__builtin_ctzll(ahead)) << (SLOT_BITS * l);
        return true;
    }
    return false;
}

/* Empties the slot that begins now: into the list of what is due, or into lower slots. */
static void empty_slot(struct bq_wheel *w, unsigned level)
{
    unsigned slot = (w->now_ms >> (SLOT_BITS * level)) % BQ_WHEEL_SLOTS;
    struct bq_list *from = &w->slots[level * BQ_WHEEL_SLOTS + slot];
    struct bq_node *n;
    w->occupied[level] &= ~(UINT64_C(1) << slot);
    while ((n = bq_list_take(from))) {
        struct bq_timer *t = BQ_CONTAINER(n, struct bq_timer, node);
        if (level > 0 || t->deadline_ms > w->now_ms) {
            put(w, t);
        } else {
            t->slot_ms = 0; /* any move of the deadline leaves it in the list */
            bq_list_push(&w->due, n);
        }
    }
}

void bq_wheel_advance(struct bq_wheel *w, uint64_t now_ms)
{
    unsigned level;
    uint64_t start_ms;
    struct bq_node *n;
    assert(now_ms >= w->now_ms);
    /* All due timers leave their slots before the first callback, which then sees one consistent
     * now, and whose new timers cannot be met by this advance. */
    while (next_slot(w, &level, &start_ms) && start_ms <= now_ms) {
        w->now_ms = start_ms;
        empty_slot(w, level);
    }
    w->now_ms = now_ms;
    while ((n = bq_list_take(&w->due))) {
        struct bq_timer *t = BQ_CONTAINER(n, struct bq_timer, node);
        if (t->deadline_ms > now_ms)
            put(w, t);
        else
            t->fn(t);
    }
}

int64_t bq_wheel_wait_ms(const struct bq_wheel *w, uint64_t now_ms)
{
    unsigned level;
    uint64_t start_ms;
    if (!next_slot(w, &level, &start_ms))
        return -1;
    return start_ms > now_ms ? (int64_t)(start_ms - now_ms) : 0;
}
