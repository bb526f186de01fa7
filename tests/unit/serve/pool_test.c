/* What is given back is taken again, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/pool.h"

static void last_given_is_first_taken(void **state)
{
    (void)state;
    struct bq_pool p = {.count_max = 2};
    struct bq_spare a, b;
    assert_null(bq_pool_take(&p));
    assert_true(bq_pool_give(&p, &a));
    assert_true(bq_pool_give(&p, &b));
    assert_ptr_equal(bq_pool_take(&p), &b);
    assert_ptr_equal(bq_pool_take(&p), &a);
    assert_null(bq_pool_take(&p));
}

static void full_pool_takes_no_more(void **state)
{
    (void)state;
    struct bq_pool p = {.count_max = 1};
    struct bq_spare a, b;
    assert_true(bq_pool_give(&p, &a));
    assert_false(bq_pool_give(&p, &b));
    assert_int_equal(p.count, 1);
}

static void buffer_comes_back_empty_with_its_memory(void **state)
{
    (void)state;
    struct bq_buf_pool p = {.count = 0};
    struct bq_buf a = BQ_BUF_INIT, b = BQ_BUF_INIT;
    assert_int_equal(bq_buf_append(&a, BQ_STR("text")), 0);
    char *memory = a.data;
    bq_buf_pool_give(&p, &a);
    assert_null(a.data);
    bq_buf_pool_lend(&p, &b);
    assert_ptr_equal(b.data, memory);
    assert_int_equal(bq_buf_size(&b), 0);
    bq_buf_pool_give(&p, &b);
    bq_buf_pool_release(&p);
    assert_int_equal(p.count, 0);
}

static void large_buffer_is_not_kept(void **state)
{
    (void)state;
    struct bq_buf_pool p = {.count = 0};
    struct bq_buf a = BQ_BUF_INIT;
    assert_int_equal(bq_buf_reserve(&a, BQ_SPARE_BUF_BYTES + 1), 0);
    bq_buf_pool_give(&p, &a);
    assert_null(a.data);
    assert_int_equal(p.count, 0);
}

static void buffers_beyond_the_bound_are_freed(void **state)
{
    (void)state;
    struct bq_buf_pool p = {.count = 0};
    for (int i = 0; i < BQ_SPARE_BUFS + 3; i++) {
        struct bq_buf b = BQ_BUF_INIT;
        assert_int_equal(bq_buf_push(&b, 'x'), 0);
        bq_buf_pool_give(&p, &b);
    }
    assert_int_equal(p.count, BQ_SPARE_BUFS);
    bq_buf_pool_release(&p);
}

static void buffer_with_memory_is_lent_none(void **state)
{
    (void)state;
    struct bq_buf_pool p = {.count = 0};
    struct bq_buf a = BQ_BUF_INIT, b = BQ_BUF_INIT;
    assert_int_equal(bq_buf_push(&a, 'a'), 0);
    assert_int_equal(bq_buf_push(&b, 'b'), 0);
    bq_buf_pool_give(&p, &b);
    bq_buf_pool_lend(&p, &a);
    assert_int_equal(a.data[0], 'a');
    assert_int_equal(p.count, 1);
    bq_buf_release(&a);
    bq_buf_pool_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_given_is_first_taken),
        cmocka_unit_test(full_pool_takes_no_more),
        cmocka_unit_test(buffer_comes_back_empty_with_its_memory),
        cmocka_unit_test(large_buffer_is_not_kept),
        cmocka_unit_test(buffers_beyond_the_bound_are_freed),
        cmocka_unit_test(buffer_with_memory_is_lent_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
