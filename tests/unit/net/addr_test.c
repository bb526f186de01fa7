/* addr_test.c: endpoints and peers from text and into text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>

static void assert_endpoint(const char *text, const char *expected)
{
    struct bq_endpoint e;
    char error[256] = "", out[BQ_ENDPOINT_TEXT_MAX];
    int rc = bq_endpoint_parse(&e, bq_str_cstr(text), error);
    if (rc != BQ_OK)
        fail_msg("\"%s\": %s", text, error);
    bq_endpoint_text(&e, out);
    assert_string_equal(out, expected);
}

static void assert_refused(bq_str text, const char *part)
{
    struct bq_endpoint e;
    char error[256] = "";
    assert_int_equal(bq_endpoint_parse(&e, text, error), BQ_INVALID);
    if (!strstr(error, part))
        fail_msg("\"%s\" does not say \"%s\"", error, part);
}

static void endpoints_are_parsed_and_shown(void **state)
{
    (void)state;
    assert_endpoint("127.0.0.1:8000", "http://127.0.0.1:8000");
    assert_endpoint("0.0.0.0:0", "http://0.0.0.0:0");
    assert_endpoint("127.0.0.1:65535", "http://127.0.0.1:65535");
    assert_endpoint("[::1]:8000", "http://[::1]:8000");
    assert_endpoint("[::]:8000", "http://[::]:8000");
    assert_endpoint("*:8000", "http://0.0.0.0:8000");
    assert_endpoint(":8000", "http://0.0.0.0:8000");
    assert_endpoint("unix:/run/barq.sock", "unix:/run/barq.sock");
}

static void a_wrong_endpoint_gets_a_sentence_that_names_it(void **state)
{
    (void)state;
    assert_refused(BQ_STR(""), "host:port");
    assert_refused(BQ_STR("8000"), "\"8000\"");
    assert_refused(BQ_STR("::1:8000"), "[ipv6]:port");
    assert_refused(BQ_STR("[::1:8000"), "[ipv6]:port");
    assert_refused(BQ_STR("[]:8000"), "[ipv6]:port");
    assert_refused(BQ_STR("127.0.0.1:"), "0 to 65535");
    assert_refused(BQ_STR("127.0.0.1:65536"), "\"65536\"");
    assert_refused(BQ_STR("127.0.0.1:-1"), "\"-1\"");
    assert_refused(BQ_STR("127.0.0.1:99999999999999999999999"), "0 to 65535");
    assert_refused(BQ_STR("127.0.0.1:80 "), "\"80 \"");
    assert_refused(BQ_STR("127.0.0.1\0x:80"), "host");
    assert_refused(BQ_STR("unix:"), "file name");
    assert_refused(BQ_STR("unix:/a\0b"), "file name");
    assert_refused(BQ_STR("no..host:80"), "\"no..host\""); /* fails without asking the network */
}

static void a_unix_path_may_be_107_bytes_long(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'a', sizeof text);
    memcpy(text, "unix:", 5);
    assert_refused(bq_str_of(text, 5 + 108), "too long");
    text[5 + 107] = '\0';
    assert_endpoint(text, text);
}

static void a_long_wrong_text_is_quoted_in_part(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text);
    assert_refused(bq_str_of(text, sizeof text), "x\"… must be");
    text[4990] = ':';
    assert_refused(bq_str_of(text, sizeof text), "0 to 65535");
    text[4998] = ':';
    text[4999] = '1';
    assert_refused(bq_str_of(text + 4900, 100), "must be");
}

static void every_address_is_both_families_and_an_explicit_one_is_not(void **state)
{
    (void)state;
    struct bq_endpoint e;
    char error[256];
    assert_int_equal(bq_endpoint_set(&e, BQ_STR("*"), 1, error), BQ_OK);
    assert_int_equal(e.dual, e.sa.sa_family == AF_INET6);
    assert_int_equal(bq_endpoint_set(&e, BQ_STR("::"), 1, error), BQ_OK);
    assert_false(e.dual);
    assert_int_equal(e.sa.sa_family, AF_INET6);
}

/* The one name that this may ask for. A bare system has no /etc/hosts that says it. */
static bool has_localhost(void)
{
    struct addrinfo *found;
    if (getaddrinfo("localhost", NULL, NULL, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static void a_name_is_resolved(void **state)
{
    (void)state;
    struct bq_endpoint e;
    char error[256];
    if (!has_localhost()) {
        print_message("# localhost has no address here: /etc/hosts does not say it\n");
        skip();
    }
    assert_int_equal(bq_endpoint_set(&e, BQ_STR("localhost"), 80, error), BQ_OK);
    assert_true(e.sa.sa_family == AF_INET || e.sa.sa_family == AF_INET6);
}

static void assert_peer(const struct bq_peer *p, const char *expected)
{
    char out[BQ_IP_TEXT_MAX];
    struct bq_ip ip = bq_peer_ip(p);
    bq_str text = bq_str_of(out, bq_ip_text(&ip, out));
    assert_true(bq_str_eq(text, bq_str_cstr(expected)));
}

static void peers_are_shown_without_their_port(void **state)
{
    (void)state;
    struct bq_peer p;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(4711)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(4712)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
    bq_peer_set(&p, (struct sockaddr *)&v4);
    assert_peer(&p, "192.0.2.7");
    assert_int_equal(p.port, 4711);
    inet_pton(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666", &v6.sin6_addr);
    bq_peer_set(&p, (struct sockaddr *)&v6);
    assert_peer(&p, "2001:db8:1111:2222:3333:4444:5555:6666");
    assert_int_equal(p.port, 4712);
    bq_peer_set(&p, (struct sockaddr *)&un);
    assert_peer(&p, "");
}

static void an_ipv4_peer_of_an_ipv6_socket_is_kept_as_ipv4(void **state)
{
    (void)state;
    struct bq_peer p;
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr);
    bq_peer_set(&p, (struct sockaddr *)&v6);
    assert_int_equal(p.family, AF_INET);
    assert_peer(&p, "192.0.2.7");
}

static void a_peer_is_small(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct bq_peer), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_parsed_and_shown),
        cmocka_unit_test(a_wrong_endpoint_gets_a_sentence_that_names_it),
        cmocka_unit_test(a_unix_path_may_be_107_bytes_long),
        cmocka_unit_test(a_long_wrong_text_is_quoted_in_part),
        cmocka_unit_test(every_address_is_both_families_and_an_explicit_one_is_not),
        cmocka_unit_test(a_name_is_resolved),
        cmocka_unit_test(peers_are_shown_without_their_port),
        cmocka_unit_test(an_ipv4_peer_of_an_ipv6_socket_is_kept_as_ipv4),
        cmocka_unit_test(a_peer_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
