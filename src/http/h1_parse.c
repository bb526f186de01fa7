/*
 * h1_parse.c: from fed bytes to a request, and the only file that sees llhttp.
 *
 * A section (the head, or the trailers) is first cut out by its lines, within the
 * limits and judged byte position by byte position, so that no split of the input
 * changes the outcome; only a whole section, at rest in the arena, is shown to
 * llhttp. Two readers must then agree: ours of the request line and of the cuts,
 * llhttp's of the fields. A disagreement is a 400, not a guess.
 */
#include "http/h1_parse.h"

#include "base/mem.h"
#include "http/chars.h"
#include "http/chunked.h"
#include "http/h1_head.h"
#include "http/h1_line.h"

#include <assert.h>
#include <llhttp.h>

#define EMPTY_LINES_MAX   4 /* before a request line; RFC 9112, section 2.2 asks for one */
#define SECTION_BYTES_MIN 512

enum state { AT_START, AT_HEAD, AT_LENGTH_BODY, AT_CHUNKED_BODY, AT_TRAILERS, AT_DONE, AT_REFUSED };

/* Lines on their way to an empty line. */
struct section {
    char *bytes; /* in the arena; NULL while all of it is in the fed bytes */
    size_t n, cap;
    size_t line_at;  /* where the current line starts */
    size_t found_to; /* no LF between line_at and here */
    size_t fields;   /* complete lines, without the request line */
};

struct bq_h1_parser {
    struct bq_h1_limits limits;
    struct bq_exchange *ex;
    enum state state;
    uint8_t skipped; /* bytes of empty lines before the request */
    struct section section;
    struct bq_h1_line line;
    struct bq_h1_framing framing;
    size_t head_n, head_fields;
    uint64_t length_left;
    struct bq_chunked chunked;
    bq_str chunk;
    struct bq_refusal refusal;
};

struct bq_h1_parser *bq_h1_parser_new(const struct bq_h1_limits *limits)
{
    struct bq_h1_parser *p = bq_alloc_zero(sizeof *p);
    if (p)
        p->limits = *limits;
    return p;
}

void bq_h1_parser_free(struct bq_h1_parser *p)
{
    bq_free(p);
}

void bq_h1_parser_reset(struct bq_h1_parser *p, struct bq_exchange *ex)
{
    *p = (struct bq_h1_parser){.limits = p->limits, .ex = ex};
}

static enum bq_h1_event refuse(struct bq_h1_parser *p, struct bq_refusal refusal)
{
    assert(refusal.status && refusal.reason);
    p->refusal = refusal;
    p->state = AT_REFUSED;
    return BQ_H1_REFUSED;
}

static void take(bq_str *in, size_t n)
{
    in->p += n;
    in->n -= n;
}

/* --- llhttp ------------------------------------------------------------ */

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

/* Whether the field starts at *at and is exactly name ":" OWS value OWS CRLF; *at
 * moves behind it, and the value loses its white space. The section's final CRLF
 * keeps every step inside. */
static bool tile_field(const char **at, struct bq_field *f)
{
    const char *p = f->name.p + f->name.n;
    if (f->name.p != *at || !f->name.n || !bq_chars_all(f->name, BQ_CHAR_TOKEN) || *p++ != ':')
        return false;
    while (*p == ' ' || *p == '\t')
        p++;
    if (f->value.n == 0)
        f->value.p = p;
    if (f->value.p != p || !bq_chars_value(f->value))
        return false;
    p += f->value.n;
    f->value = bq_str_trim(f->value);
    *at = p + 2;
    return p[0] == '\r' && p[1] == '\n';
}

static bool tile_fields(const struct spans *s, const char *at, const char *end)
{
    if (s->count != s->max)
        return false;
    for (size_t i = 0; i < s->count; i++)
        if (!tile_field(&at, &s->fields[i]))
            return false;
    return end - at == 2 && at[0] == '\r' && at[1] == '\n';
}

/* Reads the section's fields, which start at from, into *fields; target as the request
 * line's reader saw it, or p = NULL for a stand-in. */
static struct bq_refusal read_fields(struct bq_h1_parser *p, size_t from, bq_str target,
                                     struct bq_field **fields)
{
    const struct section *s = &p->section;
    struct spans spans = {.max = s->fields};
    spans.fields = bq_arena_alloc(&p->ex->arena, s->fields * sizeof *spans.fields);
    if (!spans.fields)
        return bq_refuse(503, "out of memory");

    bool stand_in = !target.p;
    size_t shown = stand_in ? from : 0;
    struct bq_refusal refusal =
        find_spans(bq_str_of(s->bytes + shown, s->n - shown), stand_in, &spans);
    if (refusal.status)
        return refusal;
    if (!stand_in && (spans.target.p != target.p || spans.target.n != target.n))
        return bq_refuse(400, "malformed request line");
    if (!tile_fields(&spans, s->bytes + from, s->bytes + s->n))
        return bq_refuse(400, "malformed header field");
    *fields = spans.fields;
    return BQ_ACCEPTED;
}

