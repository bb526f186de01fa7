/* forwarded_test.c: whom proxies name, and what their clients cannot make them say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "http/forwarded.h"

#include <stdlib.h>

#define FIELDS_MAX 8

/* A request of a peer at 10.0.0.5, where 10/8 and fd00::/8 are proxies. */
struct asked {
    struct bq_field fields[FIELDS_MAX];
    struct bq_request r;
    struct bq_networks proxies;
    struct bq_trust trust;
    struct bq_client client;
    char ip[BQ_IP_TEXT_MAX + 1];
};

static void ask(struct asked *a, enum bq_forwarded_by by, const char *const *fields)
{
    struct bq_ip peer;
    memset(a, 0, sizeof *a);
    a->r.fields = a->fields;
    a->r.host = BQ_STR("own");
    for (; *fields; fields += 2)
        a->fields[a->r.field_count++] =
            (struct bq_field){bq_str_cstr(fields[0]), bq_str_cstr(fields[1])};
    bq_networks_add(&a->proxies, BQ_STR("10.0.0.0/8"));
    bq_networks_add(&a->proxies, BQ_STR("fd00::/8"));
    a->trust = (struct bq_trust){&a->proxies, by};
    bq_ip_parse(&peer, BQ_STR("10.0.0.5"));
    bq_forwarded_read(&a->r, &a->trust, &peer, &a->client);
    a->ip[bq_ip_text(&a->client.ip, a->ip)] = '\0';
}

static void check(const struct asked *a, const char *ip, const char *scheme, const char *host)
{
    assert_string_equal(a->ip, ip);
    assert_true(bq_str_eq(a->client.scheme, bq_str_cstr(scheme)));
    assert_true(bq_str_eq(a->r.host, bq_str_cstr(host)));
}

#define SAYS(by, ip, scheme, host, ...)                               \
    do {                                                              \
        struct asked asked_;                                          \
        ask(&asked_, (by), (const char *const[]){__VA_ARGS__, NULL}); \
        check(&asked_, (ip), (scheme), (host));                       \
    } while (0)

#define AUTO     BQ_FORWARDED_AUTO
#define STANDARD BQ_FORWARDED_STANDARD

static void a_proxy_that_says_nothing_is_the_client(void **state)
{
    (void)state;
    SAYS(AUTO, "10.0.0.5", "http", "own", "Accept", "*/*");
}

static void the_first_address_from_the_right_that_is_no_proxy_is_the_client(void **state)
{
    (void)state;
    SAYS(AUTO, "203.0.113.9", "http", "own", "X-Forwarded-For", "203.0.113.9");
    SAYS(AUTO, "203.0.113.9", "http", "own", "x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.7");
    SAYS(AUTO, "203.0.113.9", "http", "own", "X-Forwarded-For", "6.6.6.6,203.0.113.9 ,, fd00::7,");
}

static void where_all_are_proxies_the_farthest_is_the_client(void **state)
{
    (void)state;
    SAYS(AUTO, "10.0.0.9", "http", "own", "X-Forwarded-For", "10.0.0.9, 10.0.0.8");
}

static void repeated_fields_are_one_list(void **state)
{
    (void)state;
    SAYS(AUTO, "203.0.113.9", "http", "own", "X-Forwarded-For", "6.6.6.6, 203.0.113.9", "Accept",
         "*/*", "X-Forwarded-For", "10.0.0.7");
    SAYS(AUTO, "203.0.113.9", "http", "own", "Forwarded", "for=6.6.6.6, for=203.0.113.9",
         "Forwarded", "for=10.0.0.7");
}

static void addresses_may_have_ports_and_brackets(void **state)
{
    (void)state;
    SAYS(AUTO, "203.0.113.9", "http", "own", "X-Forwarded-For", "203.0.113.9:4711");
    SAYS(AUTO, "2001:db8::1", "http", "own", "X-Forwarded-For", "2001:db8::1");
    SAYS(AUTO, "2001:db8::1", "http", "own", "X-Forwarded-For", "[2001:db8::1]");
    SAYS(AUTO, "2001:db8::1", "http", "own", "X-Forwarded-For", "[2001:db8::1]:4711");
    SAYS(AUTO, "203.0.113.9", "http", "own", "X-Forwarded-For", "::ffff:203.0.113.9");
}

