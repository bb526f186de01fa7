/* absence.c: the rarer edges of an absence: noticed, lent, and coming back from it. */
#include "net/absence.h"

#include "base/clock.h"

#include <assert.h>
#include <sched.h>
#include <time.h>

/* Before it sleeps instead: a borrower is done after microseconds, unless its own thread lost its
 * core. */
#define YIELDS_MAX 100
#define NAP_NS     50000

void bq_absence_init(struct bq_absence *a)
{
    *a = (struct bq_absence){.depth = 1, .next = BQ_ABSENCE_AWAY};
}

void bq_absence_allow(struct bq_absence *a, struct bq_watcher *watcher)
{
    assert(a->depth == 1);
    a->watcher = watcher;
    a->depth = 0;
}

void bq_absence_forbid(struct bq_absence *a)
{
    assert(a->depth <= 1);
    a->depth = 1;
}

static void wait_a_little(int turn)
{
    if (turn < YIELDS_MAX)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

struct bq_absence_report bq_absence_end_noticed(struct bq_absence *a)
{
    const uint32_t here = a->next - BQ_ABSENCE_AWAY;
    uint32_t noticed = here + BQ_ABSENCE_NOTICED;
    for (int turn = 0; !atomic_compare_exchange_strong_explicit(
             &a->word, &noticed, here, memory_order_acq_rel, memory_order_relaxed);
         turn++) {
        wait_a_little(turn);
        noticed = here + BQ_ABSENCE_NOTICED;
    }
    uint64_t ms = bq_clock_ms() - a->since_ms;
    struct bq_absence_report report = {ms ? ms : 1, a->moved};
    a->moved = 0;
    return report;
}

uint32_t bq_absence_look(struct bq_absence *a)
{
    return atomic_load_explicit(&a->word, memory_order_acquire);
}

bool bq_absence_notice(struct bq_absence *a, uint32_t word, uint64_t since_ms)
{
    if ((word & BQ_ABSENCE_STATE) != BQ_ABSENCE_AWAY)
        return false;
    /* Read only by who finds the word noticed: no other thread looks at it before that. */
    a->since_ms = since_ms;
    return atomic_compare_exchange_strong_explicit(&a->word, &word, word + 1, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

bool bq_absence_borrow(struct bq_absence *a)
{
    uint32_t word = atomic_load_explicit(&a->word, memory_order_relaxed);
    return (word & BQ_ABSENCE_STATE) == BQ_ABSENCE_NOTICED &&
           atomic_compare_exchange_strong_explicit(&a->word, &word, word + 1, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

void bq_absence_restore(struct bq_absence *a)
{
    uint32_t word = atomic_load_explicit(&a->word, memory_order_relaxed);
    assert((word & BQ_ABSENCE_STATE) == BQ_ABSENCE_LENT);
    atomic_store_explicit(&a->word, word - 1, memory_order_release);
}
