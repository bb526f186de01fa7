/* flight_test.c: single flight on one loop, and between the loops of several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/flight.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct bq_stores *stores;
    struct bq_store *s;
    struct bq_loop *loop;
    struct bq_buf buf;
    struct bq_flight *flight;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->stores = bq_stores_new();
    f->loop = bq_loop_new();
    *state = f;
    return bq_stores_open(f->stores, BQ_STR("test"), 0, &f->s);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->loop)
        bq_loop_free(f->loop);
    bq_stores_free(f->stores);
    bq_buf_release(&f->buf);
    free(f);
    return 0;
}

/* Leaders are told apart by addresses. */
static const char me, you;

static int begin(struct fixture *f, const void *leader)
{
    bq_buf_reset(&f->buf);
    return bq_flight_begin(f->s, BQ_STR("k"), leader, &f->buf, &f->flight);
}

struct told {
    int calls, rc;
};

static void tell(void *arg, int rc)
{
    struct told *told = arg;
    told->calls++;
    told->rc = rc;
}

static int join(struct fixture *f, uint64_t wait_ms, struct told *told, struct bq_flight_wait **w)
{
    return bq_flight_join(f->s, BQ_STR("k"), f->loop, wait_ms, tell, told, w);
}

static void turn(struct fixture *f, int ms)
{
    for (int i = 0; i < 3; i++)
        bq_loop_run_once(f->loop, ms);
}

static void the_first_leads_and_the_second_waits(void **state)
{
    struct fixture *f = *state;
    struct told told = {0, 0};
    struct bq_flight_wait *w;
    assert_int_equal(begin(f, &me), BQ_NOT_FOUND);
    struct bq_flight *flight = f->flight;
    assert_int_equal(begin(f, &you), BQ_AGAIN);
    assert_int_equal(join(f, 10000, &told, &w), BQ_OK);
    turn(f, 0);
    assert_int_equal(told.calls, 0);
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("value"), 0);
    bq_flight_end(flight, false);
    assert_int_equal(told.calls, 0);
    turn(f, 0);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.rc, BQ_OK);
    assert_int_equal(begin(f, &you), BQ_OK);
    assert_true(bq_str_eq(bq_buf_str(&f->buf), BQ_STR("value")));
}

static void after_a_failure_another_may_lead(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, &me), BQ_NOT_FOUND);
    bq_flight_end(f->flight, false);
    assert_int_equal(begin(f, &you), BQ_NOT_FOUND);
    bq_flight_end(f->flight, false);
}

static void who_waits_for_nothing_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct told told = {0, 0};
    struct bq_flight_wait *w;
    begin(f, &me);
    join(f, 10000, &told, &w);
    bq_flight_end(f->flight, true);
    turn(f, 0);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.rc, BQ_NOT_FOUND);
}

static void a_leader_that_asks_again_is_refused(void **state)
{
    struct fixture *f = *state;
    begin(f, &me);
    struct bq_flight *flight = f->flight;
    assert_int_equal(begin(f, &me), BQ_CONFLICT);
    bq_flight_end(flight, false);
}

static void keys_fly_apart(void **state)
{
    struct fixture *f = *state;
    struct bq_flight *flights[100];
    for (char i = 0; i < 100; i++)
        assert_int_equal(bq_flight_begin(f->s, bq_str_of(&i, 1), &me, &f->buf, &flights[(int)i]),
                         BQ_NOT_FOUND);
    for (int i = 0; i < 100; i++)
        bq_flight_end(flights[i], false);
}

static void a_long_key_is_refused(void **state)
{
    struct fixture *f = *state;
    char key[BQ_STORE_KEY_BYTES_MAX + 1] = "";
    assert_int_equal(bq_flight_begin(f->s, bq_str_of(key, sizeof key), &me, &f->buf, &f->flight),
                     BQ_LIMIT);
}

static void joining_what_is_over_says_so(void **state)
{
    struct fixture *f = *state;
    struct told told = {0, 0};
    struct bq_flight_wait *w;
    assert_int_equal(join(f, 10000, &told, &w), BQ_NOT_FOUND);
    turn(f, 0);
    assert_int_equal(told.calls, 0);
}

static void waiting_ends_at_its_bound(void **state)
{
    struct fixture *f = *state;
    struct told told = {0, 0};
    struct bq_flight_wait *w;
    begin(f, &me);
    join(f, 20, &told, &w);
    for (int i = 0; i < 200 && !told.calls; i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.rc, BQ_LIMIT);
    bq_flight_end(f->flight, false);
    turn(f, 0);
    assert_int_equal(told.calls, 1);
}

