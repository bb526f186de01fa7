/*
 * loop.c: the event loop over epoll, eventfd and the timer wheel.
 *
 * Jobs from other threads arrive on a lock-free stack that the loop takes whole.
 * A poster writes the eventfd only if the loop has gone to sleep: the loop says
 * so before it looks at the stack a last time, the poster looks after it has
 * pushed, and sequential consistency makes one of the two see the other.
 */
#include "net/loop.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define PEEK_MAX   64

struct bq_loop {
    int epoll_fd;
    struct bq_watch wake; /* the eventfd */
    struct bq_wheel wheel, watch_wheel;
    struct bq_absence absence;
    uint64_t now_ms;
    time_t time;
    size_t watched;
    void (*after)(void *arg);
    void *after_arg;
    bool again, stopping, turning;
    int events_count, event_next; /* the batch that is being handed out */
    struct epoll_event events[EVENTS_MAX];

    /* Shared with the threads that post. */
    _Atomic(struct bq_job *) jobs; /* newest first */
    atomic_bool asleep;
    atomic_bool put_off; /* to the end of the turn */
};

static void read_clocks(struct bq_loop *l)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    l->time = ts.tv_sec;
    l->now_ms = bq_clock_ms();
}

/* Watches. */

static int control(struct bq_loop *l, struct bq_watch *w, int op, uint32_t want)
{
    struct epoll_event e = {.data.ptr = w};
    e.events = (want & BQ_READ ? EPOLLIN : 0u) | (want & BQ_WRITE ? EPOLLOUT : 0u) |
               (w->exclusive ? EPOLLEXCLUSIVE : 0u);
    if (op == EPOLL_CTL_ADD && BQ_FAULT(epoll_add)) {
        errno = ENOSPC;
        return BQ_SYSTEM;
    }
    if (epoll_ctl(l->epoll_fd, op, w->fd, &e) == 0)
        return BQ_OK;
    return errno == ENOMEM ? BQ_MEMORY : BQ_SYSTEM;
}

int bq_loop_add(struct bq_loop *l, struct bq_watch *w, uint32_t want)
{
    assert(!w->added && w->fn && w->fd >= 0);
    w->exclusive = want & BQ_EXCLUSIVE;
    int rc = control(l, w, EPOLL_CTL_ADD, want);
    if (rc != BQ_OK)
        return rc;
    w->want = want & (BQ_READ | BQ_WRITE);
    w->added = true;
    l->watched++;
    return BQ_OK;
}

/* The kernel refuses to modify an exclusive watch. */
static int change_exclusive(struct bq_loop *l, struct bq_watch *w, uint32_t want)
{
    bq_loop_remove(l, w);
    return bq_loop_add(l, w, want | BQ_EXCLUSIVE);
}

int bq_loop_change(struct bq_loop *l, struct bq_watch *w, uint32_t want)
{
    assert(w->added);
    want &= BQ_READ | BQ_WRITE;
    if (want == w->want)
        return BQ_OK;
    if (w->exclusive)
        return change_exclusive(l, w, want);
    int rc = control(l, w, EPOLL_CTL_MOD, want);
    if (rc == BQ_OK)
        w->want = want;
    return rc;
}

/* Its descriptor leaves the epoll set, its pending events the batch. */
static void forget(struct bq_loop *l, const struct bq_watch *w)
{
    int saved_errno = errno;
    int rc = epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    assert(rc == 0); /* it was closed first */
    (void)rc;
    errno = saved_errno;
    for (int i = l->event_next; i < l->events_count; i++)
        if (l->events[i].data.ptr == w)
            l->events[i].data.ptr = NULL;
    l->watched--;
}

void bq_loop_remove(struct bq_loop *l, struct bq_watch *w)
{
    if (!w->added)
        return;
    forget(l, w);
    w->added = false;
    w->want = 0;
}

/* Borrowed. */