/* --- sections ---------------------------------------------------------- */

/* A line from line_at to its LF is complete. True at the end of the section. */
static bool end_line(struct bq_h1_parser *p, const char *base, size_t lf)
{
    struct section *s = &p->section;
    bq_str line = bq_str_of(base + s->line_at, lf - s->line_at);
    bool first = p->state == AT_HEAD && s->line_at == 0;
    s->line_at = s->found_to = lf + 1;
    if (line.n == 0 || line.p[line.n - 1] != '\r') {
        refuse(p, bq_refuse(400, "line feed without carriage return"));
        return false;
    }
    line.n--;
    if (first) {
        struct bq_refusal refusal = bq_h1_line_read(line, &p->line);
        if (refusal.status)
            refuse(p, refusal);
        return false;
    }
    if (line.n == 0)
        return true;
    if (++s->fields + p->head_fields > p->limits.fields_max)
        refuse(p, bq_refuse(431, "too many header fields"));
    return false;
}

/* Looks for the section's end in its first n bytes, at base; *end is behind it.
 * False if it is not there, or the section is refused (state). */
static bool find_end(struct bq_h1_parser *p, const char *base, size_t n, size_t *end)
{
    struct section *s = &p->section;
    size_t head_max = p->limits.head_bytes_max - p->head_n;
    while (p->state != AT_REFUSED) {
        bool in_line = p->state == AT_HEAD && s->line_at == 0;
        size_t line_max = (size_t)p->limits.line_bytes_max + 2;
        size_t max = in_line && line_max < head_max ? line_max : head_max;
        size_t to = n < max ? n : max;
        const char *lf = memchr(base + s->found_to, '\n', to - s->found_to);
        if (lf) {
            *end = (size_t)(lf - base) + 1;
            if (end_line(p, base, *end - 1))
                return true;
            continue;
        }
        s->found_to = to;
        if (to < max)
            return false;
        refuse(p, in_line ? bq_refuse(414, "request line too long")
                          : bq_refuse(431, "header section too large"));
    }
    return false;
}

/* Copies n bytes behind the section's. False without memory. */
static bool keep(struct bq_h1_parser *p, const char *bytes, size_t n)
{
    struct section *s = &p->section;
    if (s->cap - s->n < n) {
        size_t cap = s->cap ? s->cap : SECTION_BYTES_MIN;
        while (cap - s->n < n)
            cap *= 2;
        if (cap > p->limits.head_bytes_max)
            cap = p->limits.head_bytes_max;
        assert(cap - s->n >= n);
        char *moved = bq_arena_alloc(&p->ex->arena, cap);
        if (!moved) {
            refuse(p, bq_refuse(503, "out of memory"));
            return false;
        }
        if (s->n)
            memcpy(moved, s->bytes, s->n);
        s->bytes = moved;
        s->cap = cap;
    }
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
    return true;
}

/* The section began in an earlier feed: its next bytes join the others in the arena
 * before they are looked at. */
static bool collect_more(struct bq_h1_parser *p, bq_str *in)
{
    struct section *s = &p->section;
    size_t before = s->n;
    size_t room = p->limits.head_bytes_max - p->head_n - before;
    size_t n = in->n < room ? in->n : room;
    if (!keep(p, in->p, n))
        return false;
    size_t end = s->n;
    bool complete = find_end(p, s->bytes, s->n, &end);
    if (complete)
        s->n = end;
    take(in, (complete ? end : s->n) - before);
    return complete;
}

/* Moves a section's bytes from *in to the arena, once. True when it is complete. */
static bool collect(struct bq_h1_parser *p, bq_str *in)
{
    struct section *s = &p->section;
    size_t end;
    if (in->n == 0)
        return false;
    if (s->bytes)
        return collect_more(p, in);
    if (!find_end(p, in->p, in->n, &end)) {
        if (p->state != AT_REFUSED && keep(p, in->p, in->n))
            take(in, in->n);
        return false;
    }
    s->bytes = bq_arena_alloc(&p->ex->arena, end);
    if (!s->bytes) {
        refuse(p, bq_refuse(503, "out of memory"));
        return false;
    }
    memcpy(s->bytes, in->p, end);
    s->n = end;
    take(in, end);
    return true;
}

/* --- states ------------------------------------------------------------ */

static enum bq_h1_event waiting(const struct bq_h1_parser *p)
{
    return p->state == AT_REFUSED ? BQ_H1_REFUSED : BQ_H1_MORE;
}

static enum bq_h1_event feed_start(struct bq_h1_parser *p, bq_str *in)
{
    while (in->n) {
        bool cr_seen = p->skipped % 2;
        char c = in->p[0];
        if (!cr_seen && bq_char_is(c, BQ_CHAR_TOKEN)) {
            p->state = AT_HEAD;
            break;
        }
        if (c != (cr_seen ? '\n' : '\r') || p->skipped == 2 * EMPTY_LINES_MAX)
            return refuse(p, bq_refuse(400, "malformed request line"));
        p->skipped++;
        take(in, 1);
    }
    return BQ_H1_MORE;
}

