/* h1_head_test.c: framing decisions without the layers that guard them: llhttp refuses
 * much of this first, and these rules must hold without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/h1_head.h"

#define HOST                        \
    {                               \
        BQ_STR("Host"), BQ_STR("a") \
    }

static struct bq_refusal read_head(uint8_t minor, const struct bq_field *fields, size_t n,
                                   struct bq_h1_framing *framing)
{
    struct bq_request r = {.method = BQ_POST, .target = BQ_STR("/"), .version_minor = minor};
    r.fields = fields;
    r.field_count = n;
    return bq_h1_head_read(&r, framing);
}

/* What name: value, once or twice, comes to beside a Host. */
static int status_of(uint8_t minor, const char *name, const char *value, size_t times)
{
    struct bq_field field = {bq_str_cstr(name), bq_str_cstr(value)};
    struct bq_field fields[] = {HOST, field, field};
    struct bq_h1_framing framing;
    return read_head(minor, fields, 1 + times, &framing).status;
}

static void lengths_are_digits_said_once(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "+5",
                                      "-5",
                                      "0x5",
                                      "5, 5",
                                      "5,6",
                                      "5 5",
                                      " ",
                                      "5;",
                                      "5.0",
                                      "९",
                                      "9223372036854775808",
                                      "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(status_of(1, "content-LENGTH", bad[i], 1), 400);
    assert_int_equal(status_of(1, "content-length", "5", 1), 0);
    assert_int_equal(status_of(1, "content-length", "5", 2), 400);
    assert_int_equal(status_of(0, "content-length", "5", 2), 400);
}

static void the_only_coding_is_chunked_said_once(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ",",
                                      "chunked,",
                                      ",chunked",
                                      "xchunked",
                                      "chunkedx",
                                      "chunked, gzip",
                                      "gzip",
                                      "identity",
                                      "chunked;",
                                      "\"chunked\"",
                                      "chunked, chunked",
                                      "identity, chunked",
                                      "gzip, chunked,"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(status_of(1, "Transfer-Encoding", bad[i], 1), 400);
    assert_int_equal(status_of(1, "Transfer-Encoding", "CHUNKED", 1), 0);
    assert_int_equal(status_of(1, "Transfer-Encoding", "chunked", 2), 400);
    assert_int_equal(status_of(0, "Transfer-Encoding", "chunked", 1), 400);
    assert_int_equal(status_of(1, "Transfer-Encoding", "x-gzip , chunked", 1), 501);
}

static void a_length_beside_a_coding_is_refused(void **state)
{
    (void)state;
    const struct bq_field length = {BQ_STR("Content-Length"), BQ_STR("5")};
    const struct bq_field coding = {BQ_STR("Transfer-Encoding"), BQ_STR("chunked")};
    const struct bq_field one[] = {HOST, length, coding}, other[] = {coding, HOST, length};
    struct bq_h1_framing framing;
    assert_int_equal(read_head(1, one, 3, &framing).status, 400);
    assert_int_equal(read_head(1, other, 3, &framing).status, 400);
    assert_int_equal(read_head(0, one, 3, &framing).status, 400);
}

static void framing_says_what_follows(void **state)
{
    (void)state;
    const struct bq_field length[] = {HOST, {BQ_STR("Content-Length"), BQ_STR("17")}};
    const struct bq_field coding[] = {HOST, {BQ_STR("Transfer-Encoding"), BQ_STR("chunked")}};
    struct bq_h1_framing f;
    assert_int_equal(read_head(1, length, 2, &f).status, 0);
    assert_true(f.has_body && !f.chunked && f.content_length == 17);
    assert_int_equal(read_head(1, coding, 2, &f).status, 0);
    assert_true(f.has_body && f.chunked && f.content_length == 0);
    assert_int_equal(read_head(1, length, 1, &f).status, 0);
    assert_true(!f.has_body && !f.chunked && f.content_length == 0);
}

static void hosts_are_needed_once_and_well_formed(void **state)
{
    (void)state;
    struct bq_h1_framing framing;
    assert_int_equal(read_head(1, NULL, 0, &framing).status, 400);
    assert_int_equal(read_head(0, NULL, 0, &framing).status, 0);
    assert_int_equal(status_of(1, "host", "a", 1), 400);
    assert_int_equal(status_of(0, "HOST", "a", 1), 400);
    const struct bq_field bad[] = {{BQ_STR("Host"), BQ_STR("a b")}};
    assert_int_equal(read_head(0, bad, 1, &framing).status, 400);
}

static void trailers_that_frame_route_or_authenticate_are_forbidden(void **state)
{
    (void)state;
    static const char *const forbidden[] = {"Content-Length",
                                            "content-type",
                                            "Transfer-Encoding",
                                            "HOST",
                                            "Authorization",
                                            "Cookie",
                                            "Set-Cookie",
                                            "If-None-Match",
                                            "Expect",
                                            "Proxy-Authorization",
                                            "Connection",
                                            "Trailer",
                                            "TE",
                                            "Range",
                                            "X-Forwarded-For"};
    static const char *const allowed[] = {"X-Checksum", "Server-Timing", "grpc-status", "Digest",
                                          "Conten",     "Hosts",         "If"};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        assert_false(bq_h1_trailer_allowed(bq_str_cstr(forbidden[i])));
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_true(bq_h1_trailer_allowed(bq_str_cstr(allowed[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_digits_said_once),
        cmocka_unit_test(the_only_coding_is_chunked_said_once),
        cmocka_unit_test(a_length_beside_a_coding_is_refused),
        cmocka_unit_test(framing_says_what_follows),
        cmocka_unit_test(hosts_are_needed_once_and_well_formed),
        cmocka_unit_test(trailers_that_frame_route_or_authenticate_are_forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
