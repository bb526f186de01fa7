/* request_id_test.c: ids that are made, ids and traces that are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "http/request_id.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

struct asked {
    struct bq_exchange ex;
    struct bq_client client;
    struct bq_field fields[3];
    struct bq_ids ids;
};

static int setup(void **state)
{
    struct asked *a = test_calloc(1, sizeof *a);
    bq_exchange_init(&a->ex, NULL, NULL);
    bq_ids_init(&a->ids, UINT64_C(0x0123456789abcdef));
    a->ex.request.fields = a->fields;
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    struct asked *a = *state;
    bq_exchange_release(&a->ex);
    test_free(a);
    return 0;
}

static void add(struct asked *a, const char *name, const char *value)
{
    a->fields[a->ex.request.field_count++] =
        (struct bq_field){bq_str_cstr(name), bq_str_cstr(value)};
}

static void expect_id(struct asked *a, const char *expected)
{
    assert_int_equal(bq_request_id_set(&a->ex, &a->ids), BQ_OK);
    assert_true(bq_str_eq(a->ex.id, bq_str_cstr(expected)));
}

static void ids_are_made_by_counting(void **state)
{
    struct asked *a = *state;
    expect_id(a, "0123456789abcdef0000000000000000");
    expect_id(a, "0123456789abcdef0000000000000000"); /* it has one */
    a->ex.id = BQ_STR("");
    expect_id(a, "0123456789abcdef0000000000000001");
    a->ex.id = BQ_STR("");
    a->ids.count = UINT64_MAX;
    expect_id(a, "0123456789abcdefffffffffffffffff");
}

static void a_trusted_proxy_may_bring_one(void **state)
{
    struct asked *a = *state;
    a->ex.client = &a->client;
    add(a, "X-Request-ID", "7f3c:1a/b+c=~._-Z");
    expect_id(a, "7f3c:1a/b+c=~._-Z");
}

static void nobody_else_may(void **state)
{
    struct asked *a = *state;
    add(a, "X-Request-Id", "abc");
    expect_id(a, "0123456789abcdef0000000000000000");
}

static void two_are_none(void **state)
{
    struct asked *a = *state;
    a->ex.client = &a->client;
    add(a, "X-Request-Id", "abc");
    add(a, "Accept", "*/*");
    add(a, "x-request-id", "abd");
    expect_id(a, "0123456789abcdef0000000000000000");
}

static void ids_are_short_and_of_plain_characters(void **state)
{
    static const char *const wrong[] = {"",    " a",  "a b",      "a\"", "a\\",
                                        "a,b", "a\n", "\xc3\xa9", "<"};
    char text[BQ_REQUEST_ID_BYTES_MAX + 1];
    (void)state;
    memset(text, 'a', sizeof text);
    assert_true(bq_request_id_valid(bq_str_of(text, BQ_REQUEST_ID_BYTES_MAX)));
    assert_false(bq_request_id_valid(bq_str_of(text, BQ_REQUEST_ID_BYTES_MAX + 1)));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(bq_request_id_valid(bq_str_cstr(wrong[i])));
    assert_false(bq_request_id_valid(bq_str_of("a\0b", 3)));
}

static void without_memory_there_is_none(void **state)
{
#ifdef BQ_FAULTS
    struct asked *a = *state;
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    while (bq_arena_alloc(&a->ex.arena, 8))
        ;
    assert_int_equal(bq_request_id_set(&a->ex, &a->ids), BQ_MEMORY);
    assert_int_equal(a->ex.id.n, 0);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
#else
    skip();
#endif
    (void)state;
}

static void a_trace_is_that_of_a_trusted_proxy(void **state)
{
    static const char text[] = "00-" TRACE "-" PARENT "-01";
    struct asked *a = *state;
    add(a, "Traceparent", text);
    assert_int_equal(bq_traceparent_of(&a->ex).n, 0);
    a->ex.client = &a->client;
    bq_str found = bq_traceparent_of(&a->ex);
    assert_true(bq_str_eq(found, bq_str_cstr(text)));
    assert_true(bq_str_eq(bq_trace_id(found), BQ_STR(TRACE)));
    add(a, "traceparent", text);
    assert_int_equal(bq_traceparent_of(&a->ex).n, 0);
}

static void traces_are_read_as_the_w3c_has_it(void **state)
{
    static const char *const right[] = {
        "00-" TRACE "-" PARENT "-00",
        "00-" TRACE "-" PARENT "-ff",
        "01-" TRACE "-" PARENT "-01",
        "cc-" TRACE "-" PARENT "-01-what the future brings",
        "00-00000000000000000000000000000001-0000000000000001-00",
    };
    static const char *const wrong[] = {
        "",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01.",
        "01-" TRACE "-" PARENT "-01.",
        "ff-" TRACE "-" PARENT "-01",
        "0-" TRACE "-" PARENT "-011",
        "0x-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-0g",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
    };
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(bq_traceparent_valid(bq_str_cstr(right[i])));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(bq_traceparent_valid(bq_str_cstr(wrong[i])));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_are_made_by_counting),
        TEST(a_trusted_proxy_may_bring_one),
        TEST(nobody_else_may),
        TEST(two_are_none),
        TEST(ids_are_short_and_of_plain_characters),
        TEST(without_memory_there_is_none),
        TEST(a_trace_is_that_of_a_trusted_proxy),
        TEST(traces_are_read_as_the_w3c_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
