/*
 * pattern.c: "/items/{id:int}" taken apart into static text and parameters, and put
 * together again with values (url_for).
 *
 * A pattern is read once, while the app loads, so its messages matter more than
 * its speed: each quotes the pattern, names the position and says the way out.
 */
#include "base/rc.h"
#include "base/utf8.h"
#include "http/chars.h"
#include "http/router.h"

#include <stdarg.h>
#include <stdio.h>

#define QUOTED_MAX 96 /* bytes of a pattern that fit into a message */

struct parser {
    struct bq_pattern *out;
    bq_str text;
    size_t run; /* where the static run begins that is being read */
    size_t params;
    char *error;
};

static const struct {
    const char *name;
    enum bq_converter converter;
} converters[] = {{"int", BQ_CONV_INT}, {"uuid", BQ_CONV_UUID}, {"slug", BQ_CONV_SLUG}};

#define CONVERTERS    (sizeof converters / sizeof converters[0])
#define NAME_MAX_NEAR 8 /* a longer word is no misspelt converter */

__attribute__((format(printf, 3, 4))) static int refuse(const struct parser *ps, size_t at,
                                                        const char *format, ...)
{
    bool cut = ps->text.n > QUOTED_MAX;
    int n =
        snprintf(ps->error, 256, "\"%.*s%s\", position %zu: ", (int)(cut ? QUOTED_MAX : ps->text.n),
                 ps->text.p, cut ? "..." : "", at + 1);
    va_list args;
    va_start(args, format);
    vsnprintf(ps->error + n, 256 - (size_t)n, format, args);
    va_end(args);
    return BQ_INVALID;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance (Levenshtein); b has at most NAME_MAX_NEAR bytes. */
static size_t distance(bq_str a, bq_str b)
{
    size_t row[NAME_MAX_NEAR + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 0; i < a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.n; j++) {
            size_t replaced = diagonal + (bq_lower(a.p[i]) != b.p[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replaced, least(row[j], diagonal) + 1);
        }
    }
    return row[b.n];
}

/* The converter that word was meant to be ("itn", "integer"), or NULL. */
static const char *nearest_converter(bq_str word)
{
    const char *best = NULL;
    size_t best_distance = 3;
    if (word.n > NAME_MAX_NEAR)
        return NULL;
    for (size_t i = 0; i < CONVERTERS; i++) {
        bq_str name = bq_str_cstr(converters[i].name);
        size_t d = bq_str_starts(word, name) ? 0 : distance(word, name);
        if (d < best_distance) {
            best = converters[i].name;
            best_distance = d;
        }
    }
    return best;
}

static int parse_converter(const struct parser *ps, bq_str word, enum bq_converter *out)
{
    size_t at = (size_t)(word.p - ps->text.p);
    for (size_t i = 0; i < CONVERTERS; i++)
        if (bq_str_eq(word, bq_str_cstr(converters[i].name))) {
            *out = converters[i].converter;
            return BQ_OK;
        }
    const char *near = nearest_converter(word);
    if (near)
        return refuse(ps, at, "unknown converter \"%.*s\", did you mean \"%s\"?", BQ_STR_ARG(word),
                      near);
    return refuse(ps, at, "unknown converter \"%.*s\", there are int, uuid and slug",
                  (int)least(word.n, 32), word.p);
}

static bool is_identifier(bq_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = bq_lower(s.p[i]);
        if (c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.n > 0;
}

static int check_name(const struct parser *ps, bq_str name)
{
    size_t at = (size_t)(name.p - ps->text.p);
    if (!is_identifier(name))
        return refuse(ps, at, "\"%.*s\" is no parameter's name, it takes letters, digits and \"_\"",
                      (int)least(name.n, 32), name.p);
    for (size_t i = 0; i < ps->out->count; i++)
        if (ps->out->parts[i].is_param && bq_str_eq(ps->out->parts[i].text, name))
            return refuse(ps, at, "the name \"%.*s\" is used twice", (int)least(name.n, 32),
                          name.p);
    return BQ_OK;
}

static void add_static(struct parser *ps, size_t end)
{
    if (end > ps->run)
        ps->out->parts[ps->out->count++] =
            (struct bq_pattern_part){.text = bq_str_of(ps->text.p + ps->run, end - ps->run)};
}

/* The segment [at, end) is "{…}". */
static int parse_param(struct parser *ps, size_t at, size_t end)
{
    bq_str inside = bq_str_of(ps->text.p + at + 1, end - at - 2), name = inside;
    enum bq_converter converter = BQ_CONV_ANY;
    size_t colon = bq_str_find(inside, ':', 0);
    int rc = BQ_OK;
    if (colon < inside.n) {
        name.n = colon;
        rc = parse_converter(ps, bq_str_of(inside.p + colon + 1, inside.n - colon - 1), &converter);
    } else if (inside.n && inside.p[inside.n - 1] == '*') {
        name.n--;
        converter = BQ_CONV_REST;
        if (end < ps->text.n)
            rc = refuse(ps, end - 2, "\"*\" takes the rest of a path, nothing can follow it");
    }
    if (rc == BQ_OK)
        rc = check_name(ps, name);
    if (rc == BQ_OK && ps->params++ == BQ_ROUTE_PARAMS_MAX)
        rc = refuse(ps, at, "more than %d parameters", BQ_ROUTE_PARAMS_MAX);
    if (rc != BQ_OK)
        return rc;
    add_static(ps, at);
    ps->out->parts[ps->out->count++] =
        (struct bq_pattern_part){.text = name, .is_param = true, .converter = converter};
    ps->run = end;
    return BQ_OK;
}

static int check_static_bytes(const struct parser *ps, size_t at, size_t end)
{
    for (; at < end; at++) {
        unsigned char c = (unsigned char)ps->text.p[at];
        if (c == '?' || c == '#')
            return refuse(ps, at, "\"%c\" is no part of a path", c);
        if (c == '%')
            return refuse(ps, at, "\"%%\" in a pattern, write the decoded character itself");
        if (c < ' ' || c == 0x7f)
            return refuse(ps, at, "a control character (0x%02x)", c);
    }
    return BQ_OK;
}

static int parse_static(const struct parser *ps, size_t at, size_t end)
{
    bq_str segment = bq_str_of(ps->text.p + at, end - at);
    if (bq_str_eq(segment, BQ_STR(".")) || bq_str_eq(segment, BQ_STR("..")))
        return refuse(ps, at, "a \"%.*s\" segment can never match", BQ_STR_ARG(segment));
    if (segment.n > 1 && segment.p[0] == ':')
        return refuse(ps, at, "a parameter is written \"{%.*s}\" here",
                      (int)least(segment.n, 32) - 1, segment.p + 1);
    if (bq_str_eq(segment, BQ_STR("*")))
        return refuse(ps, at, "the rest of a path is written \"{name*}\"");
    return check_static_bytes(ps, at, end);
}

static int parse_segment(struct parser *ps, size_t at, size_t end)
{
    bq_str segment = bq_str_of(ps->text.p + at, end - at);
    size_t open = bq_str_find(segment, '{', 0), close = bq_str_find(segment, '}', 0);
    if (open == segment.n && close == segment.n)
        return parse_static(ps, at, end);
    if (close == segment.n)
        return refuse(ps, at + open, "\"{\" without \"}\" in its segment");
    if (open > close)
        return refuse(ps, at + close, "\"}\" without \"{\" in its segment");
    if (close + 1 < segment.n && bq_str_find(segment, '{', close) == segment.n &&
        bq_str_find(segment, '}', close + 1) < segment.n)
        return refuse(ps, at + close + 1, "\"}\" without \"{\" in its segment");
    if (open > 0 || close + 1 < segment.n)
        return refuse(ps, at, "a parameter must be a whole segment");
    if (bq_str_find(segment, '{', 1) < segment.n)
        return refuse(ps, at, "\"{\" inside of \"{\"");
    return parse_param(ps, at, end);
}

int bq_pattern_parse(struct bq_pattern *p, bq_str text, char error[static 256])
{
    struct parser ps = {.out = p, .text = text, .error = error};
    size_t segments = 0, at = 0;
    p->count = 0;
    error[0] = '\0';
    if (text.n == 0 || text.p[0] != '/')
        return refuse(&ps, 0, "a path starts with \"/\"");
    if (text.n > BQ_ROUTE_BYTES_MAX)
        return refuse(&ps, BQ_ROUTE_BYTES_MAX, "longer than %d bytes", BQ_ROUTE_BYTES_MAX);
    size_t valid = bq_utf8_check(text);
    if (valid < text.n)
        return refuse(&ps, valid, "not valid UTF-8");
    while (at < text.n) {
        size_t end = bq_str_find(text, '/', at + 1);
        if (segments++ == BQ_ROUTE_SEGMENTS_MAX)
            return refuse(&ps, at, "more than %d segments", BQ_ROUTE_SEGMENTS_MAX);
        int rc = parse_segment(&ps, at + 1, end);
        if (rc != BQ_OK)
            return rc;
        at = end;
    }
    add_static(&ps, text.n);
    return BQ_OK;
}

/* Encodes every byte that is neither unreserved nor one of keep. */
static int append_encoded(struct bq_buf *out, bq_str s, bq_str keep)
{
    static const char hex[] = "0123456789ABCDEF";
    int rc = bq_buf_reserve(out, 3 * s.n);
    for (size_t i = 0; rc == BQ_OK && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char triplet[3] = {'%', hex[c >> 4], hex[c & 15]};
        bool plain = bq_char_is(s.p[i], BQ_CHAR_UNRESERVED) || memchr(keep.p, c, keep.n);
        rc = bq_buf_append(out, plain ? bq_str_of(s.p + i, 1) : bq_str_of(triplet, 3));
    }
    return rc;
}

static int append_value(struct bq_buf *out, enum bq_converter c, bq_str value)
{
    int64_t number;
    if (!bq_converter_fits(c, value, &number) || memchr(value.p, '\0', value.n) ||
        !bq_utf8_valid(value))
        return BQ_INVALID;
    return append_encoded(out, value, c == BQ_CONV_REST ? BQ_STR("/") : BQ_STR(""));
}

int bq_pattern_build(struct bq_buf *out, const struct bq_pattern *p, const bq_str *values, size_t n)
{
    const bq_str pchar = BQ_STR("/:@!$&'()*+,;="); /* RFC 3986, section 3.3 */
    size_t len = out->len, used = 0;
    int rc = BQ_OK;
    for (size_t i = 0; rc == BQ_OK && i < p->count; i++) {
        const struct bq_pattern_part *part = &p->parts[i];
        if (!part->is_param)
            rc = append_encoded(out, part->text, pchar);
        else if (used < n)
            rc = append_value(out, part->converter, values[used++]);
        else
            rc = BQ_INVALID;
    }
    if (rc == BQ_OK && used < n)
        rc = BQ_INVALID;
    if (rc != BQ_OK)
        out->len = len;
    return rc;
}
