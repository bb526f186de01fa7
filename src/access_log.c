/*
 * access_log.c: formatting of access records.
 *
 * It runs once a request, so there is no printf here: the line has room for the
 * worst case, pieces are copied behind each other, and the date is formatted
 * once a second.
 */
#include "access_log.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static char *put(char *out, bq_str s)
{
    memcpy(out, s.p, s.n);
    return out + s.n;
}

#define PUT(out, lit) put(out, BQ_STR(lit))

/* At least width digits. */
static char *put_number(char *out, uint64_t v, unsigned width)
{
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) || n < width);
    while (n)
        *out++ = digits[--n];
    return out;
}

static char *put_seconds(char *out, uint64_t us)
{
    out = put_number(out, us / 1000000, 1);
    *out++ = '.';
    return put_number(out, us % 1000000, 6);
}

static char *put_hex(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    *out++ = hex[c >> 4];
    *out++ = hex[c & 15];
    return out;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static char *put_escaped_text(char *out, bq_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_plain(c)) {
            *out++ = (char)c;
        } else {
            out = PUT(out, "\\x");
            out = put_hex(out, c);
        }
    }
    return out;
}

/* Valid UTF-8 stays, but for the control characters U+0080 to U+009F; bytes of anything
 * else become U+FFFD. */
static char *put_escaped_json(char *out, bq_str s)
{
    bool valid = bq_utf8_valid(s);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_plain(c)) {
            *out++ = (char)c;
        } else if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c < 0x80) {
            out = put_hex(PUT(out, "\\u00"), c);
        } else if (!valid) {
            out = PUT(out, "\\ufffd");
        } else if (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0) {
            out = put_hex(PUT(out, "\\u00"), (unsigned char)s.p[++i]);
        } else {
            *out++ = (char)c;
        }
    }
    return out;
}

/* Cuts before a whole character, so that valid UTF-8 stays valid. */
static bq_str cut(bq_str s)
{
    size_t n = BQ_ACCESS_FIELD_BYTES_MAX;
    if (s.n <= n)
        return s;
    for (int back = 0; back < 3 && ((unsigned char)s.p[n] & 0xc0) == 0x80; back++)
        n--;
    return bq_str_of(s.p, n);
}

static char *put_client_text(const struct bq_access_log *log, char *out, bq_str s)
{
    bq_str shown = cut(s);
    out =
        log->format == BQ_ACCESS_JSON ? put_escaped_json(out, shown) : put_escaped_text(out, shown);
    return shown.n < s.n ? PUT(out, "...") : out;
}

static char *put_date(struct bq_access_log *log, char *out, time_t now)
{
    if (now != log->second || !log->date_bytes) {
        struct tm tm;
        gmtime_r(&now, &tm);
        /* The C locale's month names: the server never calls setlocale. */
        log->date_bytes = log->format == BQ_ACCESS_JSON
                              ? strftime(log->date, sizeof log->date, "%Y-%m-%dT%H:%M:%SZ", &tm)
                              : strftime(log->date, sizeof log->date, "%d/%b/%Y:%T +0000", &tm);
        log->second = now;
    }
    return put(out, bq_str_of(log->date, log->date_bytes));
}

static char *put_ip(char *out, const struct bq_ip *ip, bq_str none)
{
    char text[BQ_IP_TEXT_MAX];
    size_t n = bq_ip_text(ip, text);
    return put(out, n ? bq_str_of(text, n) : none);
}

static char *put_quoted_text(const struct bq_access_log *log, char *out, bq_str s)
{
    *out++ = '"';
    out = s.n ? put_client_text(log, out, s) : PUT(out, "-");
    *out++ = '"';
    return out;
}

/* The request line, or "-" where it could not be read. */
static char *put_request_text(const struct bq_access_log *log, char *out,
                              const struct bq_access_record *r)
{
    if (!r->method.n)
        return PUT(out, "\"-\"");
    *out++ = '"';
    out = put_client_text(log, out, r->method);
    *out++ = ' ';
    out = put_client_text(log, out, r->target);
    out = PUT(out, " HTTP/1.");
    out = put_number(out, r->version_minor, 1);
    *out++ = '"';
    return out;
}

/* What text and combined have in common; none stands for what is not there. */
static char *put_common(struct bq_access_log *log, char *out, const struct bq_access_record *r,
                        time_t now, bq_str no_ip, bq_str no_bytes)
{
    out = put_ip(out, &r->ip, no_ip);
    out = put_date(log, PUT(out, " - - ["), now);
    out = put_request_text(log, PUT(out, "] "), r);
    *out++ = ' ';
    out = put_number(out, (unsigned)r->status, 1);
    *out++ = ' ';
    out = r->body_bytes ? put_number(out, r->body_bytes, 1) : put(out, no_bytes);
    *out++ = ' ';
    out = put_quoted_text(log, out, r->referer);
    *out++ = ' ';
    return put_quoted_text(log, out, r->user_agent);
}

static char *put_text_line(struct bq_access_log *log, char *out, const struct bq_access_record *r,
                           time_t now)
{
    out = put_common(log, out, r, now, BQ_STR("unix"), BQ_STR("0"));
    *out++ = ' ';
    out = put_seconds(out, r->duration_us);
    return r->id.n ? put(PUT(out, " "), r->id) : out;
}

static char *put_combined_line(struct bq_access_log *log, char *out,
                               const struct bq_access_record *r, time_t now)
{
    return put_common(log, out, r, now, BQ_STR("-"), BQ_STR("-"));
}

static char *put_json_text(const struct bq_access_log *log, char *out, bq_str key, bq_str s)
{
    out = put(out, key);
    if (!s.n)
        return PUT(out, "null");
    *out++ = '"';
    out = put_client_text(log, out, s);
    *out++ = '"';
    return out;
}

