/* timer_test.c: the wheel against single cases and against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/timer.h"

#include <stdbool.h>

#define HOUR_MS UINT64_C(3600000)

/* A timer that knows what happens to it. */
struct probe {
    struct bq_timer timer;
    struct bq_wheel *wheel;
    struct bq_timer *other;
    uint64_t other_ms;
    int runs;
    uint64_t ran_ms;
};

static void note_run(struct bq_timer *t)
{
    struct probe *p = BQ_CONTAINER(t, struct probe, timer);
    assert_false(bq_timer_is_set(t));
    p->runs++;
    p->ran_ms = p->wheel->now_ms;
}

static void set_other(struct bq_timer *t)
{
    struct probe *p = BQ_CONTAINER(t, struct probe, timer);
    note_run(t);
    bq_timer_set(p->wheel, p->other, p->other_ms);
}

static void clear_other(struct bq_timer *t)
{
    struct probe *p = BQ_CONTAINER(t, struct probe, timer);
    note_run(t);
    bq_timer_clear(p->wheel, p->other);
}

static struct probe probe_of(struct bq_wheel *w, bq_timer_fn fn)
{
    return (struct probe){.timer = {.fn = fn}, .wheel = w};
}

static void a_timer_runs_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    const uint64_t delays[] = {1,     2,      63,     64,       65,          4095,         4096,
                               4097,  262143, 262144, 262145,   16515071,    16515072,     16515073,
                               99999, 30000,  10000,  16777215, 5 * HOUR_MS, 300 * HOUR_MS};
    const uint64_t starts[] = {0, 1, 63, 64, 262143, 16777215, UINT64_C(123456789012)};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        for (size_t k = 0; k < sizeof starts / sizeof *starts; k++) {
            struct bq_wheel w;
            bq_wheel_init(&w, starts[k]);
            struct probe p = probe_of(&w, note_run);
            bq_timer_set(&w, &p.timer, starts[k] + delays[i]);
            bq_wheel_advance(&w, starts[k] + delays[i] - 1);
            assert_int_equal(p.runs, 0);
            bq_wheel_advance(&w, starts[k] + delays[i]);
            assert_int_equal(p.runs, 1);
            assert_int_equal(bq_wheel_wait_ms(&w, w.now_ms), -1);
        }
    }
}

static void a_deadline_in_the_past_is_due_at_once(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 1000);
    struct probe p = probe_of(&w, note_run);
    bq_timer_set(&w, &p.timer, 5);
    assert_int_equal(bq_wheel_wait_ms(&w, 1000), 0);
    bq_wheel_advance(&w, 1000);
    assert_int_equal(p.runs, 1);
}

static void a_deadline_that_never_comes_does_not_overflow(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 77);
    struct probe p = probe_of(&w, note_run);
    bq_timer_set(&w, &p.timer, UINT64_MAX);
    for (int i = 1; i <= 100; i++)
        bq_wheel_advance(&w, 77 + (uint64_t)i * HOUR_MS);
    assert_int_equal(p.runs, 0);
    assert_true(bq_timer_is_set(&p.timer));
    bq_timer_clear(&w, &p.timer);
    assert_int_equal(bq_wheel_wait_ms(&w, w.now_ms), -1);
}

static void moving_a_deadline_away_keeps_the_slot(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 0);
    struct probe p = probe_of(&w, note_run);
    bq_timer_set(&w, &p.timer, 100);
    struct bq_node *before = p.timer.node.next;
    bq_timer_set(&w, &p.timer, 5000);
    assert_ptr_equal(p.timer.node.next, before);
    bq_wheel_advance(&w, 4999);
    assert_int_equal(p.runs, 0);
    bq_wheel_advance(&w, 5000);
    assert_int_equal(p.runs, 1);
}

static void moving_a_deadline_nearer_takes_effect(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 0);
    struct probe p = probe_of(&w, note_run);
    bq_timer_set(&w, &p.timer, 50000);
    bq_timer_set(&w, &p.timer, 20);
    assert_int_equal(bq_wheel_wait_ms(&w, 0), 20);
    bq_wheel_advance(&w, 20);
    assert_int_equal(p.runs, 1);
}

static void a_cleared_timer_does_not_run_and_wakes_nobody(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 0);
    struct probe p = probe_of(&w, note_run);
    struct probe q = probe_of(&w, note_run);
    bq_timer_set(&w, &p.timer, 10);
    bq_timer_set(&w, &q.timer, 10);
    bq_timer_clear(&w, &p.timer);
    assert_int_equal(bq_wheel_wait_ms(&w, 0), 10);
    bq_timer_clear(&w, &q.timer);
    bq_timer_clear(&w, &q.timer);
    assert_int_equal(bq_wheel_wait_ms(&w, 0), -1);
    bq_wheel_advance(&w, 20);
    assert_int_equal(p.runs + q.runs, 0);
}

