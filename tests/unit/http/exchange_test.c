/* exchange_test.c: the life of an exchange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/exchange.h"

static void count_cleanup(void *arg)
{
    ++*(int *)arg;
}

static void reset_forgets_the_request_and_keeps_the_connection(void **state)
{
    (void)state;
    struct bq_exchange ex;
    const struct bq_sink sink = {0};
    int conn, cleanups = 0;
    bq_exchange_init(&ex, &sink, &conn);
    ex.request.method = BQ_PUT;
    ex.gone = true;
    ex.app = &conn;
    assert_int_equal(bq_arena_defer(&ex.arena, count_cleanup, &cleanups), 0);
    bq_exchange_reset(&ex);
    assert_int_equal(cleanups, 1);
    assert_int_equal(ex.request.method, BQ_GET);
    assert_false(ex.gone);
    assert_null(ex.app);
    assert_ptr_equal(ex.conn, &conn);
    assert_ptr_equal(ex.sink, &sink);
    bq_exchange_release(&ex);
}

static void small_requests_lie_in_the_first_block(void **state)
{
    (void)state;
    struct bq_exchange ex;
    bq_exchange_init(&ex, NULL, NULL);
    char *p = bq_arena_alloc(&ex.arena, BQ_EXCHANGE_ARENA_BYTES / 2);
    assert_true(p >= ex.first_block && p < ex.first_block + sizeof ex.first_block);
    bq_exchange_release(&ex);
}

static void fields_are_found_by_name_letters_folded(void **state)
{
    (void)state;
    const struct bq_field fields[] = {{BQ_STR("Accept"), BQ_STR("a")},
                                      {BQ_STR("X"), BQ_STR("first")},
                                      {BQ_STR("x"), BQ_STR("second")}};
    struct bq_request r = {.fields = fields, .field_count = 3};
    assert_ptr_equal(bq_request_find(&r, BQ_STR("ACCEPT")), &fields[0]);
    assert_ptr_equal(bq_request_find(&r, BQ_STR("x")), &fields[1]);
    assert_null(bq_request_find(&r, BQ_STR("Accep")));
}

static void methods_have_names(void **state)
{
    (void)state;
    assert_string_equal(bq_method_name(BQ_GET), "GET");
    assert_string_equal(bq_method_name(BQ_OPTIONS), "OPTIONS");
    assert_string_equal(bq_method_name(BQ_METHOD_OTHER), "other");
    assert_string_equal(bq_method_name((enum bq_method)4000000), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_have_names),
        cmocka_unit_test(reset_forgets_the_request_and_keeps_the_connection),
        cmocka_unit_test(small_requests_lie_in_the_first_block),
        cmocka_unit_test(fields_are_found_by_name_letters_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
