/* handle_test.c: handles are found while they live, and never again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "vm/handle.h"

#include <math.h>

static void a_handle_finds_its_object_until_it_is_revoked(void **state)
{
    struct bq_handles h;
    int object;
    (void)state;
    bq_handles_init(&h);
    double number = bq_handle_give(&h, &object);
    assert_true(number >= 1);
    assert_ptr_equal(bq_handle_find(&h, number), &object);
    bq_handle_revoke(&h, number);
    assert_null(bq_handle_find(&h, number));
    bq_handles_release(&h);
}

static void a_reused_slot_does_not_answer_to_its_old_number(void **state)
{
    struct bq_handles h;
    int first, second;
    (void)state;
    bq_handles_init(&h);
    double old = bq_handle_give(&h, &first);
    bq_handle_revoke(&h, old);
    double fresh = bq_handle_give(&h, &second);
    assert_true(old != fresh);
    assert_null(bq_handle_find(&h, old));
    assert_ptr_equal(bq_handle_find(&h, fresh), &second);
    bq_handle_revoke(&h, old);
    assert_ptr_equal(bq_handle_find(&h, fresh), &second);
    bq_handles_release(&h);
}

static void numbers_that_were_never_given_find_nothing(void **state)
{
    static const double made_up[] = {0, -1, 0.5, 1, 2, 1e300, -1e300, 9007199254740992.0};
    struct bq_handles h;
    (void)state;
    bq_handles_init(&h);
    for (size_t i = 0; i < sizeof made_up / sizeof made_up[0]; i++)
        assert_null(bq_handle_find(&h, made_up[i]));
    assert_null(bq_handle_find(&h, NAN));
    bq_handle_revoke(&h, NAN);
    bq_handles_release(&h);
}

static void many_handles_stay_apart(void **state)
{
    enum { COUNT = 5000 };
    static int objects[COUNT];
    static double numbers[COUNT];
    struct bq_handles h;
    (void)state;
    bq_handles_init(&h);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = bq_handle_give(&h, &objects[i]);
    for (int i = 0; i < COUNT; i += 2)
        bq_handle_revoke(&h, numbers[i]);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(bq_handle_find(&h, numbers[i]), i % 2 ? &objects[i] : NULL);
    bq_handles_release(&h);
}

#ifdef BQ_FAULTS
static void without_memory_no_handle_is_given(void **state)
{
    struct bq_handles h;
    int object;
    (void)state;
    bq_handles_init(&h);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_true(bq_handle_give(&h, &object) == BQ_HANDLE_NONE);
    assert_true(bq_handle_give(&h, &object) != BQ_HANDLE_NONE);
    bq_handles_release(&h);
    assert_int_equal(bq_mem_live(), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_finds_its_object_until_it_is_revoked),
        cmocka_unit_test(a_reused_slot_does_not_answer_to_its_old_number),
        cmocka_unit_test(numbers_that_were_never_given_find_nothing),
        cmocka_unit_test(many_handles_stay_apart),
#ifdef BQ_FAULTS
        cmocka_unit_test(without_memory_no_handle_is_given),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
