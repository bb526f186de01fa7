/*
 * absence.h: whether a loop's thread is away, so that another thread may borrow what the loop
 * watches.
 *
 *           begin              notice              borrow
 *   HERE ─────────> AWAY ───────────────> NOTICED ────────> LENT
 *     │ <─────────── │ end                │    │ <────────── │ restore
 *     └ <─────────── end: says how long ──┘    └ end waits ──┘
 *
 * A thread is away while it runs code that is not the server's: a call into Lua. Meanwhile it
 * touches nothing that the loop watches, nor what belongs to those watches. A watcher thread looks
 * at the word now and then: a number counts the absences, and one that it meets again lasts. It
 * notices such an absence, and only then a third thread can borrow.
 *
 * The thread itself pays a store when it leaves and an exchange when it comes back. Where nobody
 * can borrow (bq_absence_allow was not called) it counts only the depth.
 */
#ifndef BQ_NET_ABSENCE_H
#define BQ_NET_ABSENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Asleep, a watcher wants to be woken by the next absence. */
struct bq_watcher {
    atomic_bool asleep;
    void (*wake)(struct bq_watcher *w);
};

#define BQ_ABSENCE_HERE    0u
#define BQ_ABSENCE_AWAY    1u
#define BQ_ABSENCE_NOTICED 2u
#define BQ_ABSENCE_LENT    3u
#define BQ_ABSENCE_STATE   3u /* the word's bits that are the state; the others count */
#define BQ_ABSENCE_ONE     4u

struct bq_absence {
    _Atomic uint32_t word;
    uint32_t depth;    /* the thread's own: begins without an end. Above 0 from init to allow */
    uint32_t next;     /* the thread's own: the next absence's word */
    uint32_t moved;    /* of the borrowers, while LENT: watches that went elsewhere */
    uint64_t since_ms; /* of the one that notices: since when the thread is known to be away */
    _Atomic(const void *) cause; /* what the thread is away for, to those who know what it is */
    struct bq_watcher *watcher;
};

/* How an absence was that somebody noticed; ms is 0 where nobody did. */
struct bq_absence_report {
    uint64_t ms;
    uint32_t moved;
};

void bq_absence_init(struct bq_absence *a);

/* From now on absences can be noticed. Thread: the loop's, outside of any absence. */
void bq_absence_allow(struct bq_absence *a, struct bq_watcher *watcher);

/* No longer, whatever begins. Thread: the loop's, outside of any absence. */
void bq_absence_forbid(struct bq_absence *a);

/* Says what the thread is or will be away for. Thread: the loop's. */
static inline void bq_absence_explain(struct bq_absence *a, const void *cause)
{
    atomic_store_explicit(&a->cause, cause, memory_order_relaxed);
}

/* The thread leaves; within another absence it has left already. */
static inline void bq_absence_begin(struct bq_absence *a)
{
    if (a->depth++)
        return;
    a->next += BQ_ABSENCE_ONE;
    atomic_store_explicit(&a->word, a->next, memory_order_release);
    if (atomic_load_explicit(&a->watcher->asleep, memory_order_relaxed))
        a->watcher->wake(a->watcher);
}

/* The absence was noticed, or the loop is lent: waits until it is not. */
struct bq_absence_report bq_absence_end_noticed(struct bq_absence *a);

/* The thread is back, once nobody borrows any more. */
static inline struct bq_absence_report bq_absence_end(struct bq_absence *a)
{
    uint32_t away = a->next;
    if (--a->depth ||
        atomic_compare_exchange_strong_explicit(&a->word, &away, a->next - BQ_ABSENCE_AWAY,
                                                memory_order_acq_rel, memory_order_acquire))
        return (struct bq_absence_report){0, 0};
    return bq_absence_end_noticed(a);
}

/* The word, to be compared with a later one. Thread: any. */
uint32_t bq_absence_look(struct bq_absence *a);

/* The absence that the word tells of has lasted since then. False: it is over, or noticed already.
 * Thread: one, always the same. */
bool bq_absence_notice(struct bq_absence *a, uint32_t word, uint64_t since_ms);

/* The loop's watches are the caller's until restore, if its thread is away and noticed to be. Short
 * please: the thread cannot come back meanwhile. Thread: any but the loop's. */
bool bq_absence_borrow(struct bq_absence *a);
void bq_absence_restore(struct bq_absence *a);

#endif
