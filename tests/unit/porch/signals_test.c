/* signals_test.c: each test is a child process, which signals end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The code a child exits with that runs fn and reaches its end. */
static int run_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20); /* a child that hangs fails its test */
        _exit(fn());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int raise_before_waiting(void)
{
    bq_signals_init();
    raise(SIGTERM);
    return 1;
}

static void a_signal_during_the_start_ends_at_once(void **state)
{
    assert_int_equal(run_child(raise_before_waiting), 128 + SIGTERM);
    (void)state;
}

static int wait_for_one(void)
{
    bq_signals_init();
    bq_signals_block();
    kill(getpid(), SIGINT);
    pid_t asker;
    return bq_signals_wait(0, &asker) == SIGINT && asker == 0 ? 7 : 1;
}

static void the_first_signal_is_waited_for(void **state)
{
    assert_int_equal(run_child(wait_for_one), 7);
    (void)state;
}

static int see_one_that_waits(void)
{
    pid_t asker;
    bq_signals_init();
    bq_signals_block();
    kill(getpid(), SIGHUP);
    bool reload_is_none = !bq_signals_is_end_due();
    kill(getpid(), SIGTERM);
    return reload_is_none && bq_signals_is_end_due() && bq_signals_wait(0, &asker) == SIGHUP &&
                   bq_signals_wait(0, &asker) == SIGTERM
               ? 7
               : 1;
}

static void one_that_asks_for_the_end_is_seen_before_it_is_waited_for(void **state)
{
    assert_int_equal(run_child(see_one_that_waits), 7);
    (void)state;
}

static int wait_then_raise(void)
{
    bq_signals_init();
    bq_signals_block();
    kill(getpid(), SIGTERM);
    pid_t asker;
    bq_signals_wait(0, &asker);
    raise(SIGINT);
    return 1;
}

static void the_second_signal_ends_at_once(void **state)
{
    assert_int_equal(run_child(wait_then_raise), 128 + SIGINT);
    (void)state;
}

static int wait_in_vain(void)
{
    sigset_t after;
    bq_signals_init();
    bq_signals_block();
    pid_t asker;
    int number = bq_signals_wait(20, &asker);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    return number == 0 && sigismember(&after, SIGTERM) ? 7 : 1;
}

static void no_signal_is_waited_for_no_longer_than_asked(void **state)
{
    assert_int_equal(run_child(wait_in_vain), 7);
    (void)state;
}

static int ask_and_answer(void)
{
    int value = 0;
    pid_t asker;
    bq_signals_init();
    bq_signals_block();
    if (bq_signals_ask(getpid(), SIGHUP) != 0 || bq_signals_wait(1000, &asker) != SIGHUP ||
        asker != getpid() || bq_signals_wait_answer(getpid(), 1, &value))
        return 1;
    bq_signals_answer(asker, 3);
    return bq_signals_wait_answer(getpid(), 1000, &value) && value == 3 ? 7 : 1;
}

static int ask_too_early(void)
{
    int value = 3;
    bq_signals_init();
    bq_signals_ask(getpid(), SIGHUP);
    return bq_signals_wait_answer(getpid(), 1000, &value) && value == BQ_SIGNALS_TOO_EARLY ? 7 : 1;
}

static void who_asks_too_early_ends_nothing(void **state)
{
    assert_int_equal(run_child(ask_too_early), 7);
    (void)state;
}

static void who_asks_is_answered(void **state)
{
    assert_int_equal(run_child(ask_and_answer), 7);
    (void)state;
}

static int hear_others(void)
{
    int value = 0;
    pid_t asker = 1;
    bq_signals_init();
    bq_signals_block();
    sigqueue(getpid(), SIGHUP, (union sigval){.sival_int = 1});
    if (bq_signals_wait(1000, &asker) != SIGHUP || asker != 0)
        return 1;
    bq_signals_answer(getpid(), 3); /* nobody expects it, and nothing happens */
    bq_signals_ask(getpid(), 0);
    kill(getpid(), SIGURG);
    return bq_signals_wait_answer(getpid(), 1000, &value) ? 1 : 7;
}

static void who_does_not_ask_is_no_asker_and_no_answer(void **state)
{
    assert_int_equal(run_child(hear_others), 7);
    (void)state;
}

static void *note_mask(void *arg)
{
    pthread_sigmask(SIG_BLOCK, NULL, arg);
    return NULL;
}

static int mask_of_thread(void)
{
    sigset_t inside, after;
    pthread_t thread;
    bq_signals_init();
    bq_signals_block();
    pthread_create(&thread, NULL, note_mask, &inside);
    pthread_join(thread, NULL);
    bq_signals_unblock();
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    return sigismember(&inside, SIGTERM) && sigismember(&inside, SIGINT) &&
                   sigismember(&inside, SIGALRM) && !sigismember(&after, SIGTERM)
               ? 7
               : 1;
}

static void threads_have_the_signals_blocked(void **state)
{
    assert_int_equal(run_child(mask_of_thread), 7);
    (void)state;
}

static int write_to_closed_pipe(void)
{
    int ends[2];
    bq_signals_init();
    if (pipe(ends) != 0)
        return 1;
    close(ends[0]);
    return write(ends[1], "x", 1) == -1 ? 7 : 1;
}

static void a_closed_pipe_ends_nothing(void **state)
{
    assert_int_equal(run_child(write_to_closed_pipe), 7);
    (void)state;
}

static int stay_beyond_the_end(void)
{
    close(STDERR_FILENO); /* it has something to say there */
    bq_signals_init();
    bq_signals_end_after(50);
    for (int i = 0; i < 20; i++)
        sleep(1);
    return 1;
}

static void the_end_is_cut_short_when_time_has_passed(void **state)
{
    assert_int_equal(run_child(stay_beyond_the_end), 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_during_the_start_ends_at_once),
        cmocka_unit_test(the_first_signal_is_waited_for),
        cmocka_unit_test(one_that_asks_for_the_end_is_seen_before_it_is_waited_for),
        cmocka_unit_test(the_second_signal_ends_at_once),
        cmocka_unit_test(no_signal_is_waited_for_no_longer_than_asked),
        cmocka_unit_test(who_asks_too_early_ends_nothing),
        cmocka_unit_test(who_asks_is_answered),
        cmocka_unit_test(who_does_not_ask_is_no_asker_and_no_answer),
        cmocka_unit_test(threads_have_the_signals_blocked),
        cmocka_unit_test(a_closed_pipe_ends_nothing),
        cmocka_unit_test(the_end_is_cut_short_when_time_has_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