static void a_callback_may_clear_a_timer_of_its_own_slot(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 0);
    struct probe q = probe_of(&w, note_run);
    struct probe p = probe_of(&w, clear_other);
    p.other = &q.timer;
    bq_timer_set(&w, &p.timer, 7);
    bq_timer_set(&w, &q.timer, 7);
    bq_wheel_advance(&w, 7);
    assert_int_equal(p.runs, 1);
    assert_int_equal(q.runs, 0);
    assert_false(bq_timer_is_set(&q.timer));
}

static void a_callback_may_move_a_timer_of_its_own_slot(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 0);
    struct probe q = probe_of(&w, note_run);
    struct probe p = probe_of(&w, set_other);
    p.other = &q.timer;
    p.other_ms = 90;
    bq_timer_set(&w, &p.timer, 7);
    bq_timer_set(&w, &q.timer, 7);
    bq_wheel_advance(&w, 7);
    assert_int_equal(q.runs, 0);
    assert_int_equal(bq_wheel_wait_ms(&w, 7), 57); /* 64, where the slot of 90 begins */
    bq_wheel_advance(&w, 90);
    assert_int_equal(q.runs, 1);
}

static void a_callback_that_sets_itself_into_the_past_runs_once_an_advance(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 0);
    struct probe p = probe_of(&w, set_other);
    p.other = &p.timer;
    bq_timer_set(&w, &p.timer, 5);
    bq_wheel_advance(&w, 10);
    assert_int_equal(p.runs, 1);
    assert_int_equal(bq_wheel_wait_ms(&w, 10), 0);
    bq_wheel_advance(&w, 10);
    assert_int_equal(p.runs, 2);
}

static void a_callback_sees_the_time_that_was_advanced_to(void **state)
{
    (void)state;
    struct bq_wheel w;
    bq_wheel_init(&w, 0);
    struct probe p = probe_of(&w, note_run);
    bq_timer_set(&w, &p.timer, 5);
    bq_wheel_advance(&w, 9 * HOUR_MS);
    assert_int_equal(p.ran_ms, 9 * HOUR_MS);
}

static void waiting_for_a_far_timer_takes_few_steps(void **state)
{
    (void)state;
    struct bq_wheel w;
    uint64_t now_ms = 12345;
    int wakeups = 0;
    bq_wheel_init(&w, now_ms);
    struct probe p = probe_of(&w, note_run);
    bq_timer_set(&w, &p.timer, now_ms + 4 * HOUR_MS + 1234);
    while (p.runs == 0) {
        int64_t wait_ms = bq_wheel_wait_ms(&w, now_ms);
        assert_true(wait_ms > 0);
        now_ms += (uint64_t)wait_ms;
        bq_wheel_advance(&w, now_ms);
        wakeups++;
    }
    assert_int_equal(p.ran_ms, 12345 + 4 * HOUR_MS + 1234);
    assert_in_range(wakeups, 1, BQ_WHEEL_LEVELS);
}

/* The model: a plain array in which everything is looked for. */

#define MODEL_TIMERS 100

static struct model {
    struct bq_wheel wheel;
    uint64_t random;
    struct model_timer {
        struct bq_timer timer;
        bool set;
        bool due;   /* to run in this advance, unless a callback moves or clears it */
        bool fresh; /* set by a callback of this advance, so due in the next at the soonest */
        bool moved; /* was due and moved away by a callback; moved back, it is due now or next */
        uint64_t deadline_ms;
    } timers[MODEL_TIMERS];
    bool advancing;
} model;

static uint64_t pick(uint64_t below)
{
    model.random = model.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (model.random >> 33) % below;
}

static uint64_t pick_deadline(void)
{
    static const uint64_t spans[] = {2, 70, 5000, 300000, 20000000, 100000000};
    uint64_t ahead = pick(spans[pick(6)]);
    if (pick(10) == 0)
        return model.wheel.now_ms - pick(model.wheel.now_ms < 1000 ? model.wheel.now_ms + 1 : 1000);
    return model.wheel.now_ms + ahead;
}

static void set_random(void)
{
    struct model_timer *m = &model.timers[pick(MODEL_TIMERS)];
    uint64_t deadline_ms = pick_deadline();
    m->moved = m->moved || (m->due && deadline_ms > model.wheel.now_ms);
    m->due = m->due && !m->moved;
    m->fresh = model.advancing && !m->due;
    m->set = true;
    m->deadline_ms = deadline_ms;
    bq_timer_set(&model.wheel, &m->timer, deadline_ms);
}

