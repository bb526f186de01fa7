/*
 * log.c: formats a record and writes it whole.
 *
 * A record is at most PIPE_BUF bytes: standard error is a pipe where a server
 * runs in a container, and a pipe takes no more than that in one piece.
 */
#include "base/log.h"

#include "base/rc.h"
#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BYTES_MAX PIPE_BUF
#define CUT              " [truncated]"

/* Written once at start, before there are threads. */
static enum bq_log_level threshold = BQ_LOG_INFO;

static atomic_ullong counts[BQ_LOG_OFF];

static const char *const names[] = {"debug", "info", "warn", "error", "off"};

struct record {
    char bytes[RECORD_BYTES_MAX];
    size_t n;
};

void bq_log_set_level(enum bq_log_level level)
{
    threshold = level;
}

bool bq_log_enabled(enum bq_log_level level)
{
    return level >= threshold;
}

unsigned long long bq_log_count(enum bq_log_level level)
{
    return atomic_load_explicit(&counts[level], memory_order_relaxed);
}

int bq_log_level_of(bq_str name, enum bq_log_level *out)
{
    for (int i = BQ_LOG_DEBUG; i <= BQ_LOG_OFF; i++) {
        if (bq_str_eq(name, bq_str_cstr(names[i]))) {
            *out = (enum bq_log_level)i;
            return BQ_OK;
        }
    }
    return BQ_INVALID;
}

static void put_prefix(struct record *r, enum bq_log_level level)
{
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    r->n = strftime(r->bytes, 64, "%Y-%m-%dT%H:%M:%S", &tm);
    r->n +=
        (size_t)snprintf(r->bytes + r->n, 64, ".%03ldZ %-5s ", ts.tv_nsec / 1000000, names[level]);
}

static void put(struct record *r, bq_str s)
{
    assert(s.n <= sizeof r->bytes - r->n);
    memcpy(r->bytes + r->n, s.p, s.n);
    r->n += s.n;
}

/* Whether the character s may stand in a log as it is. C1 controls (U+0080 to U+009F, in UTF-8
 * c2 80 to c2 9f) drive terminals as ESC does. */
static bool is_plain(bq_str s)
{
    unsigned char c = (unsigned char)s.p[0];
    if (s.n == 1)
        return (c >= 0x20 && c != 0x7f) || c == '\t';
    return c != 0xc2 || (unsigned char)s.p[1] >= 0xa0;
}

/* Moves the first character of *text over, escaped. False where it would leave no room for the end
 * of the record. */
static bool put_character(struct record *r, bq_str *text)
{
    char escape[5];
    size_t used = bq_utf8_length(*text);
    bq_str s = bq_str_of(text->p, used);
    if (used == 0 || (!is_plain(s) && *text->p != '\n')) {
        used = 1;
        snprintf(escape, sizeof escape, "\\x%02x", (unsigned char)*text->p);
        s = bq_str_of(escape, 4);
    } else if (*text->p == '\n') {
        s = BQ_STR("\n  ");
    }
    if (r->n + s.n + sizeof CUT > sizeof r->bytes)
        return false;
    put(r, s);
    *text = bq_str_of(text->p + used, text->n - used);
    return true;
}

static void write_record(const struct record *r)
{
    ssize_t done;
    do
        done = write(STDERR_FILENO, r->bytes, r->n);
    while (done < 0 && errno == EINTR);
    /* A log that cannot be written has nobody to tell. */
}

void bq_log(enum bq_log_level level, const char *format, ...)
{
    char text[RECORD_BYTES_MAX];
    struct record r;
    int saved_errno = errno;
    va_list ap;
    atomic_fetch_add_explicit(&counts[level], 1, memory_order_relaxed);
    if (!bq_log_enabled(level))
        return;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    bool cut = n >= (int)sizeof text;
    bq_str rest = bq_str_of(text, n < 0 ? 0 : cut ? sizeof text - 1 : (size_t)n);
    while (rest.n && rest.p[rest.n - 1] == '\n')
        rest.n--;
    put_prefix(&r, level);
    while (rest.n && put_character(&r, &rest))
        ;
    if (cut || rest.n)
        put(&r, BQ_STR(CUT));
    put(&r, BQ_STR("\n"));
    write_record(&r);
    errno = saved_errno;
}
