/* pair_test.c: a connection inside the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "net/pair.h"
#include "net/transport.h"

#include <string.h>
#include <sys/resource.h>

static void what_one_end_writes_the_other_reads(void **state)
{
    struct bq_transport a, b;
    struct bq_peer peer;
    char bytes[8];
    int fds[2];
    (void)state;
    assert_int_equal(bq_pair_open(fds, &peer), BQ_OK);
    bq_tcp_init(&a, fds[0]);
    bq_tcp_init(&b, fds[1]);
    assert_int_equal(b.ops->read(&b, bytes, sizeof bytes), BQ_AGAIN);
    assert_int_equal(a.ops->write(&a, "hello", 5), 5);
    assert_int_equal(b.ops->read(&b, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "hello", 5);
    a.ops->close(&a, false);
    assert_int_equal(b.ops->read(&b, bytes, sizeof bytes), BQ_EOF);
    b.ops->close(&b, false);
}

static void the_peer_is_a_client_on_this_machine(void **state)
{
    struct bq_peer peer;
    char text[BQ_IP_TEXT_MAX];
    int fds[2];
    struct bq_transport ends[2];
    (void)state;
    assert_int_equal(bq_pair_open(fds, &peer), BQ_OK);
    struct bq_ip ip = bq_peer_ip(&peer);
    assert_int_equal(bq_ip_text(&ip, text), 9);
    assert_memory_equal(text, "127.0.0.1", 9);
    for (int i = 0; i < 2; i++) {
        bq_tcp_init(&ends[i], fds[i]);
        ends[i].ops->close(&ends[i], false);
    }
}

static void without_descriptors_it_fails(void **state)
{
    struct rlimit before, none;
    struct bq_peer peer;
    int fds[2];
    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    int rc = bq_pair_open(fds, &peer);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, BQ_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_end_writes_the_other_reads),
        cmocka_unit_test(the_peer_is_a_client_on_this_machine),
        cmocka_unit_test(without_descriptors_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