int bq_loop_peek(struct bq_loop *l, int max, void (*fn)(void *arg, struct bq_watch *w), void *arg)
{
    struct epoll_event events[PEEK_MAX];
    int count = 0;
    int n = epoll_wait(l->epoll_fd, events, max < PEEK_MAX ? max : PEEK_MAX, 0);
    for (int i = 0; i < n; i++) {
        struct bq_watch *w = events[i].data.ptr;
        if (w == &l->wake)
            continue;
        fn(arg, w);
        count++;
    }
    return count;
}

int bq_loop_move(struct bq_loop *from, struct bq_loop *to, struct bq_watch *w)
{
    assert(w->added && !w->exclusive);
    int rc = control(to, w, EPOLL_CTL_ADD, w->want);
    if (rc != BQ_OK)
        return rc;
    to->watched++;
    forget(from, w);
    return BQ_OK;
}

bool bq_loop_is_ready(const struct bq_loop *l)
{
    struct pollfd set = {.fd = l->epoll_fd, .events = POLLIN};
    return atomic_load_explicit(&l->put_off, memory_order_relaxed) || poll(&set, 1, 0) > 0;
}

/* Jobs from other threads. */

void bq_loop_post(struct bq_loop *l, struct bq_job *job)
{
    struct bq_job *top = atomic_load(&l->jobs);
    do
        job->next = top;
    while (!atomic_compare_exchange_weak(&l->jobs, &top, job));
    if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false)) {
        int saved_errno = errno;
        /* It fails only if the counter is full, and then the loop wakes anyway. */
        (void)!write(l->wake.fd, &(uint64_t){1}, sizeof(uint64_t));
        errno = saved_errno;
    }
}

static void drain_wake(struct bq_watch *w, uint32_t events)
{
    uint64_t count;
    (void)events;
    (void)!read(w->fd, &count, sizeof count);
}

/* Those posted meanwhile run in the next turn, so that a turn ends. */
static void run_jobs(struct bq_loop *l)
{
    struct bq_job *newest = atomic_load_explicit(&l->jobs, memory_order_relaxed);
    struct bq_job *oldest = NULL;
    if (newest)
        newest = atomic_exchange(&l->jobs, NULL);
    while (newest) {
        struct bq_job *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct bq_job *job = oldest;
        oldest = job->next;
        job->fn(job);
    }
}

/* A turn. */

/* Until the next timer of either wheel, -1 without. */
static int64_t timers_ms(const struct bq_loop *l, uint64_t now_ms)
{
    int64_t own = bq_wheel_is_empty(&l->wheel) ? -1 : bq_wheel_wait_ms(&l->wheel, now_ms);
    int64_t watches = bq_wheel_wait_ms(&l->watch_wheel, now_ms);
    return own < 0 || (watches >= 0 && watches < own) ? watches : own;
}

static int timeout_ms(struct bq_loop *l, int wait_ms)
{
    if (l->again || wait_ms == 0)
        return 0;
    int64_t timer_ms = timers_ms(l, l->now_ms);
    /* The turn's clock is behind by what its handlers took; only a sleep needs the exact one. */
    if (timer_ms > 0)
        timer_ms = timers_ms(l, bq_clock_ms());
    if (timer_ms < 0 || (wait_ms >= 0 && wait_ms < timer_ms))
        return wait_ms;
    return timer_ms < INT_MAX ? (int)timer_ms : INT_MAX;
}

static void wait_for_events(struct bq_loop *l, int wait_ms)
{
    int timeout = timeout_ms(l, wait_ms);
    l->again = false;
    if (timeout != 0) {
        atomic_store(&l->asleep, true);
        if (atomic_load(&l->jobs))
            timeout = 0;
    }
    int n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, timeout);
    assert(n >= 0 || errno == EINTR);
    atomic_store_explicit(&l->asleep, false, memory_order_relaxed);
    l->events_count = n > 0 ? n : 0;
    read_clocks(l);
}

