/*
 * h1_write.c: responses as HTTP/1.1 bytes.
 *
 * One reserve for the most that the response can take, then a pen that moves over
 * the reserved space: nothing on this path formats, and nothing can fail half-way.
 */
#include "http/h1_write.h"

#include "base/rc.h"
#include "http/chars.h"
#include "http/status.h"

#include <assert.h>

/* A status line made here, Date, Content-Type's name, Content-Length with 20 digits,
 * Connection, the names of X-Request-Id and the rest, and the CRLFs. */
#define FIXED_BYTES_MAX 256

#define PUT(w, lit) put((w), (lit), sizeof(lit) - 1)

static inline char *put(char *w, const char *p, size_t n)
{
    memcpy(w, p, n);
    return w + n;
}

static inline char *put_str(char *w, bq_str s)
{
    return s.n ? put(w, s.p, s.n) : w;
}

static char *put_number(char *w, uint64_t value)
{
    size_t n = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        n++;
    for (size_t at = n; at--; value /= 10)
        w[at] = (char)('0' + value % 10);
    return w + n;
}

int bq_field_check(bq_str name, bq_str value)
{
    bool valid = name.n && bq_chars_all(name, BQ_CHAR_TOKEN) && bq_chars_value(value);
    return valid ? BQ_OK : BQ_INVALID;
}

static bool is_content_type(bq_str name)
{
    return bq_str_eq_nocase(name, BQ_STR("content-type"));
}

/* By length first: most fields are none of these. */
static bool is_framing(bq_str name)
{
    switch (name.n) {
    case 4:
        return bq_str_eq_nocase(name, BQ_STR("date"));
    case 10:
        return bq_str_eq_nocase(name, BQ_STR("connection")) ||
               bq_str_eq_nocase(name, BQ_STR("keep-alive"));
    case 14:
        return bq_str_eq_nocase(name, BQ_STR("content-length"));
    case 16:
        return bq_str_eq_nocase(name, BQ_STR("proxy-connection"));
    case 17:
        return bq_str_eq_nocase(name, BQ_STR("transfer-encoding"));
    default:
        return false;
    }
}

static bool is_request_id(bq_str name)
{
    return bq_str_eq_nocase(name, BQ_STR("x-request-id"));
}

static char *put_fields(char *w, const struct bq_response *r, bool typed, bool named)
{
    for (size_t i = 0; i < r->field_count; i++) {
        const struct bq_field *f = &r->fields[i];
        if (is_framing(f->name) || (typed && is_content_type(f->name)) ||
            (named && is_request_id(f->name)) || bq_field_check(f->name, f->value) != BQ_OK)
            continue;
        w = put_str(w, f->name);
        w = PUT(w, ": ");
        w = put_str(w, f->value);
        w = PUT(w, "\r\n");
    }
    return w;
}

static char *put_status(char *w, int status)
{
    if (status == 200)
        return PUT(w, "HTTP/1.1 200 OK\r\n");
    bq_str line = bq_status_line(status);
    if (line.n)
        return put(w, line.p, line.n);
    w = PUT(w, "HTTP/1.1 ");
    w = put_number(w, (uint64_t)status);
    return PUT(w, " \r\n");
}

/* NULL if it cannot be said. */
static char *put_type(char *w, bq_str type)
{
    if (type.p == bq_type_json)
        return PUT(w, "Content-Type: application/json\r\n");
    if (type.p == bq_type_text)
        return PUT(w, "Content-Type: text/plain; charset=utf-8\r\n");
    if (type.n == 0 || !bq_chars_value(type))
        return NULL;
    w = PUT(w, "Content-Type: ");
    w = put_str(w, type);
    return PUT(w, "\r\n");
}

static char *put_connection(char *w, const struct bq_h1_reply *how)
{
    if (how->close)
        return PUT(w, "Connection: close\r\n");
    return how->version_minor == 0 ? PUT(w, "Connection: keep-alive\r\n") : w;
}

static size_t response_bytes_max(const struct bq_response *r, const struct bq_h1_reply *how)
{
    size_t n = FIXED_BYTES_MAX + r->content_type.n + r->body.n + how->id.n;
    for (size_t i = 0; i < r->field_count; i++)
        n += r->fields[i].name.n + r->fields[i].value.n + sizeof ": \r\n";
    return n;
}

int bq_h1_write_response(struct bq_buf *out, const struct bq_response *r,
                         const struct bq_h1_reply *how)
{
    assert(r->status >= 200 && r->status <= 599);
    int rc = bq_buf_reserve(out, response_bytes_max(r, how));
    if (rc != BQ_OK)
        return rc;

    bool has_length = r->status != 204 && r->status != 304;
    size_t length = r->status == 205 ? 0 : r->body.n;
    char *w = put_status(out->data + out->len, r->status);
    w = PUT(w, "Date: ");
    w = put(w, how->date, BQ_DATE_BYTES);
    w = PUT(w, "\r\n");
    char *typed = put_type(w, r->content_type);
    w = typed ? typed : w;
    if (r->field_count)
        w = put_fields(w, r, typed, how->id.n);
    if (how->id.n) {
        w = PUT(w, "X-Request-Id: ");
        w = put_str(w, how->id);
        w = PUT(w, "\r\n");
    }
    if (has_length) {
        w = PUT(w, "Content-Length: ");
        w = put_number(w, length);
        w = PUT(w, "\r\n");
    }
    w = put_connection(w, how);
    w = PUT(w, "\r\n");
    if (has_length && length && !how->head_only)
        w = put(w, r->body.p, length);
    out->len = (size_t)(w - out->data);
    assert(out->len <= out->cap);
    return BQ_OK;
}

static char *put_reason(char *w, const char *reason)
{
    size_t n = strlen(reason);
    assert(n <= BQ_REASON_BYTES_MAX);
    for (size_t i = 0; i < n; i++)
        assert(reason[i] >= ' ' && reason[i] <= '~' && reason[i] != '"' && reason[i] != '\\');
    return put(w, reason, n);
}

int bq_h1_write_error(struct bq_buf *out, int status, const char *reason,
                      const struct bq_h1_reply *how)
{
    char body[BQ_REASON_BYTES_MAX + sizeof "{\"detail\":\"\"}"];
    char *w = PUT(body, "{\"detail\":\"");
    w = put_reason(w, reason);
    w = PUT(w, "\"}");
    struct bq_response r = {
        .status = status,
        .content_type = BQ_TYPE_JSON,
        .body = bq_str_of(body, (size_t)(w - body)),
    };
    struct bq_h1_reply closing = *how;
    closing.close = true;
    return bq_h1_write_response(out, &r, &closing);
}

int bq_h1_write_continue(struct bq_buf *out)
{
    return bq_buf_append(out, BQ_STR("HTTP/1.1 100 Continue\r\n\r\n"));
}
