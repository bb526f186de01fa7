/* chunked_test.c: the coding alone: pieces, counters and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chunked.h"

static void data_comes_in_the_pieces_that_were_fed(void **state)
{
    (void)state;
    struct bq_chunked c = {0};
    bq_str in = BQ_STR("A\r\n01234"), data;
    assert_int_equal(bq_chunked_feed(&c, &in, &data), BQ_CHUNK_DATA);
    assert_true(bq_str_eq(data, BQ_STR("01234")));
    assert_int_equal(bq_chunked_feed(&c, &in, &data), BQ_CHUNK_MORE);
    in = BQ_STR("56789\r\n0\r\nrest");
    assert_int_equal(bq_chunked_feed(&c, &in, &data), BQ_CHUNK_DATA);
    assert_true(bq_str_eq(data, BQ_STR("56789")));
    assert_int_equal(bq_chunked_feed(&c, &in, &data), BQ_CHUNK_LAST);
    assert_true(bq_str_eq(in, BQ_STR("rest")));
    assert_int_equal(bq_chunked_feed(&c, &in, &data), BQ_CHUNK_LAST);
}

static void the_largest_size_is_read_exactly(void **state)
{
    (void)state;
    struct bq_chunked c = {0};
    bq_str in = BQ_STR("fFfFfFfFfFfFfFf\r\nx"), data;
    assert_int_equal(bq_chunked_feed(&c, &in, &data), BQ_CHUNK_DATA);
    assert_int_equal(data.n, 1);
    assert_true(c.left == (UINT64_C(1) << 60) - 2);
}

static void a_fault_stays(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "x", "1x", "1\n", "1\r\r", "1\r\nab", "1\r\na\n", "1\r\na\rb", "1;\x01", "1 ", "\r\n", ";"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct bq_chunked c = {0};
        bq_str in = bq_str_cstr(faults[i]), data;
        enum bq_chunk_event event;
        do
            event = bq_chunked_feed(&c, &in, &data);
        while (event == BQ_CHUNK_DATA);
        assert_int_equal(event, BQ_CHUNK_INVALID);
        in = BQ_STR("0\r\n");
        assert_int_equal(bq_chunked_feed(&c, &in, &data), BQ_CHUNK_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_comes_in_the_pieces_that_were_fed),
        cmocka_unit_test(the_largest_size_is_read_exactly),
        cmocka_unit_test(a_fault_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
