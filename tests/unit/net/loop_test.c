/* loop_test.c: events, timers and posted jobs of one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end of a socket pair that is watched, and what was reported of it. */
struct end {
    struct bq_watch watch;
    struct bq_loop *loop;
    int peer_fd;
    int calls;
    uint32_t events;
    struct end *other;
};

static void note_events(struct bq_watch *w, uint32_t events)
{
    struct end *e = BQ_CONTAINER(w, struct end, watch);
    e->calls++;
    e->events = events;
}

static void end_open(struct end *e, struct bq_loop *l, bq_watch_fn fn)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *e = (struct end){.watch = {.fd = fds[0], .fn = fn}, .loop = l, .peer_fd = fds[1]};
}

static void end_close(struct end *e)
{
    bq_loop_remove(e->loop, &e->watch);
    close(e->watch.fd);
    if (e->peer_fd >= 0)
        close(e->peer_fd);
}

static void send_byte(struct end *e)
{
    assert_int_equal(write(e->peer_fd, "x", 1), 1);
}

static int new_loop(void **state)
{
    *state = bq_loop_new();
    return *state ? 0 : -1;
}

static int free_loop(void **state)
{
    bq_loop_free(*state);
    return 0;
}

static uint64_t clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void unread_bytes_are_reported_every_turn(void **state)
{
    struct bq_loop *l = *state;
    struct end e;
    end_open(&e, l, note_events);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_READ), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.calls, 0);
    send_byte(&e);
    bq_loop_run_once(l, -1);
    bq_loop_run_once(l, -1);
    assert_int_equal(e.calls, 2);
    assert_int_equal(e.events, BQ_READ);
    end_close(&e);
}

static void only_what_is_wanted_is_reported(void **state)
{
    struct bq_loop *l = *state;
    struct end e;
    end_open(&e, l, note_events);
    send_byte(&e);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_WRITE), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.events, BQ_WRITE);
    assert_int_equal(bq_loop_change(l, &e.watch, BQ_READ | BQ_WRITE), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.events, BQ_READ | BQ_WRITE);
    assert_int_equal(bq_loop_change(l, &e.watch, 0), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.calls, 2);
    end_close(&e);
}

static void a_hangup_is_reported_though_not_wanted(void **state)
{
    struct bq_loop *l = *state;
    struct end e;
    end_open(&e, l, note_events);
    assert_int_equal(bq_loop_add(l, &e.watch, 0), BQ_OK);
    close(e.peer_fd);
    e.peer_fd = -1;
    bq_loop_run_once(l, 0);
    assert_int_equal(e.events, BQ_HANGUP);
    end_close(&e);
}

static void removing_twice_is_harmless_and_adding_again_works(void **state)
{
    struct bq_loop *l = *state;
    struct end e;
    end_open(&e, l, note_events);
    bq_loop_remove(l, &e.watch);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_WRITE), BQ_OK);
    bq_loop_remove(l, &e.watch);
    bq_loop_remove(l, &e.watch);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.calls, 0);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_WRITE), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.calls, 1);
    end_close(&e);
}

static void an_exclusive_watch_can_be_paused(void **state)
{
    struct bq_loop *l = *state;
    struct end e;
    end_open(&e, l, note_events);
    send_byte(&e);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_READ | BQ_EXCLUSIVE), BQ_OK);
    assert_int_equal(bq_loop_change(l, &e.watch, 0), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.calls, 0);
    assert_int_equal(bq_loop_change(l, &e.watch, BQ_READ), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.calls, 1);
    end_close(&e);
}

static struct end **survivor;

/* Frees the other end, whose event waits in the same batch. */
static void free_other(struct bq_watch *w, uint32_t events)
{
    struct end *e = BQ_CONTAINER(w, struct end, watch);
    note_events(w, events);
    if (!e->other)
        return;
    end_close(e->other);
    free(e->other);
    e->other = NULL;
    *survivor = e;
}

