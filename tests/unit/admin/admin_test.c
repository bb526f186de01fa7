/* admin_test.c: the admin thread, asked over a socket, with a server that is made up. */
#include "snapshot_fixture.h"

#include "admin/admin.h"
#include "base/rc.h"
#include "net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
    struct fixture f;
    atomic_int phase;
    atomic_bool dead, wants_flights;
    struct bq_admin *admin;
    struct bq_endpoint endpoint;
};

static enum bq_admin_phase phase(void *self)
{
    struct server *s = self;
    return (enum bq_admin_phase)atomic_load(&s->phase);
}

static bool is_alive(void *self, char why[static BQ_ADMIN_WHY_MAX])
{
    struct server *s = self;
    if (atomic_load(&s->dead))
        snprintf(why, BQ_ADMIN_WHY_MAX, "worker 3 stands still");
    return !atomic_load(&s->dead);
}

static void look(void *self, struct bq_snapshot *out, bool flights)
{
    struct server *s = self;
    *out = s->f.snapshot;
    if (flights)
        atomic_store(&s->wants_flights, true);
}

static void start(struct server *s)
{
    const struct bq_admin_source source = {s, phase, is_alive, look};
    char error[256];
    int fd;
    memset(s, 0, sizeof *s);
    set_up(&s->f);
    atomic_store(&s->phase, (int)BQ_ADMIN_SERVING);
    assert_int_equal(bq_endpoint_parse(&s->endpoint, BQ_STR("127.0.0.1:0"), error), BQ_OK);
    assert_int_equal(bq_listen(&s->endpoint, false, 16, &fd), BQ_OK);
    s->admin = bq_admin_start(fd, &source);
    assert_non_null(s->admin);
}

static void stop(struct server *s)
{
    bq_admin_stop(s->admin);
    tear_down(&s->f);
}

/* Sends the request and reads until the other end closes. */
static void ask(struct server *s, const char *request, struct bq_buf *answer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[1024];
    ssize_t n;
    assert_int_equal(connect(fd, &s->endpoint.sa, s->endpoint.len), 0);
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", request);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    bq_buf_reset(answer);
    while (assert_int_equal(bq_buf_reserve(answer, 4096), BQ_OK),
           (n = read(fd, answer->data + answer->len, 4096)) > 0)
        answer->len += (size_t)n;
    close(fd);
}

static void says(struct server *s, const char *target, const char *status, const char *body)
{
    struct bq_buf answer = BQ_BUF_INIT;
    char request[128];
    snprintf(request, sizeof request, "GET %s", target);
    ask(s, request, &answer);
    assert_says(&answer, status);
    assert_says(&answer, body);
    bq_buf_release(&answer);
}

static void every_page_is_there(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    says(&s, "/metrics", "HTTP/1.1 200 ", "barq_build_info{version=\"1.2.3\"} 1\n");
    assert_false(atomic_load(&s.wants_flights));
    says(&s, "/", "HTTP/1.1 200 ", "<title>barq</title>");
    assert_true(atomic_load(&s.wants_flights));
    says(&s, "/live", "HTTP/1.1 200 ", "<header><h1>barq</h1>");
    says(&s, "/?a=b", "HTTP/1.1 200 ", "<title>barq</title>");
    says(&s, "/other", "HTTP/1.1 404 ", "/metrics");
    stop(&s);
}

static void readiness_follows_the_phase(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    says(&s, "/readyz", "HTTP/1.1 200 ", "\r\n\r\nready\n");
    atomic_store(&s.phase, (int)BQ_ADMIN_DRAINING);
    says(&s, "/readyz", "HTTP/1.1 503 ", "\r\n\r\ndraining\n");
    says(&s, "/healthz", "HTTP/1.1 200 ", "\r\n\r\nok\n");
    atomic_store(&s.phase, (int)BQ_ADMIN_STARTING);
    says(&s, "/readyz", "HTTP/1.1 503 ", "\r\n\r\nstarting\n");
    stop(&s);
}

static void a_server_that_is_lost_says_why(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    atomic_store(&s.dead, true);
    says(&s, "/healthz", "HTTP/1.1 503 ", "\r\n\r\nworker 3 stands still\n");
    stop(&s);
}

static void only_reading_is_allowed(void **state)
{
    (void)state;
    struct server s;
    struct bq_buf answer = BQ_BUF_INIT;
    start(&s);
    ask(&s, "DELETE /metrics", &answer);
    assert_says(&answer, "HTTP/1.1 405 ");
    assert_says(&answer, "\r\nAllow: GET, HEAD\r\n");
    ask(&s, "HEAD /healthz", &answer);
    assert_says(&answer, "HTTP/1.1 200 ");
    assert_says(&answer, "\r\nContent-Length: 3\r\n");
    assert_silent(&answer, "ok\n");
    bq_buf_release(&answer);
    stop(&s);
}

static void pages_are_not_kept_and_run_nothing_of_others(void **state)
{
    (void)state;
    struct server s;
    struct bq_buf answer = BQ_BUF_INIT;
    start(&s);
    ask(&s, "GET /", &answer);
    assert_says(&answer, "\r\nCache-Control: no-store\r\n");
    assert_says(&answer, "\r\nContent-Security-Policy: default-src 'none';");
    bq_buf_release(&answer);
    stop(&s);
}

#ifdef BQ_FAULTS
static void a_start_that_fails_leaves_nothing(void **state)
{
    (void)state;
    struct server s = {0};
    const struct bq_admin_source source = {&s, phase, is_alive, look};
    char error[256];
    for (long nth = 1; nth <= 3; nth++) {
        int fd;
        assert_int_equal(bq_endpoint_parse(&s.endpoint, BQ_STR("127.0.0.1:0"), error), BQ_OK);
        assert_int_equal(bq_listen(&s.endpoint, false, 16, &fd), BQ_OK);
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        assert_null(bq_admin_start(fd, &source));
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        assert_int_equal(bq_mem_live(), 0);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_is_there),
        cmocka_unit_test(readiness_follows_the_phase),
        cmocka_unit_test(a_server_that_is_lost_says_why),
        cmocka_unit_test(only_reading_is_allowed),
        cmocka_unit_test(pages_are_not_kept_and_run_nothing_of_others),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_start_that_fails_leaves_nothing),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