static void a_timer_that_comes_after_the_end_tells_nothing_twice(void **state)
{
    struct fixture *f = *state;
    struct told told = {0, 0};
    struct bq_flight_wait *w;
    begin(f, &me);
    join(f, 0, &told, &w);
    bq_flight_end(f->flight, false);
    usleep(5000); /* the timer and the job are due in the same turn */
    turn(f, 0);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.rc, BQ_OK);
}

static void who_leaves_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct told early = {0, 0}, late = {0, 0};
    struct bq_flight_wait *w, *w2;
    begin(f, &me);
    join(f, 10000, &early, &w);
    join(f, 10000, &late, &w2);
    bq_flight_leave(w);
    bq_flight_end(f->flight, false);
    bq_flight_leave(w2);
    turn(f, 0);
    assert_int_equal(early.calls + late.calls, 0);
}

static void a_loop_may_go_before_it_comes_to_its_job(void **state)
{
    struct fixture *f = *state;
    struct told told = {0, 0};
    struct bq_flight_wait *w;
    begin(f, &me);
    join(f, 10000, &told, &w);
    bq_flight_end(f->flight, false);
    bq_flight_leave(w);
    bq_loop_free(f->loop);
    f->loop = NULL;
    assert_int_equal(told.calls, 0);
}

#ifdef BQ_FAULTS
static void without_memory_nothing_is_left_behind(void **state)
{
    struct fixture *f = *state;
    struct told told = {0, 0};
    struct bq_flight_wait *w;
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(begin(f, &me), BQ_MEMORY);
    assert_int_equal(begin(f, &me), BQ_NOT_FOUND);
    long live = bq_mem_live();
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(join(f, 10000, &told, &w), BQ_MEMORY);
    assert_int_equal(bq_mem_live(), live);
    bq_flight_end(f->flight, false);
    assert_int_equal(bq_mem_live(), live - 1);
}
#endif

/* Several threads with loops of their own ask for the same keys. Each key is computed
 * once, but for every fourth leader, who fails. */
#define THREADS 4
#define KEYS    300

struct worker {
    pthread_t thread;
    struct bq_store *s;
    struct bq_loop *loop;
    struct bq_buf buf;
    bool waits;
    int key, rc, values;
    atomic_int *computed, *failed;
};

static void go_on(void *arg, int rc)
{
    struct worker *w = arg;
    w->waits = false;
    w->rc = rc;
}

static void lead(struct worker *w, bq_str key, struct bq_flight *flight)
{
    if (w->key % 4 == 0 && atomic_fetch_add(&w->failed[w->key], 1) == 0) {
        bq_flight_end(flight, false);
        return;
    }
    usleep(50);
    atomic_fetch_add(&w->computed[w->key], 1);
    bq_store_set(w->s, key, key, 0);
    bq_flight_end(flight, false);
}

/* Whether it has the value. */
static bool ask(struct worker *w)
{
    struct bq_flight *flight;
    struct bq_flight_wait *wait;
    bq_str key = bq_str_of((char *)&w->key, sizeof w->key);
    bq_buf_reset(&w->buf);
    int rc = bq_flight_begin(w->s, key, w, &w->buf, &flight);
    if (rc == BQ_NOT_FOUND)
        lead(w, key, flight);
    if (rc == BQ_AGAIN && bq_flight_join(w->s, key, w->loop, 20000, go_on, w, &wait) == BQ_OK) {
        w->waits = true;
        for (int i = 0; i < 2000 && w->waits; i++)
            bq_loop_run_once(w->loop, 10);
    }
    return rc == BQ_OK;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (w->key = 0; w->key < KEYS; w->key++)
        for (int i = 0; i < 1000; i++)
            if (ask(w)) {
                w->values++;
                break;
            }
    return NULL;
}

static void of_all_threads_one_computes(void **state)
{
    struct fixture *f = *state;
    static atomic_int computed[KEYS], failed[KEYS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){
            .s = f->s, .loop = bq_loop_new(), .computed = computed, .failed = failed};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].values, KEYS);
        assert_int_equal(workers[i].rc, BQ_OK);
        assert_false(workers[i].waits);
        bq_loop_free(workers[i].loop);
        bq_buf_release(&workers[i].buf);
    }
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(computed[i], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_leads_and_the_second_waits),
        TEST(after_a_failure_another_may_lead),
        TEST(who_waits_for_nothing_is_told_so),
        TEST(a_leader_that_asks_again_is_refused),
        TEST(keys_fly_apart),
        TEST(a_long_key_is_refused),
        TEST(joining_what_is_over_says_so),
        TEST(waiting_ends_at_its_bound),
        TEST(a_timer_that_comes_after_the_end_tells_nothing_twice),
        TEST(who_leaves_is_not_told),
        TEST(a_loop_may_go_before_it_comes_to_its_job),
#ifdef BQ_FAULTS
        TEST(without_memory_nothing_is_left_behind),
#endif
        TEST(of_all_threads_one_computes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
