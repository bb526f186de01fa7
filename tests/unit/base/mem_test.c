/* mem_test.c: the door to the heap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"

#include <string.h>

static void a_block_of_no_bytes_is_a_block(void **state)
{
    (void)state;
    void *blocks[] = {bq_alloc(0), bq_alloc_zero(0), bq_realloc(NULL, 0), bq_alloc_must(0)};
    for (int i = 0; i < 4; i++) {
        assert_non_null(blocks[i]);
        bq_free(blocks[i]);
    }
    bq_free(NULL);
}

static void shrinking_to_nothing_does_not_free(void **state)
{
    (void)state;
    char *p = bq_alloc(100);
    p = bq_realloc(p, 0);
    assert_non_null(p);
    bq_free(p);
}

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    static const char zeros[100];
    char *p = bq_alloc_zero(100), *q = bq_alloc_must(100);
    assert_memory_equal(p, zeros, 100);
    assert_memory_equal(q, zeros, 100);
    bq_free(p);
    bq_free(q);
}

static void growing_keeps_the_bytes(void **state)
{
    (void)state;
    char *p = bq_realloc(NULL, 4);
    memcpy(p, "abcd", 4);
    p = bq_realloc(p, 100000);
    assert_memory_equal(p, "abcd", 4);
    bq_free(p);
}

#ifdef BQ_FAULTS
static void live_blocks_are_counted(void **state)
{
    (void)state;
    long before = bq_mem_live();
    void *p = bq_alloc(1), *q = bq_alloc_zero(1), *r = bq_realloc(NULL, 1), *s = bq_alloc_must(1);
    assert_int_equal(bq_mem_live(), before + 4);
    p = bq_realloc(p, 1000);
    p = bq_realloc(p, 0);
    bq_free(NULL);
    assert_int_equal(bq_mem_live(), before + 4);
    bq_free(p);
    bq_free(q);
    bq_free(r);
    bq_free(s);
    assert_int_equal(bq_mem_live(), before);
}

static void each_kind_of_allocation_can_fail(void **state)
{
    (void)state;
    char *kept = bq_alloc(4);
    memcpy(kept, "abcd", 4);
    long before = bq_mem_live();
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    assert_null(bq_alloc(1));
    assert_null(bq_alloc_zero(1));
    assert_null(bq_realloc(NULL, 1));
    assert_null(bq_realloc(kept, 1000));
    assert_int_equal(bq_fault_hits(BQ_FAULT_alloc), 4);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_int_equal(bq_mem_live(), before);
    assert_memory_equal(kept, "abcd", 4);
    bq_free(kept);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_no_bytes_is_a_block),
        cmocka_unit_test(shrinking_to_nothing_does_not_free),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(growing_keeps_the_bytes),
#ifdef BQ_FAULTS
        cmocka_unit_test(live_blocks_are_counted),
        cmocka_unit_test(each_kind_of_allocation_can_fail),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