static void the_walk_ends_at_what_is_no_address(void **state)
{
    static const char *const nodes[] = {
        "unknown",
        "_hidden",
        "203.0.113",
        "203.0.113.9:",
        "203.0.113.9:4 7",
        "[203.0.113.9]",
        "[::1",
        "::1]",
        "[]",
        "[]:80",
        "[::1]80",
        "\"203.0.113.9\"",
        ":80",
        "[::1%eth0]",
        "203.0.113.9/8",
        "for=1.2.3.4",
        ":",
        "[",
    };
    (void)state;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char list[128];
        snprintf(list, sizeof list, "6.6.6.6, %s, 10.0.0.7", nodes[i]);
        SAYS(AUTO, "10.0.0.7", "http", "own", "X-Forwarded-For", list);
    }
}

static void scheme_and_host_are_those_that_the_client_used(void **state)
{
    (void)state;
    SAYS(AUTO, "203.0.113.9", "https", "shop.example:8443", "X-Forwarded-For", "203.0.113.9",
         "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example:8443");
    /* without an address, too */
    SAYS(AUTO, "10.0.0.5", "https", "own", "X-Forwarded-Proto", "HTTPS");
    SAYS(AUTO, "10.0.0.5", "https", "own", "X-Forwarded-Proto", "wss");
    SAYS(AUTO, "10.0.0.5", "http", "own", "X-Forwarded-Proto", "ws");
}

static void lists_of_schemes_and_hosts_go_with_the_addresses(void **state)
{
    (void)state;
    /* the client's own words stand in front */
    SAYS(AUTO, "203.0.113.9", "http", "right", "X-Forwarded-For", "6.6.6.6, 203.0.113.9",
         "X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "wrong, right");
    SAYS(AUTO, "203.0.113.9", "https", "right", "X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.0.0.7",
         "X-Forwarded-Proto", "x, https, http", "X-Forwarded-Host", "wrong, right, inner");
    /* one that only the farthest proxy has written */
    SAYS(AUTO, "203.0.113.9", "https", "own", "X-Forwarded-For", "203.0.113.9, 10.0.0.7",
         "X-Forwarded-Proto", "https");
}

static void schemes_and_hosts_that_cannot_be_are_ignored(void **state)
{
    (void)state;
    SAYS(AUTO, "10.0.0.5", "http", "own", "X-Forwarded-Proto", "javascript", "X-Forwarded-Host",
         "a/b");
    SAYS(AUTO, "10.0.0.5", "http", "own", "X-Forwarded-Host", "user@host");
    SAYS(AUTO, "10.0.0.5", "http", "own", "X-Forwarded-Host", "a b");
}

static void forwarded_is_read_as_rfc_7239_has_it(void **state)
{
    (void)state;
    SAYS(AUTO, "192.0.2.60", "http", "own", "Forwarded",
         "for=192.0.2.60;proto=http;by=203.0.113.43");
    SAYS(AUTO, "2001:db8:cafe::17", "https", "shop.example", "Forwarded",
         "For=\"[2001:db8:cafe::17]:4711\";PROTO=https;host=\"shop.example\"");
    SAYS(AUTO, "203.0.113.9", "https", "own", "Forwarded",
         "for=6.6.6.6;proto=http, for=203.0.113.9;proto=https, for=10.0.0.7;proto=http");
    SAYS(AUTO, "203.0.113.9", "https", "own", "Forwarded",
         "for=203.0.113.9 ; proto=https;; , for=10.0.0.7;by=\"x, for=7.7.7.7\"");
}

static void hidden_clients_of_forwarded_leave_the_proxy(void **state)
{
    (void)state;
    SAYS(AUTO, "10.0.0.7", "https", "shop", "Forwarded",
         "for=6.6.6.6, for=_hidden;proto=https;host=shop, for=10.0.0.7");
    SAYS(AUTO, "10.0.0.5", "https", "own", "Forwarded", "for=\"_gazonk\";proto=https");
    SAYS(AUTO, "10.0.0.5", "https", "own", "Forwarded", "for=unknown;proto=https");
    SAYS(AUTO, "10.0.0.5", "https", "own", "Forwarded", "for=6.6.6.6, proto=https");
}

static void an_open_quotation_mark_of_the_client_swallows_nothing(void **state)
{
    (void)state;
    SAYS(AUTO, "203.0.113.9", "http", "own", "Forwarded", "for=\"6.6.6.6, for=203.0.113.9");
    SAYS(AUTO, "203.0.113.9", "https", "own", "Forwarded",
         "for=6.6.6.6;x=\", for=203.0.113.9;proto=\"https\";by=\"a\\\"b,\\\\\"");
    SAYS(AUTO, "203.0.113.9", "http", "own", "Forwarded", "\\\", for=\"203.0.113.9\"");
}

static void a_broken_element_ends_the_walk(void **state)
{
    static const char *const elements[] = {
        "for=203.0.113.9;for=203.0.113.9",
        "for",
        "=x",
        "for=",
        "for=203.0.113.9;proto",
        "f(r=1",
        "for=203.0.113.9 proto=https",
        "for=\"203.0.113.9",
        "for=203.0.113.9\"",
        "for=\"a\"b",
        "\"",
        "for=\"\\\"",
        "for=203.0.113.9;proto=https;\"x\"=\"y\"",
        "proto=https;for=\\",
    };
    (void)state;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        char list[128];
        snprintf(list, sizeof list, "for=6.6.6.6, %s, for=10.0.0.7", elements[i]);
        SAYS(AUTO, "10.0.0.7", "http", "own", "Forwarded", list);
    }
}