static void enter_body(struct bq_h1_parser *p)
{
    p->length_left = p->framing.content_length;
    p->state = p->framing.chunked    ? AT_CHUNKED_BODY
               : p->framing.has_body ? AT_LENGTH_BODY
                                     : AT_DONE;
}

static enum bq_h1_event feed_head(struct bq_h1_parser *p, bq_str *in)
{
    if (!collect(p, in))
        return waiting(p);

    struct bq_request *r = &p->ex->request;
    const char *bytes = p->section.bytes;
    bq_str target = bq_str_of(bytes + p->line.method_n + 1, p->line.target_n);
    size_t line_n = p->line.method_n + 1 + p->line.target_n + sizeof " HTTP/1.1\r\n" - 1;
    struct bq_field *fields = NULL;
    struct bq_refusal refusal =
        read_fields(p, line_n, p->line.foreign ? bq_str_of(NULL, 0) : target, &fields);
    if (refusal.status)
        return refuse(p, refusal);

    r->method = p->line.method;
    r->method_name = bq_str_of(bytes, p->line.method_n);
    r->target = target;
    r->version_minor = p->line.version_minor;
    r->fields = fields;
    r->field_count = p->section.fields;
    refusal = bq_h1_head_read(r, &p->framing);
    if (refusal.status)
        return refuse(p, refusal);
    /* Without its last CRLF: the one behind the trailers is not held against them. */
    p->head_n = p->section.n - 2;
    p->head_fields = p->section.fields;
    p->section = (struct section){0};
    enter_body(p);
    return BQ_H1_HEAD;
}

static enum bq_h1_event feed_length_body(struct bq_h1_parser *p, bq_str *in)
{
    if (in->n == 0)
        return BQ_H1_MORE;
    size_t n = in->n < p->length_left ? in->n : (size_t)p->length_left;
    p->chunk = bq_str_of(in->p, n);
    take(in, n);
    p->length_left -= n;
    if (p->length_left == 0)
        p->state = AT_DONE;
    return BQ_H1_BODY;
}

static enum bq_h1_event feed_chunked_body(struct bq_h1_parser *p, bq_str *in)
{
    switch (bq_chunked_feed(&p->chunked, in, &p->chunk)) {
    case BQ_CHUNK_DATA:
        return BQ_H1_BODY;
    case BQ_CHUNK_LAST:
        p->state = AT_TRAILERS;
        return BQ_H1_MORE;
    case BQ_CHUNK_MORE:
        return BQ_H1_MORE;
    case BQ_CHUNK_INVALID:
        break;
    }
    return refuse(p, bq_refuse(400, "malformed chunk"));
}

static size_t drop_forbidden(struct bq_field *fields, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (bq_h1_trailer_allowed(fields[i].name))
            fields[kept++] = fields[i];
    return kept;
}

static enum bq_h1_event feed_trailers(struct bq_h1_parser *p, bq_str *in)
{
    if (!collect(p, in))
        return waiting(p);
    if (p->section.fields) {
        struct bq_field *fields = NULL;
        struct bq_refusal refusal = read_fields(p, 0, bq_str_of(NULL, 0), &fields);
        if (refusal.status)
            return refuse(p, refusal);
        p->ex->request.trailers = fields;
        p->ex->request.trailer_count = drop_forbidden(fields, p->section.fields);
    }
    p->state = AT_DONE;
    return BQ_H1_DONE;
}

static enum bq_h1_event step(struct bq_h1_parser *p, bq_str *in)
{
    switch (p->state) {
    case AT_START:
        return feed_start(p, in);
    case AT_HEAD:
        return feed_head(p, in);
    case AT_LENGTH_BODY:
        return feed_length_body(p, in);
    case AT_CHUNKED_BODY:
        return feed_chunked_body(p, in);
    case AT_TRAILERS:
        return feed_trailers(p, in);
    case AT_DONE:
        return BQ_H1_DONE;
    case AT_REFUSED:
        break;
    }
    return BQ_H1_REFUSED;
}

enum bq_h1_event bq_h1_parser_feed(struct bq_h1_parser *p, bq_str *in)
{
    enum bq_h1_event event;
    enum state before;
    assert(p->ex);
    /* MORE with a new state means only that the next state may go on. */
    do {
        before = p->state;
        event = step(p, in);
    } while (event == BQ_H1_MORE && p->state != before);
    return event;
}

struct bq_h1_framing bq_h1_parser_framing(const struct bq_h1_parser *p)
{
    assert(p->state > AT_HEAD);
    return p->framing;
}

bq_str bq_h1_parser_chunk(const struct bq_h1_parser *p)
{
    return p->chunk;
}

bool bq_h1_parser_started(const struct bq_h1_parser *p)
{
    return p->state != AT_START;
}

int bq_h1_parser_status(const struct bq_h1_parser *p)
{
    assert(p->state == AT_REFUSED);
    return p->refusal.status;
}

const char *bq_h1_parser_reason(const struct bq_h1_parser *p)
{
    assert(p->state == AT_REFUSED);
    return p->refusal.reason;
}
