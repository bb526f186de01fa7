/* format_test.c: tables of texts that are of a format, and of texts that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/format.h"

struct sample {
    bq_str text;
    bool good;
};

#define GOOD(text)         \
    {                      \
        BQ_STR(text), true \
    }
#define BAD(text)           \
    {                       \
        BQ_STR(text), false \
    }

static void holds(const char *name, const struct sample *samples, size_t count)
{
    const struct bq_format *format = bq_format_find(bq_str_cstr(name));
    assert_non_null(format);
    for (size_t i = 0; i < count; i++) {
        const char *fault = format->fault(samples[i].text);
        if (!fault != samples[i].good)
            fail_msg("%s '%.*s': %s", name, BQ_STR_ARG(samples[i].text), fault ? fault : "fits");
    }
}

#define HOLDS(name, samples) holds(name, samples, sizeof samples / sizeof samples[0])

#define LABEL_63 "a23456789-123456789-123456789-123456789-123456789-123456789-123"

static void emails_are_as_the_html_standard_says(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("a@b"),
        GOOD("user@example.com"),
        GOOD("first.last+tag@sub.example.co.uk"),
        GOOD(".dots..everywhere.@example.com"),
        GOOD("!#$%&'*+/=?^_`{|}~-@example.com"),
        GOOD("UPPER@EXAMPLE.COM"),
        GOOD("1@2"),
        GOOD("x@xn--bcher-kva.example"),
        GOOD("x@a-b.c--d"),
        GOOD("x@" LABEL_63),
        GOOD("x@" LABEL_63 "." LABEL_63 ".com"),
        BAD(""),
        BAD("@"),
        BAD("plain"),
        BAD("@example.com"),
        BAD("user@"),
        BAD("a@b@c"),
        BAD("user@.com"),
        BAD("user@example..com"),
        BAD("user@example.com."),
        BAD("user@-example.com"),
        BAD("user@example-.com"),
        BAD("user@exa_mple.com"),
        BAD("user name@example.com"),
        BAD("\"quoted\"@example.com"),
        BAD("user@[127.0.0.1]"),
        BAD("user@example.com "),
        BAD(" user@example.com"),
        BAD("user@example.com\n"),
        BAD("us\0er@example.com"),
        BAD("user@exam\0ple.com"),
        BAD("us\xc3\xa9r@example.com"),
        BAD("user@ex\xc3\xa4mple.com"),
        BAD("a,b@example.com"),
        BAD("x@" LABEL_63 "4"),
    };
    HOLDS("email", samples);
}

static void uuids_are_36_characters(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("00000000-0000-0000-0000-000000000000"),
        GOOD("ffffffff-ffff-ffff-ffff-ffffffffffff"),
        GOOD("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
        GOOD("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        GOOD("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"),
        GOOD("f81D4fAe-7dec-11D0-a765-00a0c91e6bF6"),
        GOOD("018f4e2b-9c1a-7def-8123-456789abcdef"),
        GOOD("550e8400-e29b-41d4-a716-446655440000"),
        BAD(""),
        BAD("-"),
        BAD("550e8400e29b41d4a716446655440000"),
        BAD("{550e8400-e29b-41d4-a716-446655440000}"),
        BAD("urn:uuid:550e8400-e29b-41d4-a716-446655440000"),
        BAD("550e8400-e29b-41d4-a716-44665544000"),
        BAD("550e8400-e29b-41d4-a716-4466554400000"),
        BAD("550e8400-e29b-41d4-a716_446655440000"),
        BAD("550e840-0e29b-41d4-a716-446655440000"),
        BAD("550e8400-e29b4-1d4-a716-446655440000"),
        BAD("550e8400-e29b-41d4a-716-446655440000"),
        BAD("g50e8400-e29b-41d4-a716-446655440000"),
        BAD("550e8400-e29b-41d4-a716-44665544000g"),
        BAD("550e8400-e29b-41d4-a716-44665544000 "),
        BAD("------------------------------------"),
        BAD("550e8400-e29b-41d4-a716-44665544000\0"),
        BAD("550e8400 e29b 41d4 a716 446655440000"),
        BAD("550e8400-e29b-41d4-a716-4466554400\xc3\xa4"),
        BAD("0x0e8400-e29b-41d4-a716-446655440000"),
    };
    HOLDS("uuid", samples);
}

static void uris_have_a_scheme_and_the_rfcs_characters(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("http://example.com"),
        GOOD("https://user:pass@example.com:8080/a/b;c=1?q=1&r=/?#frag/?"),
        GOOD("ftp://ftp.is.co.za/rfc/rfc1808.txt"),
        GOOD("ldap://[2001:db8::7]/c=GB?objectClass?one"),
        GOOD("mailto:John.Doe@example.com"),
        GOOD("news:comp.infosystems.www.servers.unix"),
        GOOD("tel:+1-816-555-1212"),
        GOOD("telnet://192.0.2.16:80/"),
        GOOD("urn:oasis:names:specification:docbook:dtd:xml:4.1.2"),
        GOOD("file:///etc/hosts"),
        GOOD("a:"),
        GOOD("A+-.9:/"),
        GOOD("http://[v1.fe:d]/"),
        GOOD("http://[::1]:80"),
        GOOD("http://example.com:"),
        GOOD("http://a%20b/%C3%A4?%00#%ff"),
        GOOD("x:a//b"),
        GOOD("http://999.999.999.999/"),
        BAD(""),
        BAD(":"),
        BAD("/relative"),
        BAD("//example.com/"),
        BAD("example.com"),
        BAD("1http://example.com"),
        BAD("ht tp://example.com"),
        BAD("h\xc3\xa4:x"),
        BAD("http://exa mple.com/"),
        BAD("http://example.com/a b"),
        BAD("http://example.com/%"),
        BAD("http://example.com/%4"),
        BAD("http://example.com/%4g"),
        BAD("http://example.com/<x>"),
        BAD("http://example.com/\xc3\xa4"),
        BAD("http://example.com:80a/"),
        BAD("http://example.com:-1/"),
        BAD("http://a@b@c/"),
        BAD("http://[::1/"),
        BAD("http://[::1]x/"),
        BAD("http://[1.2.3.4]/"),
        BAD("http://[v.x]/"),
        BAD("http://[v1.]/"),
        BAD("http://::1/"),
        BAD("http://example.com/?a|b"),
        BAD("http://example.com/#a#b"),
        BAD("http://example.com/\0"),
        BAD("http://example.com/\\"),
        BAD("http://example.com/\n"),
    };
    HOLDS("uri", samples);
}

static void dates_are_days_of_the_calendar(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("2024-01-31"),
        GOOD("2024-02-29"),
        GOOD("2000-02-29"),
        GOOD("2023-02-28"),
        GOOD("0000-01-01"),
        GOOD("0000-02-29"),
        GOOD("9999-12-31"),
        GOOD("2024-04-30"),
        GOOD("1900-02-28"),
        GOOD("2024-12-01"),
        BAD(""),
        BAD("2023-02-29"),
        BAD("1900-02-29"),
        BAD("2100-02-29"),
        BAD("2024-02-30"),
        BAD("2024-04-31"),
        BAD("2024-06-31"),
        BAD("2024-09-31"),
        BAD("2024-11-31"),
        BAD("2024-01-32"),
        BAD("2024-00-01"),
        BAD("2024-13-01"),
        BAD("2024-01-00"),
        BAD("2024-1-1"),
        BAD("24-01-01"),
        BAD("2024/01/01"),
        BAD("20240101"),
        BAD("2024-01-01T"),
        BAD("2024-01-01 "),
        BAD(" 2024-01-01"),
        BAD("02024-01-01"),
        BAD("-024-01-01"),
        BAD("+2024-01-01"),
        BAD("2024-01-01\0"),
        BAD("2024-01-01\n"),
        BAD("2024-01"),
        BAD("2024-W01-1"),
        BAD("2024-001"),
        BAD("yyyy-mm-dd"),
        BAD("2024-01-0a"),
    };
    HOLDS("date", samples);
}

static void times_may_have_an_offset(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("00:00:00"),
        GOOD("23:59:59"),
        GOOD("12:34:56.7"),
        GOOD("12:34:56.123456789012"),
        GOOD("12:34:56Z"),
        GOOD("12:34:56z"),
        GOOD("12:34:56.5+01:00"),
        GOOD("12:34:56-23:59"),
        GOOD("12:34:56-00:00"),
        GOOD("23:59:60"),
        GOOD("23:59:60Z"),
        GOOD("23:59:60.9Z"),
        GOOD("00:59:60+01:00"),
        GOOD("15:59:60-08:00"),
        GOOD("23:58:60-00:01"),
        BAD(""),
        BAD("12:34"),
        BAD("1:02:03"),
        BAD("24:00:00"),
        BAD("12:60:00"),
        BAD("12:34:60"),
        BAD("12:34:61"),
        BAD("12:34:56."),
        BAD("12:34:56,5"),
        BAD("12:34:56+0100"),
        BAD("12:34:56+01"),
        BAD("12:34:56+24:00"),
        BAD("12:34:56+01:60"),
        BAD("12:34:56 Z"),
        BAD("12:34:56ZZ"),
        BAD("12:34:56+01:00x"),
        BAD("12-34-56"),
        BAD("123456"),
        BAD("T12:34:56"),
        BAD("23:59:60+01:00"),
        BAD("00:59:60-01:00"),
        BAD("22:59:60Z"),
        BAD("12:34:5\0"),
        BAD("-1:34:56"),
    };
    HOLDS("time", samples);
}

static void datetimes_have_an_offset_and_leap_where_seconds_can(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("1985-04-12T23:20:50.52Z"),
        GOOD("1996-12-19T16:39:57-08:00"),
        GOOD("1990-12-31T23:59:60Z"),
        GOOD("1990-12-31T15:59:60-08:00"),
        GOOD("1937-01-01T12:00:27.87+00:20"),
        GOOD("2024-02-29t00:00:00z"),
        GOOD("2024-02-29T23:59:59+23:59"),
        GOOD("2016-12-31T23:59:60.999Z"),
        GOOD("2017-01-01T00:59:60+01:00"),
        GOOD("2015-06-30T23:59:60Z"),
        GOOD("2015-07-01T08:59:60+09:00"),
        GOOD("2024-02-29T23:59:60Z"),
        GOOD("0000-01-01T00:00:00Z"),
        BAD(""),
        BAD("2024-01-01"),
        BAD("2024-01-01T00:00:00"),
        BAD("2024-01-01 00:00:00Z"),
        BAD("2024-01-01T00:00Z"),
        BAD("2024-01-01T24:00:00Z"),
        BAD("2024-02-30T00:00:00Z"),
        BAD("2023-02-29T00:00:00Z"),
        BAD("2024-13-01T00:00:00Z"),
        BAD("2024-01-01T00:00:00.Z"),
        BAD("2024-01-01T00:00:00+1:00"),
        BAD("2024-01-01T00:00:00+0100"),
        BAD("2024-01-01T00:00:00Z "),
        BAD("2024-01-01T00:00:00ZZ"),
        BAD("2024-01-01T00:00:60Z"),
        BAD("2016-12-30T23:59:60Z"),
        BAD("2023-02-27T23:59:60Z"),
        BAD("2024-02-28T23:59:60Z"),
        BAD("2017-01-01T23:59:60Z"),
        BAD("2016-12-31T23:59:60+01:00"),
        BAD("2016-12-31T22:59:60-01:01"),
        BAD("2016-12-31T23:59:61Z"),
        BAD("1700000000"),
        BAD("20240101T000000Z"),
        BAD("2024-01-01T00:00:00+25:00"),
    };
    HOLDS("datetime", samples);
}

static void ipv4_addresses_are_four_plain_numbers(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("0.0.0.0"),     GOOD("255.255.255.255"), GOOD("192.0.2.1"), GOOD("1.2.3.4"),
        GOOD("10.20.30.40"), GOOD("100.100.100.100"), GOOD("127.0.0.1"), BAD(""),
        BAD("1.2.3"),        BAD("1.2.3.4.5"),        BAD("1.2.3."),     BAD(".1.2.3"),
        BAD("1..2.3"),       BAD("256.1.1.1"),        BAD("1.1.1.256"),  BAD("1.1.1.999"),
        BAD("01.2.3.4"),     BAD("1.2.3.00"),         BAD("1.2.3.04"),   BAD("0x1.2.3.4"),
        BAD("1.2.3.4 "),     BAD(" 1.2.3.4"),         BAD("1.2.3.4\0"),  BAD("1.2.3.4/24"),
        BAD("1.2.3.-4"),     BAD("1.2.3.+4"),         BAD("16909060"),   BAD("1,2,3,4"),
        BAD("1.2.3.1000"),   BAD("a.b.c.d"),          BAD("1.2.3.4:80"), BAD("::1"),
    };
    HOLDS("ipv4", samples);
}

static void ipv6_addresses_have_eight_groups_or_one_gap(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD("::"),
        GOOD("::1"),
        GOOD("1::"),
        GOOD("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789"),
        GOOD("2001:DB8:0:0:8:800:200C:417A"),
        GOOD("2001:db8::8:800:200c:417a"),
        GOOD("ff01::101"),
        GOOD("::ffff:129.144.52.38"),
        GOOD("0:0:0:0:0:0:13.1.68.3"),
        GOOD("1:2:3:4:5:6:1.2.3.4"),
        GOOD("::1.2.3.4"),
        GOOD("1:2:3:4:5:6:7::"),
        GOOD("::2:3:4:5:6:7:8"),
        GOOD("1::3:4:5:6:7:8"),
        GOOD("1:2:3:4:5::1.2.3.4"),
        GOOD("0001:0002:0003:0004:0005:0006:0007:0008"),
        BAD(""),
        BAD(":"),
        BAD(":::"),
        BAD("1"),
        BAD("1:2:3:4:5:6:7"),
        BAD("1:2:3:4:5:6:7:8:9"),
        BAD("1:2:3:4:5:6:7:8:"),
        BAD(":1:2:3:4:5:6:7:8"),
        BAD("1:2:3:4:5:6:7:8::"),
        BAD("::1:2:3:4:5:6:7:8"),
        BAD("1::2::3"),
        BAD("1:::2"),
        BAD("::1::"),
        BAD("12345::"),
        BAD("g::"),
        BAD("1:2:3:4:5:6:7:1.2.3.4"),
        BAD("1:2:3:4:5:6::1.2.3.4"),
        BAD("::1.2.3"),
        BAD("::1.2.3.256"),
        BAD("::1.2.3.04"),
        BAD("1.2.3.4"),
        BAD("::1.2.3.4:5"),
        BAD("::1.2.3.4::"),
        BAD("fe80::1%eth0"),
        BAD("[::1]"),
        BAD("::1/64"),
        BAD("::1 "),
        BAD("::1\0"),
        BAD("1:"),
        BAD("1::2:"),
    };
    HOLDS("ipv6", samples);
}

static void bytes_are_padded_base64(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        GOOD(""),          GOOD("Zg=="),     GOOD("Zm8="),    GOOD("Zm9v"), GOOD("Zm9vYg=="),
        GOOD("Zm9vYmE="),  GOOD("Zm9vYmFy"), GOOD("AAAA"),    GOOD("////"), GOOD("++++"),
        GOOD("+/8="),      GOOD("/w=="),     BAD("="),        BAD("=="),    BAD("==="),
        BAD("===="),       BAD("Z"),         BAD("Zg"),       BAD("Zg="),   BAD("Zm8"),
        BAD("Zh=="),       BAD("Zm9="),      BAD("Zg==Zg=="), BAD("Zm=v"),  BAD("Z==="),
        BAD("Zm9v\n"),     BAD("Zm9 "),      BAD("Zm-_"),     BAD("Zm9v="), BAD("Zm9\0"),
        BAD("Zm\xc3\xa4"), BAD("Zg=a"),
    };
    HOLDS("bytes", samples);
}

static void decodes(bq_str text, bq_str expected)
{
    char out[16];
    assert_int_equal(bq_format_decode(text, out), expected.n);
    assert_memory_equal(out, expected.p, expected.n);
}

static void base64_gives_its_bytes(void **state)
{
    (void)state;
    decodes(BQ_STR(""), BQ_STR(""));
    decodes(BQ_STR("Zg=="), BQ_STR("f"));
    decodes(BQ_STR("Zm8="), BQ_STR("fo"));
    decodes(BQ_STR("Zm9v"), BQ_STR("foo"));
    decodes(BQ_STR("Zm9vYmFy"), BQ_STR("foobar"));
    decodes(BQ_STR("AP+A"), BQ_STR("\0\xff\x80"));
    decodes(BQ_STR("+/8="), BQ_STR("\xfb\xff"));
}

static void only_bytes_are_decoded_and_only_listed_names_are_formats(void **state)
{
    (void)state;
    assert_true(bq_format_is_bytes(bq_format_find(BQ_STR("bytes"))));
    assert_false(bq_format_is_bytes(bq_format_find(BQ_STR("email"))));
    assert_false(bq_format_is_bytes(NULL));
    assert_null(bq_format_find(BQ_STR("")));
    assert_null(bq_format_find(BQ_STR("Email")));
    assert_null(bq_format_find(BQ_STR("emails")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emails_are_as_the_html_standard_says),
        cmocka_unit_test(uuids_are_36_characters),
        cmocka_unit_test(uris_have_a_scheme_and_the_rfcs_characters),
        cmocka_unit_test(dates_are_days_of_the_calendar),
        cmocka_unit_test(times_may_have_an_offset),
        cmocka_unit_test(datetimes_have_an_offset_and_leap_where_seconds_can),
        cmocka_unit_test(ipv4_addresses_are_four_plain_numbers),
        cmocka_unit_test(ipv6_addresses_have_eight_groups_or_one_gap),
        cmocka_unit_test(bytes_are_padded_base64),
        cmocka_unit_test(base64_gives_its_bytes),
        cmocka_unit_test(only_bytes_are_decoded_and_only_listed_names_are_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
