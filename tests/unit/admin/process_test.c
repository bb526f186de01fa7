/* process_test.c: figures of this process, held against what it knows of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

static void it_knows_its_memory_and_its_age(void **state)
{
    (void)state;
    struct bq_process_shown p;
    bq_process_look(&p);
    assert_true(p.resident_bytes > 100 * 1024);
    assert_true(p.virtual_bytes > p.resident_bytes);
    double age_s = (double)time(NULL) - p.started_s;
    assert_true(age_s > -2 && age_s < 3600);
}

static void *wait_for_release(void *mutex)
{
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return NULL;
}

/* The first thread may bring one of a sanitizer's. */
static void it_counts_its_threads(void **state)
{
    (void)state;
    struct bq_process_shown before, after;
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_release, &held), 0);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&held);
    bq_process_look(&before);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_release, &held), 0);
    bq_process_look(&after);
    pthread_mutex_unlock(&held);
    pthread_join(thread, NULL);
    assert_true(before.threads >= 1);
    assert_int_equal(after.threads, before.threads + 1);
}

static void it_counts_its_descriptors(void **state)
{
    (void)state;
    struct bq_process_shown before, after;
    struct rlimit limit;
    bq_process_look(&before);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bq_process_look(&after);
    close(fd);
    assert_int_equal(after.descriptors, before.descriptors + 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(after.descriptors_max, limit.rlim_cur);
}

static void it_counts_its_processor_time(void **state)
{
    (void)state;
    struct bq_process_shown p;
    struct rusage usage;
    do
        getrusage(RUSAGE_SELF, &usage);
    while (usage.ru_utime.tv_sec == 0 && usage.ru_utime.tv_usec < 50000);
    bq_process_look(&p);
    double used_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    assert_true(p.cpu_user_s > used_s - 0.05 && p.cpu_user_s < used_s + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_knows_its_memory_and_its_age),
        cmocka_unit_test(it_counts_its_threads),
        cmocka_unit_test(it_counts_its_descriptors),
        cmocka_unit_test(it_counts_its_processor_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
