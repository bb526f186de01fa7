/* buf_test.c: appending, consuming, growing, failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"

static void assert_holds(const struct bq_buf *b, const char *expected)
{
    assert_true(bq_str_eq(bq_buf_str(b), bq_str_cstr(expected)));
}

static void an_empty_buffer_is_an_empty_string(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    assert_non_null(bq_buf_str(&b).p);
    assert_int_equal(bq_buf_size(&b), 0);
    assert_int_equal(bq_buf_append(&b, bq_str_of(NULL, 0)), BQ_OK);
    bq_buf_consume(&b, 0);
    bq_buf_release(&b);
}

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    unsigned char in = 0, out = 0;
    for (int round = 0; round < 3000; round++) {
        for (int i = 0; i < round % 23; i++)
            assert_int_equal(bq_buf_push(&b, (char)in++), BQ_OK);
        size_t take =
            bq_buf_size(&b) < (size_t)(round % 19) ? bq_buf_size(&b) : (size_t)(round % 19);
        for (size_t i = 0; i < take; i++)
            assert_int_equal((unsigned char)bq_buf_str(&b).p[i], out++);
        bq_buf_consume(&b, take);
        assert_in_range(b.pos, 0, b.len);
        assert_in_range(b.len, 0, b.cap);
    }
    bq_buf_release(&b);
}

static void consuming_everything_starts_over(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    assert_int_equal(bq_buf_append(&b, BQ_STR("abc")), BQ_OK);
    bq_buf_consume(&b, 1);
    assert_holds(&b, "bc");
    bq_buf_consume(&b, 2);
    assert_int_equal(b.pos + b.len, 0);
    bq_buf_release(&b);
}

static void consumed_space_is_used_again(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    char block[200];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(bq_buf_append(&b, bq_str_of(block, 100)), BQ_OK);
        bq_buf_consume(&b, i ? 100 : 50);
    }
    assert_in_range(b.cap, 150, 512);
    bq_buf_release(&b);
}

static void a_reserve_holds_what_it_promises(void **state)
{
    (void)state;
    for (size_t n = 0; n < 2000; n += 37) {
        struct bq_buf b = BQ_BUF_INIT;
        assert_int_equal(bq_buf_append(&b, BQ_STR("0123456789")), BQ_OK);
        bq_buf_consume(&b, n % 10);
        assert_int_equal(bq_buf_reserve(&b, n), BQ_OK);
        assert_true(b.cap - b.len >= n);
        assert_holds(&b, &"0123456789"[n % 10]);
        bq_buf_release(&b);
    }
}

/* A peer that takes single bytes of a full buffer must not cost a move of the rest each time. */
static void small_bites_from_a_full_buffer_do_not_move_the_rest(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    int moves = 0;
    for (int i = 0; i < 4096; i++)
        assert_int_equal(bq_buf_push(&b, 'x'), BQ_OK);
    for (int i = 0; i < 4096; i++) {
        bq_buf_consume(&b, 1);
        size_t pos = b.pos;
        assert_int_equal(bq_buf_push(&b, 'x'), BQ_OK);
        moves += b.pos < pos;
    }
    assert_in_range(moves, 0, 2);
    assert_in_range(b.cap, 4096, 8192);
    bq_buf_release(&b);
}

static void formatted_text_is_appended_whole(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    char long_text[1000];
    memset(long_text, 'y', sizeof long_text);
    assert_int_equal(bq_buf_printf(&b, "%d-%s", 42, "x"), BQ_OK);
    assert_holds(&b, "42-x");
    assert_int_equal(bq_buf_printf(&b, "%s", ""), BQ_OK);
    assert_int_equal(bq_buf_printf(&b, "%.*s", BQ_STR_ARG(bq_str_of(long_text, 1000))), BQ_OK);
    assert_int_equal(bq_buf_size(&b), 1004);
    assert_memory_equal(b.data + 4, long_text, 1000);
    bq_buf_release(&b);
}

static void an_impossible_size_fails_and_harms_nothing(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    assert_int_equal(bq_buf_append(&b, BQ_STR("abc")), BQ_OK);
    bq_buf_consume(&b, 1);
    assert_int_equal(bq_buf_reserve(&b, SIZE_MAX), BQ_MEMORY);
    assert_int_equal(bq_buf_reserve(&b, SIZE_MAX - b.len), BQ_MEMORY);
    assert_int_equal(bq_buf_reserve(&b, SIZE_MAX / 2), BQ_MEMORY);
    assert_true(b.failed);
    assert_holds(&b, "bc");
    bq_buf_release(&b);
}

#ifdef BQ_FAULTS
static void a_failed_append_leaves_the_contents_and_is_remembered(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    char block[1000] = {0};
    assert_int_equal(bq_buf_append(&b, BQ_STR("abc")), BQ_OK);
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    assert_int_equal(bq_buf_append(&b, bq_str_of(block, sizeof block)), BQ_MEMORY);
    assert_int_equal(bq_buf_printf(&b, "%1000d", 1), BQ_MEMORY);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_holds(&b, "abc");
    assert_int_equal(bq_buf_push(&b, 'd'), BQ_OK);
    assert_true(b.failed);
    bq_buf_reset(&b);
    assert_false(b.failed);
    bq_buf_release(&b);
}
#endif

static void release_frees_and_leaves_a_usable_buffer(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    long before = bq_mem_live();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bq_buf_push(&b, 'x'), BQ_OK);
        bq_buf_release(&b);
        assert_int_equal(bq_mem_live(), before);
        assert_int_equal(b.cap, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
        cmocka_unit_test(consuming_everything_starts_over),
        cmocka_unit_test(consumed_space_is_used_again),
        cmocka_unit_test(a_reserve_holds_what_it_promises),
        cmocka_unit_test(small_bites_from_a_full_buffer_do_not_move_the_rest),
        cmocka_unit_test(formatted_text_is_appended_whole),
        cmocka_unit_test(an_impossible_size_fails_and_harms_nothing),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_failed_append_leaves_the_contents_and_is_remembered),
#endif
        cmocka_unit_test(release_frees_and_leaves_a_usable_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