static void a_removed_and_freed_watch_gets_no_stale_event(void **state)
{
    struct bq_loop *l = *state;
    struct end *a = malloc(sizeof *a), *b = malloc(sizeof *b), *left = NULL;
    survivor = &left;
    end_open(a, l, free_other);
    end_open(b, l, free_other);
    a->other = b;
    b->other = a;
    assert_int_equal(bq_loop_add(l, &a->watch, BQ_WRITE), BQ_OK);
    assert_int_equal(bq_loop_add(l, &b->watch, BQ_WRITE), BQ_OK);
    bq_loop_run_once(l, 0); /* the address sanitizer sees a call of the freed one */
    assert_non_null(left);
    assert_int_equal(left->calls, 1);
    end_close(left);
    free(left);
}

static void stop_wanting_other(struct bq_watch *w, uint32_t events)
{
    struct end *e = BQ_CONTAINER(w, struct end, watch);
    note_events(w, events);
    assert_int_equal(bq_loop_change(e->loop, &e->other->watch, 0), BQ_OK);
}

static void an_event_that_an_earlier_handler_stopped_wanting_is_not_delivered(void **state)
{
    struct bq_loop *l = *state;
    struct end a, b;
    end_open(&a, l, stop_wanting_other);
    end_open(&b, l, stop_wanting_other);
    a.other = &b;
    b.other = &a;
    assert_int_equal(bq_loop_add(l, &a.watch, BQ_WRITE), BQ_OK);
    assert_int_equal(bq_loop_add(l, &b.watch, BQ_WRITE), BQ_OK);
    bq_loop_run_once(l, 0);
    assert_int_equal(a.calls + b.calls, 1);
    end_close(&a);
    end_close(&b);
}

static void more_watches_than_a_batch_all_get_their_events(void **state)
{
    struct bq_loop *l = *state;
    static struct end ends[400];
    for (int i = 0; i < 400; i++) {
        end_open(&ends[i], l, note_events);
        assert_int_equal(bq_loop_add(l, &ends[i].watch, BQ_WRITE), BQ_OK);
    }
    for (int turn = 0; turn < 3; turn++)
        bq_loop_run_once(l, 0);
    for (int i = 0; i < 400; i++) {
        assert_true(ends[i].calls > 0);
        end_close(&ends[i]);
    }
}

/* Timers. */

struct alarm {
    struct bq_timer timer;
    struct bq_loop *loop;
    uint64_t rang_ms;
    bool stop;
};

static void ring(struct bq_timer *t)
{
    struct alarm *a = BQ_CONTAINER(t, struct alarm, timer);
    a->rang_ms = clock_ms();
    if (a->stop)
        bq_loop_stop(a->loop);
}

static void a_timer_wakes_the_loop_and_is_never_early(void **state)
{
    struct bq_loop *l = *state;
    struct alarm a = {.timer = {.fn = ring}, .loop = l, .stop = true};
    bq_loop_run_once(l, 0);
    uint64_t deadline_ms = bq_loop_now_ms(l) + 30;
    bq_timer_set(bq_loop_wheel(l), &a.timer, deadline_ms);
    bq_loop_run(l);
    assert_true(a.rang_ms >= deadline_ms);
    assert_true(a.rang_ms < deadline_ms + 1000); /* a busy machine */
}

static void a_wait_ends_without_any_event(void **state)
{
    struct bq_loop *l = *state;
    uint64_t start_ms = clock_ms();
    bq_loop_run_once(l, 20);
    assert_true(clock_ms() - start_ms >= 19);
    assert_true(bq_loop_now_ms(l) >= start_ms + 19);
    assert_true(llabs((long long)time(NULL) - (long long)bq_loop_time(l)) <= 1);
}

static void on_signal(int number)
{
    (void)number;
}

static void a_signal_ends_the_wait_and_nothing_else(void **state)
{
    struct bq_loop *l = *state;
    struct sigaction action = {.sa_handler = on_signal}, before;
    timer_t timer;
    struct itimerspec soon = {.it_value.tv_nsec = 20000000};
    sigaction(SIGALRM, &action, &before);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
    timer_settime(timer, 0, &soon, NULL);
    uint64_t start_ms = clock_ms();
    bq_loop_run_once(l, 10000);
    assert_true(clock_ms() - start_ms < 9000);
    timer_delete(timer);
    sigaction(SIGALRM, &before, NULL);
}