static char *put_json_line(struct bq_access_log *log, char *out, const struct bq_access_record *r,
                           time_t now)
{
    out = put_date(log, PUT(out, "{\"time\":\""), now);
    out = put_ip(PUT(out, "\",\"ip\":\""), &r->ip, BQ_STR(""));
    out = put_json_text(log, out, BQ_STR("\",\"method\":"), r->method);
    out = put_json_text(log, out, BQ_STR(",\"target\":"), r->target);
    out = put_number(PUT(out, ",\"version\":\"1."), r->version_minor, 1);
    out = put_number(PUT(out, "\",\"status\":"), (unsigned)r->status, 1);
    out = put_number(PUT(out, ",\"bytes\":"), r->body_bytes, 1);
    out = put_seconds(PUT(out, ",\"duration\":"), r->duration_us);
    out = put_json_text(log, out, BQ_STR(",\"referer\":"), r->referer);
    out = put_json_text(log, out, BQ_STR(",\"user_agent\":"), r->user_agent);
    if (r->id.n)
        out = PUT(put(PUT(out, ",\"request_id\":\""), r->id), "\"");
    if (r->trace_id.n)
        out = PUT(put(PUT(out, ",\"trace_id\":\""), r->trace_id), "\"");
    *out++ = '}';
    return out;
}

/* --- dev ---------------------------------------------------------------------------------- */

#define DIM   "\x1b[2m"
#define BOLD  "\x1b[1m"
#define PLAIN "\x1b[0m"

#define METHOD_WIDTH   7
#define DURATION_WIDTH 12
#define BYTES_WIDTH    12

/* Spaces up to the width, of which what starts at from has taken some. */
static char *pad(char *out, const char *from, size_t width)
{
    while ((size_t)(out - from) < width)
        *out++ = ' ';
    return out;
}

/* Moves what has been put since from to the right, so that it fills the width. */
static char *align(char *from, char *out, size_t width)
{
    size_t n = (size_t)(out - from);
    if (n >= width)
        return out;
    memmove(from + width - n, from, n);
    memset(from, ' ', width - n);
    return from + width;
}

static char *put_colour(const struct bq_access_log *log, char *out, bq_str colour)
{
    return log->coloured ? put(out, colour) : out;
}

static bq_str status_colour(int status)
{
    static const bq_str colours[] = {
        {"\x1b[32m", 5}, /* 2xx: green */
        {"\x1b[36m", 5}, /* 3xx: cyan */
        {"\x1b[33m", 5}, /* 4xx: yellow */
        {"\x1b[31m", 5}, /* 5xx: red */
    };
    return status >= 200 && status < 600 ? colours[status / 100 - 2] : BQ_STR(PLAIN);
}

static char *put_measures(char *out, const struct bq_access_record *r)
{
    char *from = out;
    out = put_number(out, r->duration_us / 1000, 1);
    *out++ = '.';
    out = put_number(out, r->duration_us % 1000, 3);
    out = align(from, PUT(out, " ms"), DURATION_WIDTH);
    from = out;
    out = put_number(out, r->body_bytes, 1);
    return align(from, PUT(out, " B"), BYTES_WIDTH);
}

static char *put_dev_line(const struct bq_access_log *log, char *out,
                          const struct bq_access_record *r)
{
    out = put_colour(log, out, BQ_STR(BOLD));
    const char *from = out;
    out = r->method.n ? put_client_text(log, out, r->method) : PUT(out, "-");
    out = pad(out, from, METHOD_WIDTH);
    out = put_colour(log, out, BQ_STR(PLAIN));
    *out++ = ' ';
    out = put_colour(log, out, status_colour(r->status));
    out = put_number(out, (unsigned)r->status, 1);
    out = put_colour(log, out, BQ_STR(PLAIN DIM));
    out = put_measures(out, r);
    out = put_colour(log, out, BQ_STR(PLAIN));
    out = PUT(out, "  ");
    return r->target.n ? put_client_text(log, out, r->target) : PUT(out, "-");
}

bool bq_access_log_may_colour(int fd)
{
    const char *no = getenv("NO_COLOR");
    return !(no && *no) && isatty(fd);
}

/* --- all ---------------------------------------------------------------------------------- */

static char *put_line(struct bq_access_log *log, char *out, const struct bq_access_record *r,
                      time_t now)
{
    switch (log->format) {
    case BQ_ACCESS_TEXT:
        return put_text_line(log, out, r, now);
    case BQ_ACCESS_COMBINED:
        return put_combined_line(log, out, r, now);
    case BQ_ACCESS_JSON:
        return put_json_line(log, out, r, now);
    case BQ_ACCESS_DEV:
        return put_dev_line(log, out, r);
    case BQ_ACCESS_OFF:
        break;
    }
    return out;
}

void bq_access_log_init(struct bq_access_log *log, enum bq_access_format format,
                        struct bq_line_writer *writer, unsigned lane, const struct bq_loop *loop)
{
    log->format = format;
    log->coloured = false;
    log->writer = writer;
    log->lane = lane;
    log->loop = loop;
    log->date_bytes = 0;
}

size_t bq_access_log_format(struct bq_access_log *log, const struct bq_access_record *record,
                            time_t now)
{
    assert(log->format != BQ_ACCESS_OFF);
    char *out = put_line(log, log->line, record, now);
    *out++ = '\n';
    assert((size_t)(out - log->line) <= sizeof log->line);
    return (size_t)(out - log->line);
}

void bq_access_log_write(void *arg, const struct bq_access_record *record)
{
    struct bq_access_log *log = arg;
    size_t n = bq_access_log_format(log, record, bq_loop_time(log->loop));
    bq_line_writer_put(log->writer, log->lane, bq_str_of(log->line, n));
}
