/* line_writer_test.c: lines arrive whole and in order, nobody waits, drops are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/line_writer.h"
#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static FILE *temporary(void)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    return f;
}

static void lines_are_written_in_order_at_close(void **state)
{
    char text[64];
    FILE *f = temporary();
    struct bq_line_writer *w = bq_line_writer_open("test", fileno(f), 1, 4096);
    assert_non_null(w);
    assert_true(bq_line_writer_put(w, 0, BQ_STR("one\n")));
    assert_true(bq_line_writer_put(w, 0, BQ_STR("two\n")));
    assert_true(bq_line_writer_close(w, 5000));
    rewind(f);
    size_t n = fread(text, 1, sizeof text, f);
    assert_int_equal(n, 8);
    assert_memory_equal(text, "one\ntwo\n", 8);
    fclose(f);
    (void)state;
}

static void a_line_is_written_without_close(void **state)
{
    int ends[2];
    char text[16];
    assert_int_equal(pipe(ends), 0);
    struct bq_line_writer *w = bq_line_writer_open("test", ends[1], 2, 4096);
    for (int i = 0; i < 3; i++) { /* the thread falls asleep between them */
        assert_true(bq_line_writer_put(w, 1, BQ_STR("hello\n")));
        assert_int_equal(read(ends[0], text, sizeof text), 6);
    }
    assert_true(bq_line_writer_close(w, 5000));
    close(ends[0]);
    close(ends[1]);
    (void)state;
}

static void a_descriptor_that_does_not_wait_is_waited_for(void **state)
{
    int ends[2];
    char text[4096];
    size_t got = 0;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    fcntl(ends[0], F_SETFL, 0);
    struct bq_line_writer *w = bq_line_writer_open("test", ends[1], 1, 1 << 20);
    for (int i = 0; i < 30000; i++) /* more than a pipe holds */
        assert_true(bq_line_writer_put(w, 0, BQ_STR("0123456789\n")));
    while (got < 330000)
        got += (size_t)read(ends[0], text, sizeof text);
    assert_int_equal(got, 330000);
    assert_true(bq_line_writer_close(w, 5000));
    close(ends[0]);
    close(ends[1]);
    (void)state;
}

static void what_does_not_fit_is_dropped_at_once_and_counted(void **state)
{
    int ends[2];
    char text[4096];
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    struct bq_line_writer *w = bq_line_writer_open("test", ends[1], 1, 1024);
    unsigned taken = 0;
    uint64_t before = now_ms();
    for (int i = 0; i < 5000; i++)
        taken += bq_line_writer_put(w, 0, BQ_STR("0123456789abcde\n"));
    assert_in_range(taken, 64, 4999);
    assert_int_equal(bq_line_writer_dropped(w), 5000 - taken);
    assert_true(now_ms() - before < 3000);
    /* What was taken comes out once there is a reader. */
    for (size_t got = 0; got < taken * 16;)
        got += (size_t)read(ends[0], text, sizeof text);
    assert_true(bq_line_writer_close(w, 5000));
    close(ends[0]);
    close(ends[1]);
    (void)state;
}

static void a_line_longer_than_the_lane_is_dropped(void **state)
{
    char line[129];
    FILE *f = temporary();
    struct bq_line_writer *w = bq_line_writer_open("test", fileno(f), 1, 128);
    memset(line, 'x', sizeof line);
    line[127] = '\n';
    assert_false(bq_line_writer_put(w, 0, bq_str_of(line, 129)));
    assert_true(bq_line_writer_put(w, 0, bq_str_of(line, 128)));
    assert_true(bq_line_writer_close(w, 5000));
    assert_int_equal(lseek(fileno(f), 0, SEEK_END), 128);
    fclose(f);
    (void)state;
}