static void of_both_only_one_is_believed(void **state)
{
    (void)state;
    /* Most proxies pass Forwarded on as the client sent it. */
    SAYS(AUTO, "203.0.113.9", "http", "own", "Forwarded", "for=6.6.6.6;proto=https;host=x",
         "X-Forwarded-For", "203.0.113.9");
    SAYS(BQ_FORWARDED_X, "10.0.0.5", "http", "own", "Forwarded", "for=6.6.6.6;proto=https");
    SAYS(STANDARD, "203.0.113.9", "http", "own", "Forwarded", "for=203.0.113.9", "X-Forwarded-For",
         "6.6.6.6", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "x");
    SAYS(STANDARD, "10.0.0.5", "http", "own", "X-Forwarded-For", "6.6.6.6");
}

/* Were the walk to read what is in front of where it ended again and again, this would not end. */
static void very_many_entries_are_read_once(void **state)
{
    enum { COUNT = 20000 };
    static const char *const parts[][2] = {
        {"X-Forwarded-For", "10.0.0.1,"}, {"X-Forwarded-For", ",,,,,,,,,"},
        {"Forwarded", "for=10.1,"},       {"Forwarded", "\\\\\\\\\\\\\\\\\\"},
        {"Forwarded", "x=\"\\\"\\\",\""}, {"Forwarded", "\"\\\"\\\"\\\"\\\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t n = strlen(parts[i][1]);
        char *text = malloc(n * COUNT + 1);
        for (size_t k = 0; k < COUNT; k++)
            memcpy(text + k * n, parts[i][1], n);
        text[n * COUNT] = '\0';
        struct asked a;
        ask(&a, AUTO, (const char *const[]){parts[i][0], text, NULL});
        assert_int_equal(a.client.ip.bits, 32);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_that_says_nothing_is_the_client),
        cmocka_unit_test(the_first_address_from_the_right_that_is_no_proxy_is_the_client),
        cmocka_unit_test(where_all_are_proxies_the_farthest_is_the_client),
        cmocka_unit_test(repeated_fields_are_one_list),
        cmocka_unit_test(addresses_may_have_ports_and_brackets),
        cmocka_unit_test(the_walk_ends_at_what_is_no_address),
        cmocka_unit_test(scheme_and_host_are_those_that_the_client_used),
        cmocka_unit_test(lists_of_schemes_and_hosts_go_with_the_addresses),
        cmocka_unit_test(schemes_and_hosts_that_cannot_be_are_ignored),
        cmocka_unit_test(forwarded_is_read_as_rfc_7239_has_it),
        cmocka_unit_test(hidden_clients_of_forwarded_leave_the_proxy),
        cmocka_unit_test(an_open_quotation_mark_of_the_client_swallows_nothing),
        cmocka_unit_test(a_broken_element_ends_the_walk),
        cmocka_unit_test(of_both_only_one_is_believed),
        cmocka_unit_test(very_many_entries_are_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
