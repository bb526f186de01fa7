/*
 * timer.h: deadlines in a hierarchical timer wheel (Varghese and Lauck, 1987),
 * four levels of 64 slots, one millisecond a tick.
 *
 * Setting and clearing cost O(1). Moving a deadline further away, which every
 * request does to its connection, only stores the new deadline: the timer is
 * put into its right slot when the old slot comes up. Deadlines beyond the
 * wheel's span (about 4.6 hours) wait in the last level and are put in again.
 */
#ifndef BQ_NET_TIMER_H
#define BQ_NET_TIMER_H

#include "base/list.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct bq_timer;
typedef void (*bq_timer_fn)(struct bq_timer *t);

/* Zeroed but for fn, it is a timer that is not set. Embedded by its owner, who
 * clears it before its memory goes. */
struct bq_timer {
    struct bq_node node;
    uint64_t deadline_ms;
    uint64_t slot_ms; /* the time that chose the slot: a later deadline needs no other */
    bq_timer_fn fn;
};

#define BQ_WHEEL_LEVELS 4
#define BQ_WHEEL_SLOTS  64

struct bq_wheel {
    uint64_t now_ms;
    uint64_t occupied[BQ_WHEEL_LEVELS]; /* a bit for each slot that holds a timer */
    struct bq_list slots[BQ_WHEEL_LEVELS * BQ_WHEEL_SLOTS];
    struct bq_list due; /* taken out of their slots by an advance, not yet run */
};

void bq_wheel_init(struct bq_wheel *w, uint64_t now_ms);

/* fn(t) runs in the first bq_wheel_advance to deadline_ms or later, once, and finds t not set. A
 * set timer may be set again, earlier or later. A deadline in the past is due at once; one that a
 * callback sets is due in the next advance, so that an advance ends. */
void bq_timer_set(struct bq_wheel *w, struct bq_timer *t, uint64_t deadline_ms);

/* Not set afterwards; harmless if it was not. */
void bq_timer_clear(struct bq_wheel *w, struct bq_timer *t);

static inline bool bq_timer_is_set(const struct bq_timer *t)
{
    return t->node.next != NULL;
}

static inline bool bq_wheel_is_empty(const struct bq_wheel *w)
{
    return (w->occupied[0] | w->occupied[1] | w->occupied[2] | w->occupied[3]) == 0;
}
static_assert(BQ_WHEEL_LEVELS == 4, "is_empty looks at each");

/* Runs what is due, earlier deadlines first; callbacks may set and clear any timer, their own
 * included. now_ms never goes back. Its cost does not depend on how far now_ms jumps. */
void bq_wheel_advance(struct bq_wheel *w, uint64_t now_ms);

/* Milliseconds until the next slot comes up (a lower bound of the next deadline, which a timer
 * comes near in at most four steps): 0 when something is due, -1 when no timer is set. */
int64_t bq_wheel_wait_ms(const struct bq_wheel *w, uint64_t now_ms);

#endif