static void closing_does_not_wait_for_a_reader_that_never_comes(void **state)
{
    int ends[2];
    char text[4096];
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    struct bq_line_writer *w = bq_line_writer_open("test", ends[1], 1, 1 << 16);
    for (int i = 0; i < 4096; i++)
        assert_true(bq_line_writer_put(w, 0, BQ_STR("0123456789abcde\n")));
    uint64_t before = now_ms();
    assert_false(bq_line_writer_close(w, 100));
    assert_true(now_ms() - before < 3000);
    /* Lets the thread that was left behind end, for the leak checker. */
    for (size_t got = 0; got < 4096 * 16;)
        got += (size_t)read(ends[0], text, sizeof text);
    for (int i = 0; i < 200 && bq_mem_live() > 0; i++)
        usleep(10000);
    assert_int_equal(bq_mem_live(), 0);
    close(ends[0]);
    close(ends[1]);
    (void)state;
}

static void a_full_disk_loses_lines_and_counts_them(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct bq_line_writer *w = bq_line_writer_open("test", fd, 1, 4096);
    assert_true(bq_line_writer_put(w, 0, BQ_STR("one\ntwo\n")));
    assert_true(bq_line_writer_put(w, 0, BQ_STR("three\n")));
    for (int i = 0; i < 500 && bq_line_writer_dropped(w) < 3; i++)
        usleep(10000);
    assert_int_equal(bq_line_writer_dropped(w), 3);
    assert_true(bq_line_writer_close(w, 5000));
    close(fd);
    (void)state;
}

static void a_closed_pipe_ends_nothing(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    struct bq_line_writer *w = bq_line_writer_open("test", ends[1], 1, 4096);
    assert_true(bq_line_writer_put(w, 0, BQ_STR("one\n")));
    assert_true(bq_line_writer_close(w, 5000));
    close(ends[1]);
    (void)state;
}

#define PRODUCERS 4
#define LINES     20000

struct producer {
    pthread_t thread;
    struct bq_line_writer *w;
    unsigned lane;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    char line[32];
    for (int i = 0; i < LINES; i++) {
        int n = snprintf(line, sizeof line, "%u %d\n", p->lane, i);
        while (!bq_line_writer_put(p->w, p->lane, bq_str_of(line, (size_t)n)))
            usleep(1000);
    }
    return NULL;
}

static void check_lines(FILE *f)
{
    int next[PRODUCERS] = {0};
    char line[64];
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        unsigned lane;
        int number;
        assert_int_equal(sscanf(line, "%u %d\n", &lane, &number), 2);
        assert_in_range(lane, 0, PRODUCERS - 1);
        assert_int_equal(number, next[lane]++);
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(next[i], LINES);
}

static void threads_lines_stay_whole_and_in_their_order(void **state)
{
    struct producer p[PRODUCERS];
    FILE *f = temporary();
    struct bq_line_writer *w = bq_line_writer_open("test", fileno(f), PRODUCERS, 4096);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        p[i] = (struct producer){.w = w, .lane = i};
        assert_int_equal(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
    }
    for (unsigned i = 0; i < PRODUCERS; i++)
        pthread_join(p[i].thread, NULL);
    assert_true(bq_line_writer_close(w, 5000));
    check_lines(f);
    fclose(f);
    (void)state;
}

static void opening_without_memory_fails_cleanly(void **state)
{
#ifdef BQ_FAULTS
    for (int nth = 1; nth <= 4; nth++) {
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        assert_null(bq_line_writer_open("test", 1, 2, 4096));
        assert_int_equal(bq_mem_live(), 0);
    }
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
#else
    skip();
#endif
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_written_in_order_at_close),
        cmocka_unit_test(a_line_is_written_without_close),
        cmocka_unit_test(a_descriptor_that_does_not_wait_is_waited_for),
        cmocka_unit_test(what_does_not_fit_is_dropped_at_once_and_counted),
        cmocka_unit_test(a_line_longer_than_the_lane_is_dropped),
        cmocka_unit_test(closing_does_not_wait_for_a_reader_that_never_comes),
        cmocka_unit_test(a_full_disk_loses_lines_and_counts_them),
        cmocka_unit_test(a_closed_pipe_ends_nothing),
        cmocka_unit_test(threads_lines_stay_whole_and_in_their_order),
        cmocka_unit_test(opening_without_memory_fails_cleanly),
    };
    signal(SIGPIPE, SIG_IGN);
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
