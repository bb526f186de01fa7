/* decode_test.c: percent-encoding, queries and cookies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "http/decode.h"

static void expect_decoded(const char *in, bool plus, const char *out)
{
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    bq_str s;
    assert_int_equal(bq_percent_decode(&a, bq_str_cstr(in), plus, &s), BQ_OK);
    assert_true(bq_str_eq(s, bq_str_cstr(out)));
    bq_arena_release(&a);
}

static void encoded_bytes_are_decoded_once(void **state)
{
    (void)state;
    expect_decoded("", false, "");
    expect_decoded("abc", false, "abc");
    expect_decoded("a%20b", false, "a b");
    expect_decoded("%41%4a%4A", false, "AJJ");
    expect_decoded("%2541", false, "%41");
    expect_decoded("%e2%82%ac", false, "\xe2\x82\xac");
    expect_decoded("a+b", false, "a+b");
    expect_decoded("a+b%2B+", true, "a b+ ");
    expect_decoded("+", true, " ");
}

static void an_encoded_nul_is_a_byte_like_others(void **state)
{
    (void)state;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    bq_str s;
    assert_int_equal(bq_percent_decode(&a, BQ_STR("a%00b"), false, &s), BQ_OK);
    assert_true(bq_str_eq(s, BQ_STR("a\0b")));
    bq_arena_release(&a);
}

static void what_needs_no_decoding_is_not_copied(void **state)
{
    (void)state;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    bq_str in = BQ_STR("a+b"), out;
    assert_int_equal(bq_percent_decode(&a, in, false, &out), BQ_OK);
    assert_ptr_equal(out.p, in.p);
    assert_int_equal(bq_percent_decode(&a, in, true, &out), BQ_OK);
    assert_ptr_not_equal(out.p, in.p);
    bq_arena_release(&a);
}

static void broken_encodings_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"%",    "%2",  "a%",  "a%4", "%g0",    "%0g",
                                      "%%41", "%-1", "% 1", "%+1", "%u0041", "a%41%"};
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    bq_str out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bq_percent_decode(&a, bq_str_cstr(bad[i]), true, &out), BQ_INVALID);
    bq_arena_release(&a);
}

static void all_but_unreserved_characters_are_encoded(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    assert_int_equal(bq_percent_encode(&b, BQ_STR("aZ09-._~ /?%+\0\xff")), BQ_OK);
    assert_true(bq_str_eq(bq_buf_str(&b), BQ_STR("aZ09-._~%20%2F%3F%25%2B%00%FF")));
    bq_buf_release(&b);
}

static void every_byte_survives_encoding_and_decoding(void **state)
{
    (void)state;
    char bytes[256];
    for (int c = 0; c < 256; c++)
        bytes[c] = (char)c;
    struct bq_buf b = BQ_BUF_INIT;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    assert_int_equal(bq_percent_encode(&b, bq_str_of(bytes, sizeof bytes)), BQ_OK);
    bq_str out;
    assert_int_equal(bq_percent_decode(&a, bq_buf_str(&b), true, &out), BQ_OK);
    assert_true(bq_str_eq(out, bq_str_of(bytes, sizeof bytes)));
    bq_arena_release(&a);
    bq_buf_release(&b);
}

/* Writes "name=value" in brackets for each that next finds. */
static void expect_pairs(bool (*next)(bq_str *, bq_str *, bq_str *), const char *in,
                         const char *out)
{
    struct bq_buf b = BQ_BUF_INIT;
    bq_str rest = bq_str_cstr(in), name, value;
    while (next(&rest, &name, &value))
        bq_buf_printf(&b, "[%.*s=%.*s]", BQ_STR_ARG(name), BQ_STR_ARG(value));
    bq_buf_push(&b, '\0');
    assert_string_equal(b.data, out);
    bq_buf_release(&b);
}

static void queries_are_cut_at_ampersands(void **state)
{
    (void)state;
    expect_pairs(bq_query_next, "", "");
    expect_pairs(bq_query_next, "&&&", "");
    expect_pairs(bq_query_next, "a=b", "[a=b]");
    expect_pairs(bq_query_next, "&a=b&&c=d&", "[a=b][c=d]");
    expect_pairs(bq_query_next, "a&b=&=c&=", "[a=][b=][=c][=]");
    expect_pairs(bq_query_next, "a=b=c&a=2", "[a=b=c][a=2]");
    expect_pairs(bq_query_next, "a%26b=c;d=e+f", "[a%26b=c;d=e+f]");
}

static void cookies_are_cut_at_semicolons_and_trimmed(void **state)
{
    (void)state;
    expect_pairs(bq_cookie_next, "", "");
    expect_pairs(bq_cookie_next, " ; ;", "");
    expect_pairs(bq_cookie_next, "a=b", "[a=b]");
    expect_pairs(bq_cookie_next, "a=b; c=d;e=f ;\tg = h\t", "[a=b][c=d][e=f][g=h]");
    expect_pairs(bq_cookie_next, "a; b=c; =d; e=", "[b=c][e=]");
    expect_pairs(bq_cookie_next, "a=\"b c\"; d=\"; e=\"\"; f=\"x", "[a=b c][d=\"][e=][f=\"x]");
    expect_pairs(bq_cookie_next, "a=b=c; a=2", "[a=b=c][a=2]");
}

#ifdef BQ_FAULTS
static void a_failing_allocation_is_told(void **state)
{
    (void)state;
    struct bq_arena a;
    struct bq_buf b = BQ_BUF_INIT;
    bq_arena_init(&a, NULL, 0);
    bq_str out;
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    assert_int_equal(bq_percent_decode(&a, BQ_STR("%41"), false, &out), BQ_MEMORY);
    assert_int_equal(bq_percent_encode(&b, BQ_STR("x")), BQ_MEMORY);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_int_equal(bq_buf_size(&b), 0);
    bq_arena_release(&a);
    bq_buf_release(&b);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoded_bytes_are_decoded_once),
        cmocka_unit_test(an_encoded_nul_is_a_byte_like_others),
        cmocka_unit_test(what_needs_no_decoding_is_not_copied),
        cmocka_unit_test(broken_encodings_are_refused),
        cmocka_unit_test(all_but_unreserved_characters_are_encoded),
        cmocka_unit_test(every_byte_survives_encoding_and_decoding),
        cmocka_unit_test(queries_are_cut_at_ampersands),
        cmocka_unit_test(cookies_are_cut_at_semicolons_and_trimmed),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_failing_allocation_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