/* Jobs. */

#define POSTERS         4
#define JOBS_PER_POSTER 5000

struct numbered_job {
    struct bq_job job;
    struct poster *poster;
    int number;
};

struct poster {
    pthread_t thread;
    struct bq_loop *loop;
    int next; /* the number that has to come now; the loop's thread only */
    int *left;
    struct numbered_job jobs[JOBS_PER_POSTER];
};

static void run_numbered(struct bq_job *job)
{
    struct numbered_job *j = BQ_CONTAINER(job, struct numbered_job, job);
    assert_int_equal(j->number, j->poster->next);
    j->poster->next++;
    if (--*j->poster->left == 0)
        bq_loop_stop(j->poster->loop);
}

static void *post_all(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < JOBS_PER_POSTER; i++) {
        p->jobs[i] = (struct numbered_job){{NULL, run_numbered}, p, i};
        bq_loop_post(p->loop, &p->jobs[i].job);
        if (i % 500 == 0)
            usleep(1000); /* the loop goes to sleep */
    }
    return NULL;
}

static void jobs_of_many_threads_all_run_in_each_threads_order(void **state)
{
    struct bq_loop *l = *state;
    static struct poster posters[POSTERS];
    int left = POSTERS * JOBS_PER_POSTER;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = l;
        posters[i].left = &left;
        posters[i].next = 0;
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    bq_loop_run(l);
    assert_int_equal(left, 0);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i].thread, NULL);
}

struct stop_job {
    struct bq_job job;
    struct bq_loop *loop;
    int runs;
};

static void count_and_stop(struct bq_job *job)
{
    struct stop_job *j = BQ_CONTAINER(job, struct stop_job, job);
    j->runs++;
    bq_loop_stop(j->loop);
}

static void *post_later(void *arg)
{
    struct stop_job *j = arg;
    usleep(30000);
    bq_loop_post(j->loop, &j->job);
    return NULL;
}

static void a_post_wakes_a_loop_that_sleeps(void **state)
{
    struct bq_loop *l = *state;
    struct stop_job j = {{NULL, count_and_stop}, l, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_later, &j), 0);
    bq_loop_run(l);
    pthread_join(thread, NULL);
    assert_int_equal(j.runs, 1);
}

static void *post_one_by_one(void *arg)
{
    struct stop_job *jobs = arg;
    for (int i = 0; i < 3000; i++)
        bq_loop_post(jobs[i].loop, &jobs[i].job);
    return NULL;
}

/* The race between going to sleep and posting: after a lost wake-up the loop sleeps a minute. */
static void no_wake_up_is_lost(void **state)
{
    struct bq_loop *l = *state;
    static struct stop_job jobs[3000];
    pthread_t thread;
    for (int i = 0; i < 3000; i++)
        jobs[i] = (struct stop_job){{NULL, count_and_stop}, l, 0};
    assert_int_equal(pthread_create(&thread, NULL, post_one_by_one, jobs), 0);
    uint64_t start_ms = clock_ms();
    while (jobs[2999].runs == 0)
        bq_loop_run_once(l, 60000);
    assert_true(clock_ms() - start_ms < 60000);
    pthread_join(thread, NULL);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(jobs[i].runs, 1);
}

static void post_again(struct bq_job *job)
{
    struct stop_job *j = BQ_CONTAINER(job, struct stop_job, job);
    if (++j->runs < 3)
        bq_loop_post(j->loop, job);
}

static void a_job_that_posts_itself_runs_once_a_turn(void **state)
{
    struct bq_loop *l = *state;
    struct stop_job j = {{NULL, post_again}, l, 0};
    bq_loop_post(l, &j.job);
    for (int turn = 1; turn <= 3; turn++) {
        bq_loop_run_once(l, 10000); /* waits for nothing: there is a job */
        assert_int_equal(j.runs, turn);
    }
}

