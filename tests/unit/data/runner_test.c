/* runner_test.c: work that another thread does, told on the loop, or cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "data/runner.h"

#include <stdatomic.h>
#include <time.h>

struct task {
    struct bq_work work;
    atomic_bool go_on, ran;
    int told;
};

static void pause_ms(long ms)
{
    const struct timespec ts = {0, ms * 1000000};
    nanosleep(&ts, NULL);
}

static void run(struct bq_work *work)
{
    struct task *t = BQ_CONTAINER(work, struct task, work);
    for (int i = 0; i < 5000 && !t->go_on; i++)
        pause_ms(1);
    t->ran = true;
}

static void tell(struct bq_job *job)
{
    BQ_CONTAINER(job, struct task, work.job)->told++;
}

static struct task new_task(struct bq_loop *loop, bool go_on)
{
    return (struct task){.work = {.job = {.fn = tell}, .run = run, .loop = loop}, .go_on = go_on};
}

static void work_is_done_by_the_thread_and_told_on_the_loop(void **state)
{
    (void)state;
    struct bq_loop *loop = bq_loop_new();
    struct bq_runner h;
    bq_runner_init(&h);
    struct task t = new_task(loop, true);
    for (int i = 1; i <= 100; i++) {
        assert_int_equal(bq_runner_start(&h, &t.work), BQ_OK);
        for (int turns = 0; turns < 1000 && t.told < i; turns++)
            bq_loop_run_once(loop, 10);
        assert_int_equal(t.told, i);
    }
    assert_true(t.ran);
    bq_runner_release(&h);
    bq_loop_free(loop);
}

static void what_is_cancelled_while_it_runs_is_not_told(void **state)
{
    (void)state;
    struct bq_loop *loop = bq_loop_new();
    struct bq_runner h;
    bq_runner_init(&h);
    struct task t = new_task(loop, false);
    assert_int_equal(bq_runner_start(&h, &t.work), BQ_OK);
    pause_ms(2);
    t.go_on = true; /* as an interrupt would */
    bool cancelled = bq_runner_cancel(&h, &t.work);
    assert_true(t.ran);
    bq_loop_run_once(loop, 0);
    assert_int_equal(t.told, cancelled ? 0 : 1);
    bq_runner_release(&h);
    bq_loop_free(loop);
}

static void what_is_cancelled_too_late_is_told(void **state)
{
    (void)state;
    struct bq_loop *loop = bq_loop_new();
    struct bq_runner h;
    bq_runner_init(&h);
    struct task t = new_task(loop, true);
    assert_int_equal(bq_runner_start(&h, &t.work), BQ_OK);
    for (int i = 0; i < 1000 && !t.ran; i++)
        pause_ms(1);
    pause_ms(20);
    assert_false(bq_runner_cancel(&h, &t.work));
    bq_loop_run_once(loop, 100);
    assert_int_equal(t.told, 1);
    bq_runner_release(&h);
    bq_loop_free(loop);
}

static void without_a_thread_start_says_so(void **state)
{
    (void)state;
#ifdef BQ_FAULTS
    struct bq_runner h;
    bq_runner_init(&h);
    struct task t = new_task(NULL, true);
    bq_fault_arm(BQ_FAULT_thread, 1, false);
    assert_int_equal(bq_runner_start(&h, &t.work), BQ_SYSTEM);
    bq_fault_arm(BQ_FAULT_thread, 0, false);
    bq_runner_release(&h);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_done_by_the_thread_and_told_on_the_loop),
        cmocka_unit_test(what_is_cancelled_while_it_runs_is_not_told),
        cmocka_unit_test(what_is_cancelled_too_late_is_told),
        cmocka_unit_test(without_a_thread_start_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
