/* quantity_test.c: durations and sizes as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/quantity.h"
#include "base/rc.h"

static void durations_default_to_seconds(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {{"30", 30000},  {"0.5", 500},    {"500ms", 500},          {"30s", 30000},
                 {"2m", 120000}, {"1h", 3600000}, {"1.5h", 5400000},       {"0.0019", 1},
                 {"0", 0},       {"2M", 120000},  {"0.1234567890123", 123}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t ms = UINT64_MAX;
        assert_int_equal(bq_quantity_ms(bq_str_cstr(cases[i].text), &ms), BQ_OK);
        assert_int_equal(ms, cases[i].ms);
    }
    (void)state;
}

static void sizes_are_powers_of_1024(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"4096", 4096},   {"16k", 16384},    {"64K", 65536},
                 {"16KiB", 16384}, {"1MiB", 1 << 20}, {"1mb", 1 << 20},
                 {"1.5KiB", 1536}, {"7B", 7},         {"2g", UINT64_C(2) << 30},
                 {"0", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = UINT64_MAX;
        assert_int_equal(bq_quantity_bytes(bq_str_cstr(cases[i].text), &bytes), BQ_OK);
        assert_int_equal(bytes, cases[i].bytes);
    }
    (void)state;
}

static void anything_else_is_invalid(void **state)
{
    static const char *const odd[] = {"",    " 1",  "1 ",  "-1",    "+1", ".5",  "1.", "1..2",
                                      "0x1", "1e3", "1kk", "1 MiB", "k",  "1,5", "inf"};
    uint64_t out = 7;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_int_equal(bq_quantity_ms(bq_str_cstr(odd[i]), &out), BQ_INVALID);
        assert_int_equal(bq_quantity_bytes(bq_str_cstr(odd[i]), &out), BQ_INVALID);
    }
    assert_int_equal(bq_quantity_bytes(BQ_STR("1\0"), &out), BQ_INVALID);
    assert_int_equal(bq_quantity_bytes(BQ_STR("1s"), &out), BQ_INVALID);
    assert_int_equal(bq_quantity_ms(BQ_STR("1k"), &out), BQ_INVALID);
    assert_int_equal(out, 7);
    (void)state;
}

static void what_cannot_be_counted_is_a_limit(void **state)
{
    uint64_t out = 7;
    assert_int_equal(bq_quantity_bytes(BQ_STR("18446744073709551615"), &out), BQ_OK);
    assert_int_equal(bq_quantity_bytes(BQ_STR("18446744073709551616"), &out), BQ_LIMIT);
    assert_int_equal(bq_quantity_bytes(BQ_STR("18014398509481984k"), &out), BQ_LIMIT);
    assert_int_equal(bq_quantity_ms(BQ_STR("18446744073709551"), &out), BQ_OK);
    assert_int_equal(bq_quantity_ms(BQ_STR("18446744073709551.7"), &out), BQ_LIMIT);
    (void)state;
}

static void texts_use_the_largest_unit_that_divides(void **state)
{
    char text[BQ_QUANTITY_TEXT_MAX];
    bq_quantity_ms_text(120000, text);
    assert_string_equal(text, "2m");
    bq_quantity_ms_text(1500, text);
    assert_string_equal(text, "1500ms");
    bq_quantity_ms_text(0, text);
    assert_string_equal(text, "0ms");
    bq_quantity_bytes_text(16384, text);
    assert_string_equal(text, "16KiB");
    bq_quantity_bytes_text(4097, text);
    assert_string_equal(text, "4097B");
    bq_quantity_bytes_text(UINT64_MAX, text);
    assert_string_equal(text, "18446744073709551615B");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_default_to_seconds),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(anything_else_is_invalid),
        cmocka_unit_test(what_cannot_be_counted_is_a_limit),
        cmocka_unit_test(texts_use_the_largest_unit_that_divides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
