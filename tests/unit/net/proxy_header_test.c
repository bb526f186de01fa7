/* proxy_header_test.c: PROXY headers, right and wrong, in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "net/proxy_header.h"

#include <stdlib.h>

#define SIGNATURE  "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(lit) bq_str_of((lit), sizeof(lit) - 1)
#define LONG_IP6   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

/* What the header makes of bytes that come in pieces of so many, each in a block of its own. */
static enum bq_proxy_result feed(struct bq_proxy_header *h, bq_str bytes, size_t piece,
                                 size_t *used)
{
    enum bq_proxy_result result = BQ_PROXY_MORE;
    *used = 0;
    bq_proxy_header_init(h);
    while (result == BQ_PROXY_MORE && *used < bytes.n) {
        size_t n = bytes.n - *used < piece ? bytes.n - *used : piece;
        char *copy = malloc(n);
        memcpy(copy, bytes.p + *used, n);
        bq_str in = bq_str_of(copy, n);
        result = bq_proxy_header_feed(h, &in);
        *used += n - in.n;
        free(copy);
    }
    return result;
}

/* The same in all pieces: result, and how much of the bytes is the header's. */
static enum bq_proxy_result play(struct bq_proxy_header *h, bq_str bytes, size_t *used)
{
    enum bq_proxy_result whole = feed(h, bytes, bytes.n ? bytes.n : 1, used);
    for (size_t piece = 1; piece < bytes.n && piece < 64; piece++) {
        size_t n;
        assert_int_equal(feed(h, bytes, piece, &n), whole);
        if (whole == BQ_PROXY_DONE)
            assert_int_equal(n, *used);
    }
    return whole;
}

static void names(bq_str bytes, const char *ip, unsigned port)
{
    struct bq_proxy_header h;
    char text[BQ_IP_TEXT_MAX];
    size_t used;
    assert_int_equal(play(&h, bytes, &used), BQ_PROXY_DONE);
    assert_true(h.named);
    struct bq_ip got = bq_peer_ip(&h.client);
    assert_int_equal(bq_ip_text(&got, text), strlen(ip));
    assert_memory_equal(text, ip, strlen(ip));
    assert_int_equal(h.client.port, port);
    assert_int_equal(used, bytes.n);
}

static void names_nobody(bq_str bytes)
{
    struct bq_proxy_header h;
    size_t used;
    assert_int_equal(play(&h, bytes, &used), BQ_PROXY_DONE);
    assert_false(h.named);
    assert_int_equal(used, bytes.n);
}

static void is_bad(bq_str bytes, const char *why)
{
    struct bq_proxy_header h;
    size_t used;
    assert_int_equal(play(&h, bytes, &used), BQ_PROXY_BAD);
    assert_non_null(strstr(h.why, why));
}

static void is_not_all(bq_str bytes)
{
    struct bq_proxy_header h;
    size_t used;
    assert_int_equal(play(&h, bytes, &used), BQ_PROXY_MORE);
    assert_int_equal(used, bytes.n);
}

