/* health_test.c: what is asked where, which answers are healthy, and peers that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rc.h"
#include "health.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    struct bq_config config;
    struct bq_health_question question;
    struct bq_config_error error;
};

static int setup(void **state)
{
    struct fixture *f = bq_alloc_must(sizeof *f);
    bq_config_init(&f->config);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bq_config_release(&f->config);
    bq_free(f);
    return 0;
}

static void configure(struct fixture *f, const char *option, const char *value)
{
    assert_int_equal(bq_config_set(&f->config, BQ_ORIGIN_ENVIRONMENT, bq_str_cstr(option),
                                   bq_str_cstr(value), "here", &f->error),
                     BQ_OK);
}

static int set(struct fixture *f, const char *url)
{
    return bq_health_question_set(&f->question, &f->config, url, &f->error);
}

static void asks(struct fixture *f, const char *url, const char *where, const char *request)
{
    char text[BQ_ENDPOINT_TEXT_MAX], line[128];
    if (set(f, url) != BQ_OK)
        fail_msg("%s: %s", url ? url : "(null)", f->error.text);
    bq_endpoint_text(&f->question.endpoint, text);
    snprintf(line, sizeof line, "%s %.*s %.*s", f->question.method, BQ_STR_ARG(f->question.target),
             BQ_STR_ARG(f->question.host));
    assert_string_equal(text, where);
    assert_string_equal(line, request);
}

static void without_a_url_the_configured_server_is_asked(void **state)
{
    struct fixture *f = *state;
    asks(f, NULL, "http://127.0.0.1:8000", "OPTIONS * localhost");
    configure(f, "port", "81");
    asks(f, NULL, "http://127.0.0.1:81", "OPTIONS * localhost");
    asks(f, "/ready?deep", "http://127.0.0.1:81", "GET /ready?deep localhost");
    configure(f, "listen", "unix:/run/a.sock");
    configure(f, "listen", "127.0.0.1:82");
    asks(f, NULL, "unix:/run/a.sock", "OPTIONS * localhost");
}

static void a_url_says_where_and_what(void **state)
{
    struct fixture *f = *state;
    asks(f, "http://127.0.0.1:9000/healthz", "http://127.0.0.1:9000",
         "GET /healthz 127.0.0.1:9000");
    asks(f, "http://127.0.0.1", "http://127.0.0.1:80", "GET / 127.0.0.1");
    asks(f, "http://[::1]/x", "http://[::1]:80", "GET /x [::1]");
    asks(f, "http://[::1]:81", "http://[::1]:81", "GET / [::1]:81");
    asks(f, "unix:/run/a.sock", "unix:/run/a.sock", "GET / localhost");
    asks(f, "unix:/run/a.sock:/x:y", "unix:/run/a.sock", "GET /x:y localhost");
}

static void what_cannot_be_asked_is_refused(void **state)
{
    static const char *const urls[] = {
        "https://127.0.0.1/",  "app.lua", "",          "http://", "http:///x",
        "http://127.0.0.1:x/", "unix:",   "unix:/a:b", "/a b",    "/a\r\nX: y",
        "/caf\xc3\xa9",        "/a#b"};
    struct fixture *f = *state;
    for (unsigned i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (set(f, urls[i]) != BQ_INVALID)
            fail_msg("%s is not refused", urls[i]);
        assert_true(*f->error.text);
    }
    configure(f, "port", "0");
    assert_int_equal(set(f, NULL), BQ_INVALID);
    assert_string_equal(f->error.text, "port 0 is any: say which with --port or a URL");
}

static void a_status_line_is_recognised(void **state)
{
    assert_int_equal(bq_health_status(BQ_STR("HTTP/1.1 204 No Content\r\n")), 204);
    assert_int_equal(bq_health_status(BQ_STR("HTTP/1.0 599")), 599);
    assert_int_equal(bq_health_status(BQ_STR("HTTP/1.1 20")), 0);
    assert_int_equal(bq_health_status(BQ_STR("HTTP/1.1 099")), 0);
    assert_int_equal(bq_health_status(BQ_STR("HTTP/1.1 2x4")), 0);
    assert_int_equal(bq_health_status(BQ_STR("HTTP/2.0 204")), 0);
    assert_int_equal(bq_health_status(BQ_STR("SSH-2.0-Open")), 0);
    (void)state;
}

/* --- peers -------------------------------------------------------------------------------- */

struct peer {
    const char *answer;
    unsigned pause_ms; /* between its bytes */
    int listener;
    pthread_t thread;
};

static void *serve_one(void *arg)
{
    struct peer *p = arg;
    char request[512];
    int fd = accept(p->listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    if (read(fd, request, sizeof request) > 0)
        for (const char *at = p->answer; *at; at++) {
            if (send(fd, at, 1, MSG_NOSIGNAL) != 1)
                break;
            nanosleep(&(struct timespec){.tv_nsec = p->pause_ms * 1000000L}, NULL);
        }
    close(fd);
    return NULL;
}

static int ask(struct fixture *f, const char *answer, unsigned pause_ms, uint32_t ms_max)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct peer p = {.answer = answer, .pause_ms = pause_ms};
    socklen_t n = sizeof address;
    char url[64];
    p.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(p.listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(p.listener, 1), 0);
    assert_int_equal(getsockname(p.listener, (struct sockaddr *)&address, &n), 0);
    assert_int_equal(pthread_create(&p.thread, NULL, serve_one, &p), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", ntohs(address.sin_port));
    assert_int_equal(set(f, url), BQ_OK);
    int rc = bq_health_ask(&f->question, ms_max, &f->error);
    pthread_join(p.thread, NULL);
    close(p.listener);
    return rc;
}

static void success_and_redirects_are_healthy(void **state)
{
    assert_int_equal(ask(*state, "HTTP/1.1 200 OK\r\n\r\n", 0, 5000), BQ_OK);
    assert_int_equal(ask(*state, "HTTP/1.1 399 \r\n\r\n", 0, 5000), BQ_OK);
}

static void other_answers_are_not(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "HTTP/1.1 503 Service Unavailable\r\n\r\n", 0, 5000), BQ_INVALID);
    assert_non_null(strstr(f->error.text, " answers GET /x with 503"));
    assert_int_equal(ask(f, "HTTP/1.1 400 Bad Request\r\n\r\n", 0, 5000), BQ_INVALID);
    assert_int_equal(ask(f, "220 mail.example ESMTP\r\n", 0, 5000), BQ_INVALID);
    assert_non_null(strstr(f->error.text, " does not speak HTTP/1"));
    assert_int_equal(ask(f, "HTTP/1.1 2", 0, 5000), BQ_SYSTEM);
    assert_non_null(strstr(f->error.text, " does not answer: Connection reset by peer"));
}

static void a_slow_peer_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "HTTP/1.1 200 OK\r\n\r\n", 40, 100), BQ_SYSTEM);
    assert_non_null(strstr(f->error.text, "it takes too long"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_url_the_configured_server_is_asked),
        TEST(a_url_says_where_and_what),
        TEST(what_cannot_be_asked_is_refused),
        TEST(a_status_line_is_recognised),
        TEST(success_and_redirects_are_healthy),
        TEST(other_answers_are_not),
        TEST(a_slow_peer_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
