/*
 * h1_parse.c: from fed bytes to a request.
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
#include "http/h1_fields.h"
#include "http/h1_head.h"
#include "http/h1_line.h"
#include "http/lines.h"

#include <assert.h>

#define EMPTY_LINES_MAX   4 /* before a request line; RFC 9112, section 2.2 asks for one */
#define SECTION_BYTES_MIN 512

enum state { AT_START, AT_HEAD, AT_LENGTH_BODY, AT_CHUNKED_BODY, AT_TRAILERS, AT_DONE, AT_REFUSED };

/* Lines on their way to an empty line. */
struct section {
    char *bytes; /* in the arena; NULL while all of it is in the fed bytes */
    size_t n, cap;
    struct bq_lines lines;
    size_t line_at;          /* where the current line starts */
    size_t count;            /* of complete lines, without the request line: fields */
    struct bq_field *fields; /* room for as many, if it was made together with the bytes' */
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

/* --- sections ---------------------------------------------------------- */

/* Whether a line of base's that goes from at to lf ends with CRLF. */
static inline bool ends_well(const char *base, size_t at, size_t lf)
{
    return lf > at && base[lf - 1] == '\r';
}

static const struct bq_refusal bare_feed = {400, "line feed without carriage return"};

/* Looks for the request line's end in the head's first n bytes, at base, and reads the line. False
 * if it is not there, or is refused. */
static bool find_line(struct bq_h1_parser *p, const char *base, size_t n)
{
    struct section *s = &p->section;
    size_t line_max = (size_t)p->limits.line_bytes_max + 2, head_max = p->limits.head_bytes_max;
    size_t lf = bq_lines_next(&s->lines, base, n);
    struct bq_refusal refusal = BQ_ACCEPTED;
    if (lf >= (line_max < head_max ? line_max : head_max))
        refusal = bq_refuse(414, "request line too long");
    else if (lf == n)
        return false;
    else if (!ends_well(base, 0, lf))
        refusal = bare_feed;
    else
        refusal = bq_h1_line_read(bq_str_of(base, lf - 1), &p->line);
    if (refusal.status)
        refuse(p, refusal);
    s->line_at = lf + 1;
    return !refusal.status;
}

/* Looks for the section's end in its first n bytes, at base; *end is behind it.
 * False if it is not there, or the section is refused (state). */
static bool find_end(struct bq_h1_parser *p, const char *base, size_t n, size_t *end)
{
    struct section *s = &p->section;
    size_t bytes_max = p->limits.head_bytes_max - p->head_n;
    size_t count_max = p->limits.fields_max - p->head_fields;
    if (p->state == AT_HEAD && s->line_at == 0 && !find_line(p, base, n))
        return false;
    struct bq_lines lines = s->lines;
    struct bq_refusal refusal = BQ_ACCEPTED;
    size_t at = s->line_at, count = s->count, lf;
    bool found = false;
    while ((lf = bq_lines_next(&lines, base, n)) < n && lf < bytes_max && ends_well(base, at, lf)) {
        found = lf == at + 1;
        at = lf + 1;
        if (found || ++count > count_max)
            break;
    }
    if (lf >= bytes_max)
        refusal = bq_refuse(431, "header section too large");
    else if (count > count_max)
        refusal = bq_refuse(431, "too many header fields");
    else if (lf < n && !found)
        refusal = bare_feed;
    if (refusal.status)
        refuse(p, refusal);
    s->lines = lines;
    s->line_at = *end = at;
    s->count = count;
    return found && !refusal.status;
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
    s->fields = bq_arena_alloc(&p->ex->arena, s->count * sizeof *s->fields + end);
    if (!s->fields) {
        refuse(p, bq_refuse(503, "out of memory"));
        return false;
    }
    s->bytes = (char *)(s->fields + s->count);
    memcpy(s->bytes, in->p, end);
    s->n = end;
    take(in, end);
    return true;
}

/* Reads the whole section's fields, which start at from, into p->section.fields; target as for
 * bq_h1_fields_read. */
static struct bq_refusal read_fields(struct bq_h1_parser *p, size_t from, bq_str target)
{
    struct section *s = &p->section;
    struct bq_h1_text text = {bq_str_of(s->bytes, s->n), from, s->count, target, s->lines.odd};
    if (!s->fields)
        s->fields = bq_arena_alloc(&p->ex->arena, s->count * sizeof *s->fields);
    if (!s->fields)
        return bq_refuse(503, "out of memory");
    return bq_h1_fields_read(&text, s->fields);
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
    struct bq_refusal refusal =
        read_fields(p, line_n, p->line.foreign ? bq_str_of(NULL, 0) : target);
    if (refusal.status)
        return refuse(p, refusal);

    r->method = p->line.method;
    r->method_name = bq_str_of(bytes, p->line.method_n);
    r->target = target;
    r->version_minor = p->line.version_minor;
    r->fields = p->section.fields;
    r->field_count = p->section.count;
    refusal = bq_h1_head_read(r, &p->framing);
    if (refusal.status)
        return refuse(p, refusal);
    /* Without its last CRLF: the one behind the trailers is not held against them. */
    p->head_n = p->section.n - 2;
    p->head_fields = p->section.count;
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
    struct section *s = &p->section;
    if (s->count) {
        struct bq_refusal refusal = read_fields(p, 0, bq_str_of(NULL, 0));
        if (refusal.status)
            return refuse(p, refusal);
        p->ex->request.trailers = s->fields;
        p->ex->request.trailer_count = drop_forbidden(s->fields, s->count);
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
    if (p->state == AT_START) {
        event = feed_start(p, in);
        if (p->state == AT_HEAD)
            event = feed_head(p, in);
        return event;
    }
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
