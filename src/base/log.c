/* log.c: formats a record and writes it whole. */
#include "base/log.h"

#include "base/rc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BYTES_MAX 8192

/* Written once at start, before there are threads. */
static enum bq_log_level threshold = BQ_LOG_INFO;

static const char *const names[] = {"debug", "info", "warn", "error", "off"};

void bq_log_set_level(enum bq_log_level level)
{
    threshold = level;
}

bool bq_log_enabled(enum bq_log_level level)
{
    return level >= threshold;
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

static size_t put_prefix(char *out, enum bq_log_level level)
{
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(out, 64, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(out + n, 64, ".%03ldZ %-5s ", ts.tv_nsec / 1000000, names[level]);
    return n;
}

/* Escapes into out, which has room for four bytes a character and a newline. */
static size_t put_escaped(char *out, const char *text)
{
    size_t n = 0;
    for (; *text && n < RECORD_BYTES_MAX; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n') {
            out[n++] = '\n';
            out[n++] = ' ';
            out[n++] = ' ';
        } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
            n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
        } else {
            out[n++] = (char)c;
        }
    }
    return n;
}

void bq_log(enum bq_log_level level, const char *format, ...)
{
    char text[RECORD_BYTES_MAX];
    char line[RECORD_BYTES_MAX + 256];
    va_list ap;
    if (!bq_log_enabled(level))
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    size_t n = put_prefix(line, level);
    n += put_escaped(line + n, text);
    line[n++] = '\n';
    /* A log that cannot be written has nobody to tell. */
    ssize_t done = write(STDERR_FILENO, line, n);
    (void)done;
}