/* The turn. */

struct diary {
    struct bq_loop *loop;
    struct end end;
    struct bq_timer timer;
    struct bq_job job;
    char text[8];
};

static void write_diary(struct diary *d, char c)
{
    d->text[strlen(d->text)] = c;
}

static void diary_event(struct bq_watch *w, uint32_t events)
{
    (void)events;
    write_diary(BQ_CONTAINER(BQ_CONTAINER(w, struct end, watch), struct diary, end), 'w');
}

static void diary_timer(struct bq_timer *t)
{
    write_diary(BQ_CONTAINER(t, struct diary, timer), 't');
}

static void diary_job(struct bq_job *j)
{
    write_diary(BQ_CONTAINER(j, struct diary, job), 'j');
}

static void diary_after(void *arg)
{
    write_diary(arg, 'a');
}

static void a_turn_runs_watches_timers_jobs_and_the_hook_in_this_order(void **state)
{
    struct bq_loop *l = *state;
    struct diary d = {.loop = l, .timer.fn = diary_timer, .job.fn = diary_job};
    end_open(&d.end, l, diary_event);
    assert_int_equal(bq_loop_add(l, &d.end.watch, BQ_WRITE), BQ_OK);
    bq_loop_post(l, &d.job);
    bq_timer_set(bq_loop_wheel(l), &d.timer, 0);
    bq_loop_set_after(l, diary_after, &d);
    bq_loop_run_once(l, -1);
    assert_string_equal(d.text, "wtja");
    end_close(&d.end);
}

static void another_turn_that_was_asked_for_does_not_wait(void **state)
{
    struct bq_loop *l = *state;
    uint64_t start_ms = clock_ms();
    bq_loop_again(l);
    bq_loop_run_once(l, 20000);
    assert_true(clock_ms() - start_ms < 10000);
    bq_loop_run_once(l, 20); /* only one turn was */
    assert_true(clock_ms() - start_ms >= 19);
}

static void a_stop_before_the_run_is_not_lost(void **state)
{
    struct bq_loop *l = *state;
    bq_loop_stop(l);
    bq_loop_run(l);
    struct alarm a = {.timer = {.fn = ring}, .loop = l, .stop = true};
    bq_timer_set(bq_loop_wheel(l), &a.timer, 0);
    bq_loop_run(l); /* and a loop that was stopped can run again */
    assert_true(a.rang_ms > 0);
}

/* What is to come */

#define ENDS 5

static struct upcoming {
    struct end ends[ENDS];
    unsigned seen[ENDS]; /* how many were to come when the first, the second … was told */
    unsigned told;
} upcoming;

/* Sockets that became ready one after the other are told of in that order. */
static void look_ahead(struct bq_watch *w, uint32_t events)
{
    struct bq_watch *next[ENDS];
    struct end *e = BQ_CONTAINER(w, struct end, watch);
    unsigned n = bq_loop_upcoming(e->loop, next, ENDS);
    for (unsigned i = 0; i < n; i++)
        assert_true(next[i]->fd > w->fd && (next[i]->want & BQ_READ));
    upcoming.seen[upcoming.told++] = n;
    if (upcoming.told == 1) {
        assert_int_equal(bq_loop_upcoming(e->loop, next, 1), 1);
        bq_loop_remove(e->loop, &upcoming.ends[1].watch);
        bq_loop_change(e->loop, &upcoming.ends[2].watch, 0);
    }
    note_events(w, events);
}