static void hand_out_events(struct bq_loop *l)
{
    for (l->event_next = 0; l->event_next < l->events_count;) {
        struct epoll_event e = l->events[l->event_next++];
        struct bq_watch *w = e.data.ptr;
        if (!w)
            continue;
        uint32_t events = (e.events & EPOLLIN ? BQ_READ : 0) | (e.events & EPOLLOUT ? BQ_WRITE : 0);
        events &= w->want; /* which an earlier handler may have changed */
        if (e.events & (EPOLLHUP | EPOLLERR))
            events |= BQ_HANGUP;
        if (events)
            w->fn(w, events);
    }
    l->events_count = 0;
}

void bq_loop_run_once(struct bq_loop *l, int wait_ms)
{
    assert(!l->turning);
    l->turning = true;
    wait_for_events(l, wait_ms);
    hand_out_events(l);
    bq_wheel_advance(&l->watch_wheel, l->now_ms);
    if (bq_wheel_is_empty(&l->wheel))
        l->wheel.now_ms = l->now_ms;
    else
        bq_wheel_advance(&l->wheel, l->now_ms);
    run_jobs(l);
    if (l->after)
        l->after(l->after_arg);
    l->turning = false;
}

void bq_loop_run(struct bq_loop *l)
{
    while (!l->stopping)
        bq_loop_run_once(l, -1);
    l->stopping = false;
}

void bq_loop_stop(struct bq_loop *l)
{
    l->stopping = true;
}

bool bq_loop_has_more(const struct bq_loop *l)
{
    return l->event_next < l->events_count;
}

unsigned bq_loop_upcoming(const struct bq_loop *l, struct bq_watch **watches, unsigned max)
{
    unsigned count = 0;
    for (int i = l->event_next; i < l->events_count && count < max; i++) {
        struct bq_watch *w = l->events[i].data.ptr;
        if (w && (l->events[i].events & EPOLLIN) && (w->want & BQ_READ))
            watches[count++] = w;
    }
    return count;
}

void bq_loop_put_off(struct bq_loop *l, bool is)
{
    atomic_store_explicit(&l->put_off, is, memory_order_relaxed);
}

void bq_loop_again(struct bq_loop *l)
{
    l->again = true;
}

void bq_loop_set_after(struct bq_loop *l, void (*fn)(void *arg), void *arg)
{
    l->after = fn;
    l->after_arg = arg;
}

/* Life. */

struct bq_loop *bq_loop_new(void)
{
    struct bq_loop *l = bq_alloc_zero(sizeof *l);
    if (!l)
        return NULL;
    l->wake = (struct bq_watch){.fd = -1, .fn = drain_wake};
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0)
        goto fail;
    l->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake.fd < 0 || bq_loop_add(l, &l->wake, BQ_READ) != BQ_OK)
        goto fail;
    read_clocks(l);
    bq_wheel_init(&l->wheel, l->now_ms);
    bq_wheel_init(&l->watch_wheel, l->now_ms);
    bq_absence_init(&l->absence);
    return l;

fail:;
    int saved_errno = errno;
    if (l->wake.fd >= 0)
        close(l->wake.fd);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    bq_free(l);
    errno = saved_errno;
    return NULL;
}

void bq_loop_free(struct bq_loop *l)
{
    if (!l)
        return;
    bq_loop_remove(l, &l->wake);
    assert(l->watched == 0);
    close(l->wake.fd);
    close(l->epoll_fd);
    bq_free(l);
}

uint64_t bq_loop_fresh_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t bq_loop_now_ms(const struct bq_loop *l)
{
    return l->now_ms;
}

time_t bq_loop_time(const struct bq_loop *l)
{
    return l->time;
}

struct bq_wheel *bq_loop_wheel(struct bq_loop *l)
{
    return &l->wheel;
}

struct bq_wheel *bq_loop_watch_wheel(struct bq_loop *l)
{
    return &l->watch_wheel;
}

struct bq_absence *bq_loop_absence(struct bq_loop *l)
{
    return &l->absence;
}

bool bq_loop_is_asleep(const struct bq_loop *l)
{
    return atomic_load_explicit(&l->asleep, memory_order_relaxed);
}