static void lines_name_clients(void **state)
{
    (void)state;
    names(BQ_STR("PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n"), "203.0.113.9", 4711);
    names(BQ_STR("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255",
          65535);
    names(BQ_STR("PROXY TCP6 2001:db8::9 ::1 0 0\r\n"), "2001:db8::9", 0);
    names(BQ_STR("PROXY TCP6 ::ffff:203.0.113.9 ::ffff:10.0.0.1 1 2\r\n"), "203.0.113.9", 1);
    names(BQ_STR("PROXY TCP6 " LONG_IP6 " " LONG_IP6 " 65535 65535\r\n"), LONG_IP6, 65535);
}

static void unknown_lines_name_nobody(void **state)
{
    (void)state;
    names_nobody(BQ_STR("PROXY UNKNOWN\r\n"));
    names_nobody(BQ_STR("PROXY UNKNOWN " LONG_IP6 " " LONG_IP6 " 65535 65535\r\n")); /* 107 bytes */
}

static void what_follows_a_header_is_left(void **state)
{
    struct bq_proxy_header h;
    size_t used;
    (void)state;
    assert_int_equal(play(&h, BQ_STR("PROXY UNKNOWN\r\nGET /"), &used), BQ_PROXY_DONE);
    assert_int_equal(used, 15);
    assert_int_equal(play(&h, BYTES(SIGNATURE "\x21\x00\x00\x03\x01\x02\x03GET /"), &used),
                     BQ_PROXY_DONE);
    assert_int_equal(used, 19);
}

static void malformed_lines_are_bad(void **state)
{
    static const char *const lines[] = {
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 4711\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 4711 \r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80 \r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80 1\r\n",
        "PROXY TCP4  203.0.113.9 10.0.0.1 4711 80\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 04711 80\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 65536 80\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 -1 80\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\r\n",
        "PROXY TCP4 203.0.113.009 10.0.0.1 4711 80\r\n",
        "PROXY TCP4 2001:db8::9 ::1 4711 80\r\n",
        "PROXY TCP6 203.0.113.9 10.0.0.1 4711 80\r\n",
        "PROXY TCP4 203.0.113.9 x 4711 80\r\n",
        "PROXY UDP4 203.0.113.9 10.0.0.1 4711 80\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY unknown\r\n",
        "PROXY UNKNOWN\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        is_bad(bq_str_cstr(lines[i]), "malformed");
    is_bad(BQ_STR("PROXY UNKNOWN " LONG_IP6 " " LONG_IP6 " 65535 655350\r\n"), "too long");
}

static void whatever_else_is_bad_at_its_first_wrong_byte(void **state)
{
    (void)state;
    is_bad(BQ_STR("G"), "does not begin");
    is_bad(BQ_STR("PO"), "does not begin");
    is_bad(BQ_STR("\r\n\r\nG"), "does not begin");
    is_bad(BQ_STR("\x16\x03\x01"), "does not begin");
    is_bad(BQ_STR("PROXY\t"), "does not begin");
}

static void binary_headers_name_clients(void **state)
{
    (void)state;
    names(BYTES(SIGNATURE "\x21\x11\x00\x0c\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x67\x00\x50"),
          "203.0.113.9", 4711);
    names(BYTES(SIGNATURE "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"
                          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x00\x50"),
          "2001:db8::9", 4711);
    names(BYTES(SIGNATURE "\x21\x21\x00\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\x00\x71\x09"
                          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x00\x50"),
          "203.0.113.9", 4711);
}

static void what_is_behind_the_addresses_is_passed_over(void **state)
{
    (void)state;
    names(BYTES(SIGNATURE "\x21\x11\x00\x13\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x67\x00\x50"
                          "\x03\x00\x04\xff\xff\xff\xff"),
          "203.0.113.9", 4711);
}

static bq_str binary(char *out, unsigned command, unsigned family, unsigned length, size_t n)
{
    memset(out, 'x', 16 + n);
    memcpy(out, SIGNATURE, 12);
    out[12] = (char)command;
    out[13] = (char)family;
    out[14] = (char)(length >> 8);
    out[15] = (char)length;
    return bq_str_of(out, 16 + n);
}

static void unix_clients_are_unix_peers(void **state)
{
    struct bq_proxy_header h;
    char bytes[16 + 216];
    size_t used;
    (void)state;
    assert_int_equal(play(&h, binary(bytes, 0x21, 0x31, 216, 216), &used), BQ_PROXY_DONE);
    assert_true(h.named);
    assert_int_equal(h.client.family, AF_UNIX);
    assert_int_equal(used, sizeof bytes);
}

static void local_and_unspecified_name_nobody(void **state)
{
    char bytes[16 + 64];
    (void)state;
    names_nobody(bq_str_of(BQ_PROXY_LOCAL, BQ_PROXY_LOCAL_BYTES));
    names_nobody(binary(bytes, 0x20, 0x11, 12, 12));
    names_nobody(binary(bytes, 0x20, 0xff, 64, 64));
    names_nobody(binary(bytes, 0x21, 0x00, 64, 64));
}

static void binary_headers_that_cannot_be_are_bad(void **state)
{
    char bytes[32];
    (void)state;
    is_bad(binary(bytes, 0x11, 0x11, 12, 0), "version or command");
    is_bad(binary(bytes, 0x22, 0x11, 12, 0), "version or command");
    is_bad(binary(bytes, 0x31, 0x11, 12, 0), "version or command");
    is_bad(binary(bytes, 0x21, 0x12, 12, 0), "no stream");
    is_bad(binary(bytes, 0x21, 0x41, 12, 0), "no stream");
    is_bad(binary(bytes, 0x21, 0x11, 11, 0), "length");
    is_bad(binary(bytes, 0x21, 0x21, 35, 0), "length");
    is_bad(binary(bytes, 0x21, 0x31, 215, 0), "length");
    is_bad(binary(bytes, 0x21, 0x00, BQ_PROXY_V2_BYTES_MAX + 1, 0), "length");
    is_bad(binary(bytes, 0x20, 0x00, 0xffff, 0), "length");
}

static void the_longest_binary_header_is_read(void **state)
{
    struct bq_proxy_header h;
    char *bytes = malloc(16 + BQ_PROXY_V2_BYTES_MAX);
    size_t used;
    (void)state;
    bq_str all = binary(bytes, 0x21, 0x11, BQ_PROXY_V2_BYTES_MAX, BQ_PROXY_V2_BYTES_MAX);
    assert_int_equal(play(&h, all, &used), BQ_PROXY_DONE);
    assert_int_equal(used, all.n);
    is_not_all(bq_str_of(all.p, all.n - 1));
    free(bytes);
}

static void a_part_of_a_header_is_not_all(void **state)
{
    static const char line[] = "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n";
    char bytes[16 + 36];
    (void)state;
    for (size_t n = 0; n < sizeof line - 1; n++)
        is_not_all(bq_str_of(line, n));
    bq_str all = binary(bytes, 0x21, 0x21, 36, 36);
    for (size_t n = 0; n < all.n; n++)
        is_not_all(bq_str_of(all.p, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_name_clients),
        cmocka_unit_test(unknown_lines_name_nobody),
        cmocka_unit_test(what_follows_a_header_is_left),
        cmocka_unit_test(malformed_lines_are_bad),
        cmocka_unit_test(whatever_else_is_bad_at_its_first_wrong_byte),
        cmocka_unit_test(binary_headers_name_clients),
        cmocka_unit_test(what_is_behind_the_addresses_is_passed_over),
        cmocka_unit_test(unix_clients_are_unix_peers),
        cmocka_unit_test(local_and_unspecified_name_nobody),
        cmocka_unit_test(binary_headers_that_cannot_be_are_bad),
        cmocka_unit_test(the_longest_binary_header_is_read),
        cmocka_unit_test(a_part_of_a_header_is_not_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
