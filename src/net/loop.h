/*
 * loop.h: a worker's event loop: epoll, timers, jobs from other threads.
 *
 *   run_once: wait ─> watches (fn) ─> timers ─> posted jobs ─> the after hook
 *
 * One thread owns a loop; only bq_loop_post is for the others. While that thread is
 * absent (absence.h), what the loop watches can be borrowed and moved to another loop;
 * timers that go along with a watch have a wheel of their own. Descriptors are
 * level-triggered, so that a handler may leave bytes unread. A watch that is
 * removed while events are handed out gets none of those still pending, and its
 * memory may go at once.
 */
#ifndef BQ_NET_LOOP_H
#define BQ_NET_LOOP_H

#include "net/absence.h"
#include "net/timer.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct bq_loop;
struct bq_watch;
struct bq_job;

/* What to wait for, and what is reported. HANGUP (both directions are gone, or
 * an error) is reported whether wanted or not, perhaps with bytes still to read,
 * and again every turn until the watch is removed: an owner who ignores it makes
 * the loop spin. The end of the peer's direction alone is a READ. */
#define BQ_READ      1u
#define BQ_WRITE     2u
#define BQ_HANGUP    4u
#define BQ_EXCLUSIVE 8u /* only at add: of several loops that watch the descriptor wake one */

typedef void (*bq_watch_fn)(struct bq_watch *w, uint32_t events);
struct bq_watch {
    int fd;
    uint32_t want;  /* READ and WRITE bits now asked for; written by the loop */
    bool added;     /* written by the loop */
    bool exclusive; /* written by the loop */
    bq_watch_fn fn;
};

/* A piece of work for the loop's thread, embedded by its owner. */
typedef void (*bq_job_fn)(struct bq_job *job);
struct bq_job {
    struct bq_job *next;
    bq_job_fn fn;
};

/* Fails: NULL without memory or descriptors (errno). */
struct bq_loop *bq_loop_new(void);

/* Nothing may be watched any more; timers are forgotten, posted jobs dropped. NULL is harmless. */
void bq_loop_free(struct bq_loop *l);

/* w->fn(w, events) runs while the watch is added. Takes: w->fd and w->fn set, not added.
 * Fails: BQ_SYSTEM (errno), BQ_MEMORY. */
int bq_loop_add(struct bq_loop *l, struct bq_watch *w, uint32_t want);

/* No system call when nothing changes. Fails: BQ_SYSTEM, BQ_MEMORY, and the watch waits for what it
 * did before (an exclusive one may be left not added). */
int bq_loop_change(struct bq_loop *l, struct bq_watch *w, uint32_t want);

/* Before the descriptor is closed. Harmless when it was not added. */
void bq_loop_remove(struct bq_loop *l, struct bq_watch *w);

/* Runs job->fn(job) on the loop's thread, soon; jobs of one thread in the order of their posting.
 * Never fails, never waits. Thread: any. The job must not be posted again before its fn is called;
 * fn may post it or free it. */
void bq_loop_post(struct bq_loop *l, struct bq_job *job);

/* fn(arg) runs at the end of each turn, where work that events have put off is
 * done in one go. One hook a loop. */
void bq_loop_set_after(struct bq_loop *l, void (*fn)(void *arg), void *arg);

/* Whether this turn has yet to hand out events that it has fetched. */
bool bq_loop_has_more(const struct bq_loop *l);

/* The watches that this turn has yet to tell that they can be read, in that order, at most max of
 * them. Gives: how many. */
unsigned bq_loop_upcoming(const struct bq_loop *l, struct bq_watch **watches, unsigned max);

/* Something was put off to the end of the turn, or is not any more: bq_loop_is_ready tells. */
void bq_loop_put_off(struct bq_loop *l, bool is);

/* Asks for another turn without waiting; called from within a turn. */
void bq_loop_again(struct bq_loop *l);

/* One turn. Waits up to wait_ms (-1: until something happens), and no longer than the next timer
 * allows. Not from within a turn. */
void bq_loop_run_once(struct bq_loop *l, int wait_ms);

/* Turns until bq_loop_stop. */
void bq_loop_run(struct bq_loop *l);

/* bq_loop_run returns after this turn, or at once if it has yet to be called. Thread: the loop's
 * own (from elsewhere, post a job). */
void bq_loop_stop(struct bq_loop *l);

/* Monotonic milliseconds, read once a turn. */
uint64_t bq_loop_now_ms(const struct bq_loop *l);

/* Monotonic milliseconds now, at most a few too early (CLOCK_MONOTONIC_COARSE): for what may come
 * long after the turn began, since a handler computed meanwhile. */
uint64_t bq_loop_fresh_ms(void);

/* Wall-clock seconds, read once a turn: for the Date field. */
time_t bq_loop_time(const struct bq_loop *l);

/* For timers of the thread's own: an absence may set and clear them. */
struct bq_wheel *bq_loop_wheel(struct bq_loop *l);

/* For timers that belong to watches: an absence may not touch them. */
struct bq_wheel *bq_loop_watch_wheel(struct bq_loop *l);

struct bq_absence *bq_loop_absence(struct bq_loop *l);

/* Whether it waits for something to happen. Thread: any. */
bool bq_loop_is_asleep(const struct bq_loop *l);

/* What follows is for the thread that has borrowed the loop. */

/* Calls fn(arg, w) for the watches that are ready, at most max of them (up to 64), in no order.
 * Gives: how many were. */
int bq_loop_peek(struct bq_loop *l, int max, void (*fn)(void *arg, struct bq_watch *w), void *arg);

/* The watch waits for the same in another loop, whose thread calls. Events that its old loop has
 * fetched already are forgotten there, and met again here. Fails: BQ_SYSTEM (errno), BQ_MEMORY, and
 * the watch stays. */
int bq_loop_move(struct bq_loop *from, struct bq_loop *to, struct bq_watch *w);

/* Whether bq_loop_peek would find something, or something was put off. Thread: any. */
bool bq_loop_is_ready(const struct bq_loop *l);

#endif
