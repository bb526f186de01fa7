/* ip_test.c: addresses and networks, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ip.h"
#include "base/rc.h"

static void reads(const char *text, const char *shown)
{
    struct bq_ip ip;
    char out[BQ_IP_TEXT_MAX];
    assert_int_equal(bq_ip_parse(&ip, bq_str_cstr(text)), BQ_OK);
    assert_int_equal(bq_ip_text(&ip, out), strlen(shown));
    assert_memory_equal(out, shown, strlen(shown));
}

static void addresses_are_read_and_shown_in_their_shortest_form(void **state)
{
    (void)state;
    reads("192.0.2.1", "192.0.2.1");
    reads("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
    reads("::", "::");
    reads("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    struct bq_ip ip;
    (void)state;
    reads("::ffff:192.0.2.1", "192.0.2.1");
    assert_int_equal(bq_ip_parse(&ip, BQ_STR("::ffff:c000:201")), BQ_OK);
    assert_int_equal(ip.bits, 32);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        " 192.0.2.1",
        "192.0.2.1 ",
        "192.0.2",
        "192.0.2.01",
        "192.0.2.256",
        "0x7f.1",
        "localhost",
        "192.0.2.1:80",
        "[::1]",
        "::1%lo",
        ":::",
        "1::2::3",
        "12345::",
        "2130706433",
        "unknown",
        "_hidden",
        "192.0.2.1/32",
        "192.0.2.1.",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2550",
    };
    struct bq_ip ip;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(bq_ip_parse(&ip, bq_str_cstr(wrong[i])), BQ_INVALID);
    assert_int_equal(bq_ip_parse(&ip, bq_str_of("192.0.2.1\0", 10)), BQ_INVALID);
}

static void no_address_is_shown_as_nothing(void **state)
{
    char out[BQ_IP_TEXT_MAX];
    const struct bq_ip none = {.bits = 0};
    (void)state;
    assert_int_equal(bq_ip_text(&none, out), 0);
}

static bool has(const struct bq_networks *set, const char *address)
{
    struct bq_ip ip;
    assert_int_equal(bq_ip_parse(&ip, bq_str_cstr(address)), BQ_OK);
    return bq_networks_have(set, &ip);
}

static struct bq_networks set_of(const char *text)
{
    struct bq_networks set = {.count = 0};
    assert_int_equal(bq_networks_add(&set, bq_str_cstr(text)), BQ_OK);
    return set;
}

static void a_network_ends_at_its_prefix(void **state)
{
    (void)state;
    struct bq_networks set = set_of("10.32.0.0/11");
    assert_true(has(&set, "10.32.0.0"));
    assert_true(has(&set, "10.63.255.255"));
    assert_false(has(&set, "10.31.255.255"));
    assert_false(has(&set, "10.64.0.0"));
    assert_false(has(&set, "::"));
    set = set_of("2001:db8::/33");
    assert_true(has(&set, "2001:db8:7fff::"));
    assert_false(has(&set, "2001:db8:8000::"));
    assert_false(has(&set, "32.1.13.184")); /* the same first bytes */
}

static void an_address_is_a_network_of_one(void **state)
{
    (void)state;
    struct bq_networks set = set_of("192.0.2.1");
    assert_true(has(&set, "192.0.2.1"));
    assert_true(has(&set, "::ffff:192.0.2.1"));
    assert_false(has(&set, "192.0.2.2"));
}

static void everything_of_a_family_is_prefix_zero(void **state)
{
    (void)state;
    struct bq_networks set = set_of("0.0.0.0/0");
    assert_true(has(&set, "255.1.2.3"));
    assert_false(has(&set, "::1"));
    assert_int_equal(bq_networks_add(&set, BQ_STR("::/0")), BQ_OK);
    assert_true(has(&set, "::1"));
}

static void a_mapped_network_is_the_ipv4_network(void **state)
{
    (void)state;
    struct bq_networks set = set_of("::ffff:10.0.0.0/104");
    assert_true(has(&set, "10.9.9.9"));
    assert_false(has(&set, "11.0.0.0"));
    assert_int_equal(bq_networks_add(&set, BQ_STR("::ffff:0.0.0.0/95")), BQ_INVALID);
}

static void words_stand_for_networks(void **state)
{
    (void)state;
    struct bq_networks set = set_of("loopback");
    assert_true(has(&set, "127.9.9.9") && has(&set, "::1"));
    assert_false(has(&set, "10.0.0.1"));
    set = set_of("private");
    assert_true(has(&set, "10.0.0.1") && has(&set, "172.31.0.1") && has(&set, "192.168.1.1"));
    assert_true(has(&set, "fd12::1"));
    assert_false(has(&set, "172.32.0.1") || has(&set, "127.0.0.1") || has(&set, "fe80::1"));
}

static void peers_without_an_address_belong_to_unix_only(void **state)
{
    const struct bq_ip none = {.bits = 0};
    (void)state;
    struct bq_networks set = set_of("0.0.0.0/0");
    assert_false(bq_networks_have(&set, &none));
    set = set_of("unix");
    assert_true(bq_networks_have(&set, &none));
    assert_false(has(&set, "0.0.0.0"));
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",          "10.0.0.1/8",   "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8",
        "10.0.0/8",  "fd00::/129",   "fd00::1/8",   "Loopback",  "any",         "10.0.0.0/08x",
        "10.0.0.0 ", "10.0.0.0/1e1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct bq_networks set = {.count = 0};
        assert_int_equal(bq_networks_add(&set, bq_str_cstr(wrong[i])), BQ_INVALID);
        assert_int_equal(set.count, 0);
    }
}

static void a_set_has_an_end(void **state)
{
    struct bq_networks set = {.count = 0};
    (void)state;
    for (int i = 0; i < BQ_NETWORKS_MAX; i++)
        assert_int_equal(bq_networks_add(&set, BQ_STR("10.0.0.0/8")), BQ_OK);
    assert_int_equal(bq_networks_add(&set, BQ_STR("10.0.0.0/8")), BQ_LIMIT);
    assert_int_equal(bq_networks_add(&set, BQ_STR("private")), BQ_LIMIT);
    assert_int_equal(set.count, BQ_NETWORKS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_shown_in_their_shortest_form),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(no_address_is_shown_as_nothing),
        cmocka_unit_test(a_network_ends_at_its_prefix),
        cmocka_unit_test(an_address_is_a_network_of_one),
        cmocka_unit_test(everything_of_a_family_is_prefix_zero),
        cmocka_unit_test(a_mapped_network_is_the_ipv4_network),
        cmocka_unit_test(words_stand_for_networks),
        cmocka_unit_test(peers_without_an_address_belong_to_unix_only),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(a_set_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