static void a_handler_sees_who_will_be_told_after_it(void **state)
{
    struct bq_loop *l = *state;
    struct bq_watch *none[ENDS];
    memset(&upcoming, 0, sizeof upcoming);
    for (int i = 0; i < ENDS; i++) {
        end_open(&upcoming.ends[i], l, look_ahead);
        assert_int_equal(bq_loop_add(l, &upcoming.ends[i].watch, BQ_READ), BQ_OK);
        send_byte(&upcoming.ends[i]);
    }
    assert_int_equal(bq_loop_upcoming(l, none, ENDS), 0);
    bq_loop_run_once(l, 0);
    assert_int_equal(upcoming.told, 3);
    assert_int_equal(upcoming.seen[0], 4);
    assert_int_equal(upcoming.seen[1], 1); /* one was removed, one wants nothing, one is told */
    assert_int_equal(upcoming.seen[2], 0);
    assert_int_equal(bq_loop_upcoming(l, none, ENDS), 0);
    for (int i = 0; i < ENDS; i++)
        end_close(&upcoming.ends[i]);
}

/* Borrowed */

struct peeking {
    struct bq_watch *seen[8];
    int count;
};

static void note_peek(void *arg, struct bq_watch *w)
{
    struct peeking *p = arg;
    p->seen[p->count++] = w;
}

static void a_peek_shows_the_watches_that_are_ready(void **state)
{
    struct bq_loop *l = *state;
    struct end ready, silent;
    struct peeking p = {.count = 0};
    end_open(&ready, l, note_events);
    end_open(&silent, l, note_events);
    assert_int_equal(bq_loop_add(l, &ready.watch, BQ_READ), BQ_OK);
    assert_int_equal(bq_loop_add(l, &silent.watch, BQ_READ), BQ_OK);
    assert_false(bq_loop_is_ready(l));
    send_byte(&ready);
    assert_true(bq_loop_is_ready(l));
    assert_int_equal(bq_loop_peek(l, 8, note_peek, &p), 1);
    assert_ptr_equal(p.seen[0], &ready.watch);
    assert_int_equal(ready.calls, 0);
    end_close(&ready);
    end_close(&silent);
}

static void a_peek_does_not_show_a_posted_job(void **state)
{
    struct bq_loop *l = *state;
    struct peeking p = {.count = 0};
    struct diary d = {.loop = l, .job.fn = diary_job};
    bq_loop_post(l, &d.job);
    assert_int_equal(bq_loop_peek(l, 8, note_peek, &p), 0);
    bq_loop_run_once(l, 0);
    assert_string_equal(d.text, "j");
}

/* In the middle of a turn: the event that is still to come is met in the other loop. */
static struct bq_loop *move_to;

static void move_other(struct bq_watch *w, uint32_t events)
{
    struct end *e = BQ_CONTAINER(w, struct end, watch);
    note_events(w, events);
    if (!move_to)
        return;
    assert_int_equal(bq_loop_move(e->loop, move_to, &e->other->watch), BQ_OK);
    e->other->loop = move_to;
    move_to = NULL;
}

static void a_watch_that_moves_takes_its_pending_events_along(void **state)
{
    struct bq_loop *l = *state, *other = bq_loop_new();
    struct end a, b;
    end_open(&a, l, move_other);
    end_open(&b, l, move_other);
    a.other = &b;
    b.other = &a;
    assert_int_equal(bq_loop_add(l, &a.watch, BQ_READ), BQ_OK);
    assert_int_equal(bq_loop_add(l, &b.watch, BQ_READ), BQ_OK);
    send_byte(&a);
    send_byte(&b);
    move_to = other;
    bq_loop_run_once(l, 0);
    assert_int_equal(a.calls + b.calls, 1);
    bq_loop_run_once(other, 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    end_close(&a);
    end_close(&b);
    bq_loop_free(other);
}

static void the_sooner_timer_of_both_wheels_ends_the_sleep(void **state)
{
    struct bq_loop *l = *state;
    struct alarm own = {.timer = {.fn = ring}, .loop = l};
    struct alarm of_watch = {.timer = {.fn = ring}, .loop = l};
    bq_timer_set(bq_loop_wheel(l), &own.timer, bq_loop_now_ms(l) + 20000);
    bq_timer_set(bq_loop_watch_wheel(l), &of_watch.timer, bq_loop_now_ms(l) + 10);
    while (!of_watch.rang_ms)
        bq_loop_run_once(l, -1);
    bq_timer_clear(bq_loop_wheel(l), &own.timer);
    bq_timer_set(bq_loop_wheel(l), &own.timer, bq_loop_now_ms(l) + 10);
    bq_timer_set(bq_loop_watch_wheel(l), &of_watch.timer, bq_loop_now_ms(l) + 20000);
    while (!own.rang_ms)
        bq_loop_run_once(l, -1);
    bq_timer_clear(bq_loop_watch_wheel(l), &of_watch.timer);
}

#ifdef BQ_FAULTS
static void a_watch_that_the_other_kernel_set_refuses_stays(void **state)
{
    struct bq_loop *l = *state, *other = bq_loop_new();
    struct end e;
    end_open(&e, l, note_events);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_READ), BQ_OK);
    bq_fault_arm(BQ_FAULT_epoll_add, 1, false);
    assert_int_equal(bq_loop_move(l, other, &e.watch), BQ_SYSTEM);
    send_byte(&e);
    bq_loop_run_once(l, 0);
    assert_int_equal(e.calls, 1);
    end_close(&e);
    bq_loop_free(other);
}

