/* tally_test.c: counts by name and key, read by others while they grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/tally.h"

#include <stdio.h>

#define KEYS 40

static struct bq_tally *get(struct bq_tallies *set, const char *kind, const char *name)
{
    return bq_tally_get(set, bq_str_cstr(kind), bq_str_cstr(name));
}

static void a_name_has_one_tally(void **state)
{
    (void)state;
    struct bq_tallies set;
    bq_tallies_init(&set);
    struct bq_tally *items = get(&set, "GET", "/items");
    assert_ptr_equal(get(&set, "GET", "/items"), items);
    assert_ptr_not_equal(get(&set, "POST", "/items"), items);
    assert_ptr_not_equal(get(&set, "GET", "/item"), items);
    assert_null(items->durations);
    bq_tallies_release(&set);
}

static void a_set_gives_its_tallies_in_their_order(void **state)
{
    (void)state;
    struct bq_tallies set;
    char name[16];
    int n = 0;
    bq_tallies_init(&set);
    assert_null(bq_tally_first(&set));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "/%d", i);
        assert_non_null(get(&set, "GET", name));
    }
    for (const struct bq_tally *t = bq_tally_first(&set); t; t = bq_tally_next(t)) {
        snprintf(name, sizeof name, "/%d", n++);
        assert_true(bq_str_eq(t->name, bq_str_cstr(name)));
    }
    assert_int_equal(n, 1000);
    bq_tallies_release(&set);
}

static void answers_are_counted_by_method_and_status(void **state)
{
    (void)state;
    struct bq_tallies set;
    bq_tallies_init(&set);
    struct bq_tally *t = get(&set, "GET", "/");
    for (int round = 0; round < 3; round++)
        for (uint32_t i = 0; i < KEYS; i++)
            bq_tally_add(t, BQ_TALLY_KEY(1, 200 + i), 10, 5);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(bq_tally_count(t, BQ_TALLY_KEY(1, 200 + i)), 3);
    assert_int_equal(bq_tally_count(t, BQ_TALLY_KEY(2, 200)), 0);
    assert_int_equal(bq_counter_read(&t->bytes), 3 * KEYS * 5);
    assert_int_equal(bq_counter_read(&t->durations->us), 3 * KEYS * 10);
    bq_tallies_release(&set);
}

static void add_to(void *arg, uint32_t key, uint64_t count)
{
    (void)key;
    *(uint64_t *)arg += count;
}

#ifdef BQ_FAULTS
static void without_memory_no_answer_is_lost_from_the_sum(void **state)
{
    (void)state;
    struct bq_tallies set;
    uint64_t sum = 0;
    bq_tallies_init(&set);
    struct bq_tally *t = get(&set, "GET", "/");
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    for (uint32_t i = 0; i < KEYS; i++)
        bq_tally_add(t, BQ_TALLY_KEY(1, 200 + i), 10, 5);
    assert_null(get(&set, "GET", "/other"));
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    bq_tally_each(t, add_to, &sum);
    assert_int_equal(sum, KEYS);
    assert_non_null(get(&set, "GET", "/other"));
    bq_tallies_release(&set);
    assert_int_equal(bq_mem_live(), 0);
}

static void without_memory_for_durations_the_answer_is_counted(void **state)
{
    (void)state;
    struct bq_tallies set;
    bq_tallies_init(&set);
    struct bq_tally *t = get(&set, "GET", "/");
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    bq_tally_add(t, BQ_TALLY_KEY(1, 200), 10, 5);
    assert_null(t->durations);
    bq_tally_add(t, BQ_TALLY_KEY(1, 200), 10, 5);
    assert_int_equal(bq_counter_read(&t->durations->us), 10);
    assert_int_equal(bq_tally_count(t, BQ_TALLY_KEY(1, 200)), 2);
    bq_tallies_release(&set);
    assert_int_equal(bq_mem_live(), 0);
}
#endif

#define ROUNDS 200000

static void *count_on(void *arg)
{
    struct bq_tallies *set = arg;
    struct bq_tally *t = get(set, "GET", "/");
    for (uint32_t i = 0; i < ROUNDS; i++)
        bq_tally_add(t, BQ_TALLY_KEY(1, 200 + i % KEYS), i, 1);
    return NULL;
}

static void others_read_while_one_counts(void **state)
{
    (void)state;
    struct bq_tallies set;
    pthread_t thread;
    uint64_t before = 0, sum = 0;
    bq_tallies_init(&set);
    pthread_create(&thread, NULL, count_on, &set);
    for (int turn = 0; turn < 1000; turn++) {
        sum = 0;
        for (const struct bq_tally *t = bq_tally_first(&set); t; t = bq_tally_next(t))
            bq_tally_each(t, add_to, &sum);
        assert_true(sum >= before);
        before = sum;
    }
    pthread_join(thread, NULL);
    sum = 0;
    bq_tally_each(bq_tally_first(&set), add_to, &sum);
    assert_int_equal(sum, ROUNDS);
    bq_tallies_release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_one_tally),
        cmocka_unit_test(a_set_gives_its_tallies_in_their_order),
        cmocka_unit_test(answers_are_counted_by_method_and_status),
#ifdef BQ_FAULTS
        cmocka_unit_test(without_memory_no_answer_is_lost_from_the_sum),
        cmocka_unit_test(without_memory_for_durations_the_answer_is_counted),
#endif
        cmocka_unit_test(others_read_while_one_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
