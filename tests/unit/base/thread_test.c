/* thread_test.c: a thread starts with its name and stack, or says why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/thread.h"

#include <errno.h>

#define STACK_BYTES ((size_t)3 << 20)

struct seen {
    pthread_barrier_t named; /* the name comes once the thread is there */
    char name[16];
    size_t stack_bytes;
};

static void *look(void *arg)
{
    struct seen *seen = arg;
    pthread_attr_t attributes;
    pthread_barrier_wait(&seen->named);
    pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &seen->stack_bytes);
    pthread_attr_destroy(&attributes);
    return NULL;
}

static struct seen start_and_join(size_t stack_bytes)
{
    pthread_t thread;
    struct seen seen = {.name = ""};
    pthread_barrier_init(&seen.named, NULL, 2);
    assert_int_equal(bq_thread_start(&thread, "barq-test", stack_bytes, look, &seen), 0);
    pthread_barrier_wait(&seen.named);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&seen.named);
    return seen;
}

static void a_thread_has_its_name_and_stack(void **state)
{
    struct seen seen = start_and_join(STACK_BYTES);
    assert_string_equal(seen.name, "barq-test");
    assert_true(seen.stack_bytes >= STACK_BYTES && seen.stack_bytes < 2 * STACK_BYTES);
    (void)state;
}

static void a_stack_of_no_size_is_the_systems(void **state)
{
    assert_true(start_and_join(0).stack_bytes > 0);
    (void)state;
}

static void a_stack_that_cannot_be_is_an_error(void **state)
{
    pthread_t thread;
    assert_int_equal(bq_thread_start(&thread, "barq-test", 1, look, NULL), EINVAL);
    (void)state;
}

#ifdef BQ_FAULTS
static void a_thread_that_cannot_be_made_is_an_error(void **state)
{
    pthread_t thread;
    bq_fault_arm(BQ_FAULT_thread, 1, false);
    assert_int_equal(bq_thread_start(&thread, "barq-test", 0, look, NULL), EAGAIN);
    (void)state;
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_its_name_and_stack),
        cmocka_unit_test(a_stack_of_no_size_is_the_systems),
        cmocka_unit_test(a_stack_that_cannot_be_is_an_error),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_thread_that_cannot_be_made_is_an_error),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