static void a_watch_that_the_kernel_refuses_is_not_added(void **state)
{
    struct bq_loop *l = *state;
    struct end e;
    end_open(&e, l, note_events);
    bq_fault_arm(BQ_FAULT_epoll_add, 1, false);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_WRITE), BQ_SYSTEM);
    assert_false(e.watch.added);
    assert_int_equal(bq_loop_add(l, &e.watch, BQ_WRITE), BQ_OK);
    end_close(&e);
}

static void a_loop_that_cannot_be_made_leaves_nothing_behind(void **state)
{
    (void)state;
    long before = bq_mem_live();
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_null(bq_loop_new());
    bq_fault_arm(BQ_FAULT_epoll_add, 1, false);
    assert_null(bq_loop_new());
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(bq_mem_live(), before);
}
#endif

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, new_loop, free_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(unread_bytes_are_reported_every_turn),
        LOOP_TEST(only_what_is_wanted_is_reported),
        LOOP_TEST(a_hangup_is_reported_though_not_wanted),
        LOOP_TEST(removing_twice_is_harmless_and_adding_again_works),
        LOOP_TEST(an_exclusive_watch_can_be_paused),
        LOOP_TEST(a_removed_and_freed_watch_gets_no_stale_event),
        LOOP_TEST(an_event_that_an_earlier_handler_stopped_wanting_is_not_delivered),
        LOOP_TEST(more_watches_than_a_batch_all_get_their_events),
        LOOP_TEST(a_timer_wakes_the_loop_and_is_never_early),
        LOOP_TEST(a_wait_ends_without_any_event),
        LOOP_TEST(a_signal_ends_the_wait_and_nothing_else),
        LOOP_TEST(jobs_of_many_threads_all_run_in_each_threads_order),
        LOOP_TEST(a_post_wakes_a_loop_that_sleeps),
        LOOP_TEST(no_wake_up_is_lost),
        LOOP_TEST(a_job_that_posts_itself_runs_once_a_turn),
        LOOP_TEST(a_turn_runs_watches_timers_jobs_and_the_hook_in_this_order),
        LOOP_TEST(another_turn_that_was_asked_for_does_not_wait),
        LOOP_TEST(a_stop_before_the_run_is_not_lost),
        LOOP_TEST(a_handler_sees_who_will_be_told_after_it),
        LOOP_TEST(a_peek_shows_the_watches_that_are_ready),
        LOOP_TEST(a_peek_does_not_show_a_posted_job),
        LOOP_TEST(a_watch_that_moves_takes_its_pending_events_along),
        LOOP_TEST(the_sooner_timer_of_both_wheels_ends_the_sleep),
#ifdef BQ_FAULTS
        LOOP_TEST(a_watch_that_the_kernel_refuses_is_not_added),
        LOOP_TEST(a_watch_that_the_other_kernel_set_refuses_stays),
        cmocka_unit_test(a_loop_that_cannot_be_made_leaves_nothing_behind),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
