/* health.c: one request as a client, and what its status means. */
#include "health.h"

#include "base/clock.h"
#include "base/rc.h"
#include "net/dial.h"
#include "net/proxy_header.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define TARGET_MAX  1024
#define STATUS_LINE "HTTP/1.x 200"

/* --- the question --------------------------------------------------------------------------- */

static bq_str behind(bq_str s, size_t n)
{
    return bq_str_of(s.p + n, s.n - n);
}

/* A list's first endpoint stands for all: the same workers serve them. */
static int ask_configured(struct bq_health_question *q, const struct bq_config *c,
                          struct bq_config_error *error)
{
    char reason[256];
    bool listed = bq_config_uses_listen(c);
    int rc = listed ? bq_endpoint_parse(&q->endpoint, c->listen.items[0], reason)
                    : bq_endpoint_set(&q->endpoint, c->host, (uint16_t)c->port, reason);
    if (rc != BQ_OK)
        return bq_config_fail(error, rc, "%s", reason);
    if (!listed && c->port == 0)
        return bq_config_fail(error, BQ_INVALID, "port 0 is any: say which with --port or a URL");
    return BQ_OK;
}

static int ask_http(struct bq_health_question *q, bq_str rest, struct bq_config_error *error)
{
    char reason[256], with_port[300];
    size_t slash = bq_str_find(rest, '/', 0);
    bq_str host = bq_str_of(rest.p, slash);
    size_t v6_end = bq_str_find(host, ']', 0);
    bool has_port = bq_str_find(host, ':', v6_end < host.n ? v6_end : 0) < host.n;
    if (slash < rest.n)
        q->target = behind(rest, slash);
    if (host.n == 0 || host.n > 255)
        return bq_config_fail(error, BQ_INVALID, "no host");
    q->host = host;
    snprintf(with_port, sizeof with_port, "%.*s%s", BQ_STR_ARG(host), has_port ? "" : ":80");
    if (bq_endpoint_parse(&q->endpoint, bq_str_cstr(with_port), reason) != BQ_OK)
        return bq_config_fail(error, BQ_INVALID, "%s", reason);
    return BQ_OK;
}

static int ask_unix(struct bq_health_question *q, bq_str url, struct bq_config_error *error)
{
    char reason[256];
    size_t colon = bq_str_find(url, ':', sizeof "unix:" - 1);
    if (colon < url.n)
        q->target = behind(url, colon + 1);
    if (bq_endpoint_parse(&q->endpoint, bq_str_of(url.p, colon), reason) != BQ_OK)
        return bq_config_fail(error, BQ_INVALID, "%s", reason);
    return BQ_OK;
}

/* What would break the request's lines. */
static int check_target(bq_str target, struct bq_config_error *error)
{
    bool good = target.n > 0 && target.n <= TARGET_MAX &&
                (target.p[0] == '/' || bq_str_eq(target, BQ_STR("*")));
    for (size_t i = 0; good && i < target.n; i++)
        good = target.p[i] > 0x20 && target.p[i] < 0x7f && target.p[i] != '#';
    if (good)
        return BQ_OK;
    return bq_config_fail(error, BQ_INVALID,
                          "a path begins with \"/\" and has no spaces, \"#\" or control "
                          "characters (at most %d bytes)",
                          TARGET_MAX);
}

int bq_health_question_set(struct bq_health_question *q, const struct bq_config *c, const char *url,
                           struct bq_config_error *error)
{
    const bq_str http = BQ_STR("http://"), text = url ? bq_str_cstr(url) : BQ_STR("*");
    *q = (struct bq_health_question){
        .method = url ? "GET" : "OPTIONS", .target = BQ_STR("/"), .host = BQ_STR("localhost")};
    int rc;
    if (bq_str_starts(text, http)) {
        rc = ask_http(q, behind(text, http.n), error);
    } else if (bq_str_starts(text, BQ_STR("unix:"))) {
        rc = ask_unix(q, text, error);
    } else if (!url || *url == '/') {
        q->target = text;
        q->proxied = c->proxy_protocol;
        rc = ask_configured(q, c, error);
    } else {
        return bq_config_fail(error, BQ_INVALID,
                              "it must be /path, http://host:port/path or unix:/socket:/path");
    }
    return rc == BQ_OK ? check_target(q->target, error) : rc;
}

/* --- the answer ----------------------------------------------------------------------------- */

/* RFC 9112, section 4. */
unsigned bq_health_status(bq_str answer)
{
    unsigned status = 0;
    if (answer.n < sizeof STATUS_LINE - 1 || !bq_str_starts(answer, BQ_STR("HTTP/1.")) ||
        answer.p[7] < '0' || answer.p[7] > '9' || answer.p[8] != ' ')
        return 0;
    for (size_t i = 9; i < 12; i++) {
        if (answer.p[i] < '0' || answer.p[i] > '9')
            return 0;
        status = status * 10 + (unsigned)(answer.p[i] - '0');
    }
    return status >= 100 ? status : 0;
}

/* The connection's own limit bounds each call; the deadline, what a peer that sends byte by byte
 * makes of them. */
static int read_status(int fd, uint64_t deadline_ms, unsigned *status)
{
    char answer[sizeof STATUS_LINE - 1];
    size_t n = 0;
    while (n < sizeof answer) {
        ssize_t got = read(fd, answer + n, sizeof answer - n);
        if (got < 0 && errno != EINTR)
            return BQ_SYSTEM;
        if (got == 0 || bq_clock_ms() >= deadline_ms) {
            errno = got == 0 ? ECONNRESET : EAGAIN;
            return BQ_SYSTEM;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    *status = bq_health_status(bq_str_of(answer, sizeof answer));
    return BQ_OK;
}

static int exchange(const struct bq_health_question *q, int fd, uint64_t deadline_ms,
                    unsigned *status)
{
    char request[TARGET_MAX + 512];
    int before = q->proxied ? BQ_PROXY_LOCAL_BYTES : 0;
    memcpy(request, BQ_PROXY_LOCAL, (size_t)before);
    int n = snprintf(request + before, sizeof request - (size_t)before,
                     "%s %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: barq-server health\r\n"
                     "Connection: close\r\n\r\n",
                     q->method, BQ_STR_ARG(q->target), BQ_STR_ARG(q->host));
    ssize_t sent = write(fd, request, (size_t)(before + n));
    if (sent == before + n)
        return read_status(fd, deadline_ms, status);
    if (sent >= 0)
        errno = EAGAIN;
    return BQ_SYSTEM;
}

int bq_health_ask(const struct bq_health_question *q, uint32_t ms_max,
                  struct bq_config_error *error)
{
    char where[BQ_ENDPOINT_TEXT_MAX];
    unsigned status = 0;
    int fd = -1;
    uint64_t deadline_ms = bq_clock_ms() + ms_max;
    int rc = bq_dial(&q->endpoint, ms_max, &fd);
    if (rc == BQ_OK)
        rc = exchange(q, fd, deadline_ms, &status);
    int reason = errno;
    if (fd >= 0)
        close(fd);
    bq_endpoint_text(&q->endpoint, where);
    if (rc != BQ_OK)
        return bq_config_fail(error, BQ_SYSTEM, "%s does not answer: %s", where,
                              reason == EAGAIN ? "it takes too long" : strerror(reason));
    if (status == 0)
        return bq_config_fail(error, BQ_INVALID, "%s does not speak HTTP/1", where);
    if (status < 200 || status > 399)
        return bq_config_fail(error, BQ_INVALID, "%s answers %s %.*s with %u", where, q->method,
                              BQ_STR_ARG(q->target), status);
    return BQ_OK;
}