static void clear_random(void)
{
    struct model_timer *m = &model.timers[pick(MODEL_TIMERS)];
    m->set = m->due = m->moved = m->fresh = false;
    bq_timer_clear(&model.wheel, &m->timer);
}

static void model_run(struct bq_timer *t)
{
    struct model_timer *m = BQ_CONTAINER(t, struct model_timer, timer);
    assert_true(m->set);
    assert_true(m->due || m->moved);
    assert_true(m->deadline_ms <= model.wheel.now_ms);
    m->set = m->due = m->moved = m->fresh = false;
    for (uint64_t i = pick(3); i > 0; i--)
        pick(2) ? set_random() : clear_random();
}

static uint64_t earliest_ms(void)
{
    uint64_t ms = UINT64_MAX;
    for (int i = 0; i < MODEL_TIMERS; i++)
        if (model.timers[i].set && model.timers[i].deadline_ms < ms)
            ms = model.timers[i].deadline_ms;
    return ms;
}

static void advance_model(uint64_t now_ms)
{
    for (int i = 0; i < MODEL_TIMERS; i++) {
        struct model_timer *m = &model.timers[i];
        m->fresh = m->moved = false;
        m->due = m->set && m->deadline_ms <= now_ms;
    }
    model.advancing = true;
    bq_wheel_advance(&model.wheel, now_ms);
    model.advancing = false;
    for (int i = 0; i < MODEL_TIMERS; i++) {
        struct model_timer *m = &model.timers[i];
        m->due = false;
        assert_int_equal(m->set, bq_timer_is_set(&m->timer));
        assert_true(!m->set || m->fresh || m->deadline_ms > now_ms);
    }
}

static void advance_random(void)
{
    static const uint64_t spans[] = {1, 3, 100, 10000, 1000000, 30000000};
    uint64_t now_ms = model.wheel.now_ms;
    int64_t wait_ms = bq_wheel_wait_ms(&model.wheel, now_ms);
    uint64_t first_ms = earliest_ms();
    assert_int_equal(wait_ms < 0, first_ms == UINT64_MAX);
    if (wait_ms > 0)
        assert_true(now_ms + (uint64_t)wait_ms <= first_ms);
    if (wait_ms >= 0 && pick(2))
        advance_model(now_ms + (uint64_t)wait_ms);
    else
        advance_model(now_ms + pick(spans[pick(6)]));
}

static void the_wheel_agrees_with_a_naive_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        model = (struct model){.random = seed * 7919};
        bq_wheel_init(&model.wheel, seed % 2 ? pick(1000) : UINT64_C(1) << 40);
        for (int i = 0; i < MODEL_TIMERS; i++)
            model.timers[i].timer.fn = model_run;
        for (int step = 0; step < 50000; step++) {
            switch (pick(4)) {
            case 0:
                clear_random();
                break;
            case 1:
                advance_random();
                break;
            default:
                set_random();
            }
        }
    }
}

static uint64_t last_ms;

static void check_order(struct bq_timer *t)
{
    assert_true(t->deadline_ms >= last_ms);
    last_ms = t->deadline_ms;
}

static void timers_of_one_advance_run_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    struct bq_wheel w;
    struct bq_timer timers[500] = {0};
    model.random = 3;
    last_ms = 0;
    bq_wheel_init(&w, 0);
    for (int i = 0; i < 500; i++) {
        timers[i].fn = check_order;
        bq_timer_set(&w, &timers[i], pick(100000));
        if (i % 2)
            bq_timer_set(&w, &timers[i], timers[i].deadline_ms + pick(100000));
    }
    bq_wheel_advance(&w, 300000);
    assert_int_equal(bq_wheel_wait_ms(&w, 300000), -1);
    assert_true(last_ms > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_runs_at_its_deadline_and_not_before),
        cmocka_unit_test(a_deadline_in_the_past_is_due_at_once),
        cmocka_unit_test(a_deadline_that_never_comes_does_not_overflow),
        cmocka_unit_test(moving_a_deadline_away_keeps_the_slot),
        cmocka_unit_test(moving_a_deadline_nearer_takes_effect),
        cmocka_unit_test(a_cleared_timer_does_not_run_and_wakes_nobody),
        cmocka_unit_test(a_callback_may_clear_a_timer_of_its_own_slot),
        cmocka_unit_test(a_callback_may_move_a_timer_of_its_own_slot),
        cmocka_unit_test(a_callback_that_sets_itself_into_the_past_runs_once_an_advance),
        cmocka_unit_test(a_callback_sees_the_time_that_was_advanced_to),
        cmocka_unit_test(waiting_for_a_far_timer_takes_few_steps),
        cmocka_unit_test(the_wheel_agrees_with_a_naive_model),
        cmocka_unit_test(timers_of_one_advance_run_in_the_order_of_their_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
