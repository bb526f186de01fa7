/*
 * h1_fields.c: shows sections to llhttp, and the only file that sees it.
 *
 * llhttp does the grammar; what it found must then tile the section exactly, field for
 * field. What is refused here and not by llhttp are its known weaknesses, and the unknown.
 */
#include "http/h1_fields.h"

#include "http/chars.h"

#include <llhttp.h>

/* What llhttp found, as views into the section. */
struct spans {
    bq_str target;
    struct bq_field *fields;
    size_t count, max;
};

static int on_url(llhttp_t *h, const char *at, size_t n)
{
    ((struct spans *)h->data)->target = bq_str_of(at, n);
    return 0;
}

static int on_name(llhttp_t *h, const char *at, size_t n)
{
    struct spans *s = h->data;
    if (s->count == s->max)
        return -1;
    s->fields[s->count++] = (struct bq_field){bq_str_of(at, n), {NULL, 0}};
    return 0;
}

static int on_value(llhttp_t *h, const char *at, size_t n)
{
    struct spans *s = h->data;
    s->fields[s->count - 1].value = bq_str_of(at, n);
    return 0;
}

/* The head is all that llhttp is shown: bodies, upgrades and what follows are not
 * its business. */
static int on_end(llhttp_t *h)
{
    (void)h;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_end,
};

static struct bq_refusal refusal_of(llhttp_errno_t err)
{
    switch (err) {
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return bq_refuse(400, "ambiguous content-length");
    case HPE_INVALID_CONTENT_LENGTH:
        return bq_refuse(400, "malformed content-length");
    case HPE_INVALID_TRANSFER_ENCODING:
        return bq_refuse(400, "malformed transfer-encoding");
    case HPE_INVALID_URL:
        return bq_refuse(400, "malformed request target");
    default:
        return bq_refuse(400, "malformed header field");
    }
}

/* Runs llhttp over text, which ends with the empty line and starts with a request
 * line, or with fields if stand_in. */
static struct bq_refusal find_spans(bq_str text, bool stand_in, struct spans *spans)
{
    static const bq_str line = {"GET / HTTP/1.1\r\n", 16};
    llhttp_t h;
    llhttp_init(&h, HTTP_REQUEST, &settings);
    h.data = spans;
    if (stand_in && llhttp_execute(&h, line.p, line.n) != HPE_OK)
        return bq_refuse(400, "malformed request line");
    llhttp_errno_t err = llhttp_execute(&h, text.p, text.n);
    if (err != HPE_PAUSED)
        return refusal_of(err);
    if (llhttp_get_error_pos(&h) != text.p + text.n)
        return bq_refuse(400, "malformed header section");
    return BQ_ACCEPTED;
}

/* --- tiles ------------------------------------------------------------- */

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether the field starts at *at and is exactly name ":" OWS value OWS CRLF; *at
 * moves behind it, and the value loses its white space. The section's final CRLF
 * keeps every step inside. */
static bool tile_field(const char **at, struct bq_field *f, bool odd)
{
    const char *p = f->name.p + f->name.n;
    if (f->name.p != *at || !f->name.n || !bq_chars_token(f->name) || *p++ != ':')
        return false;
    while (is_blank(*p))
        p++;
    if (f->value.n == 0)
        f->value.p = p;
    if (f->value.p != p || (odd && !bq_chars_value(f->value)))
        return false;
    p += f->value.n;
    while (f->value.n && is_blank(f->value.p[f->value.n - 1]))
        f->value.n--;
    *at = p + 2;
    return p[0] == '\r' && p[1] == '\n';
}

static bool tile_fields(const struct bq_h1_text *text, const struct spans *s)
{
    const char *at = text->bytes.p + text->from, *end = text->bytes.p + text->bytes.n;
    if (s->count != s->max)
        return false;
    for (size_t i = 0; i < s->count; i++)
        if (!tile_field(&at, &s->fields[i], text->odd))
            return false;
    return end - at == 2 && at[0] == '\r' && at[1] == '\n';
}

struct bq_refusal bq_h1_fields_read(const struct bq_h1_text *text, struct bq_field *fields)
{
    struct spans spans = {.fields = fields, .max = text->count};
    bool stand_in = !text->target.p;
    size_t shown = stand_in ? text->from : 0;
    struct bq_refusal refusal =
        find_spans(bq_str_of(text->bytes.p + shown, text->bytes.n - shown), stand_in, &spans);
    if (refusal.status)
        return refusal;
    if (!stand_in && (spans.target.p != text->target.p || spans.target.n != text->target.n))
        return bq_refuse(400, "malformed request line");
    if (!tile_fields(text, &spans))
        return bq_refuse(400, "malformed header field");
    return BQ_ACCEPTED;
}
