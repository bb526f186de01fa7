/*
 * read_fuzz.c: a walk with the reader against bq_json_check, and what it read against a
 * slow decoder, written here, that trusts its text and shares no code with the reader.
 * Both write down all they see; the two records must be the same bytes. The first byte of
 * the input chooses the depth limit, and which values are passed over.
 */
#include "base/rc.h"
#include "json/read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void note(struct bq_buf *record, char kind, const void *p, size_t n)
{
    require(bq_buf_push(record, kind) == BQ_OK);
    require(bq_buf_append(record, bq_str_of((const char *)&n, sizeof n)) == BQ_OK);
    require(bq_buf_append(record, bq_str_of(p, n)) == BQ_OK);
}

/* --- by the reader --- */

static void note_number(struct bq_buf *record, const struct bq_json_number *number)
{
    require(!number->is_whole || (double)number->whole == number->value);
    note(record, '#', &number->value, sizeof number->value);
    if (number->is_whole)
        note(record, 'w', &number->whole, sizeof number->whole);
}

static void walk(struct bq_json_reader *r, enum bq_json_token token, struct bq_buf *record)
{
    switch (token) {
    case BQ_JSON_NUMBER:
        note_number(record, &r->number);
        return;
    case BQ_JSON_STRING:
        note(record, '"', r->string.p, r->string.n);
        return;
    case BQ_JSON_OBJECT:
        note(record, '{', "", 0);
        while (bq_json_key(r)) {
            note(record, ':', r->string.p, r->string.n);
            walk(r, bq_json_value(r), record);
        }
        note(record, '}', "", 0);
        return;
    case BQ_JSON_ARRAY:
        note(record, '[', "", 0);
        while ((token = bq_json_element(r)) != BQ_JSON_END && token != BQ_JSON_ERROR)
            walk(r, token, record);
        note(record, ']', "", 0);
        return;
    default:
        note(record, (char)('a' + token), "", 0);
    }
}

/* --- by the slow decoder: text is valid and ends in a NUL --- */

static const char *space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static void put_code_point(struct bq_buf *out, unsigned long c)
{
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    require(bq_buf_push(out, (char)(lead[more] | c >> (6 * more))) == BQ_OK);
    while (more--)
        require(bq_buf_push(out, (char)(0x80 | (c >> (6 * more) & 0x3f))) == BQ_OK);
}

static unsigned long unit(const char *p)
{
    char hex[5] = {p[0], p[1], p[2], p[3], 0};
    return strtoul(hex, NULL, 16);
}

static const char *slow_string(const char *p, char kind, struct bq_buf *record)
{
    struct bq_buf out = BQ_BUF_INIT;
    for (p++; *p != '"'; p++) {
        if (*p != '\\') {
            require(bq_buf_push(&out, *p) == BQ_OK);
            continue;
        }
        p++;
        unsigned long c = *p == 'b'   ? 8
                          : *p == 't' ? 9
                          : *p == 'n' ? 10
                          : *p == 'f' ? 12
                          : *p == 'r' ? 13
                          : *p == 'u' ? unit(p + 1)
                                      : (unsigned char)*p;
        if (*p == 'u')
            p += 4;
        if (c >= 0xd800 && c < 0xdc00) {
            c = 0x10000 + (c - 0xd800) * 0x400 + unit(p + 3) - 0xdc00;
            p += 6;
        }
        put_code_point(&out, c);
    }
    bq_str s = bq_buf_str(&out);
    note(record, kind, s.p, s.n);
    bq_buf_release(&out);
    return p + 1;
}

static const char *slow_number(const char *p, struct bq_buf *record)
{
    char *end;
    double value = strtod(p, &end);
    note(record, '#', &value, sizeof value);
    size_t n = strspn(p, "-0123456789");
    if (p + n == end) {
        /* Not saturated, or just the limit itself. */
        long long whole = strtoll(p, NULL, 10);
        bool max = whole == INT64_MAX, min = whole == INT64_MIN;
        if ((!max || (n == 19 && memcmp(p, "9223372036854775807", n) == 0)) &&
            (!min || (n == 20 && memcmp(p, "-9223372036854775808", n) == 0)))
            note(record, 'w', &whole, sizeof whole);
    }
    return end;
}

static const char *slow_value(const char *p, struct bq_buf *record);

static const char *slow_list(const char *p, char close, struct bq_buf *record)
{
    note(record, *p, "", 0);
    p = space(p + 1);
    while (*p != close) {
        p = space(*p == ',' ? p + 1 : p);
        if (close == '}')
            p = space(slow_string(p, ':', record)) + 1;
        p = space(slow_value(space(p), record));
    }
    note(record, close, "", 0);
    return p + 1;
}

static const char *slow_value(const char *p, struct bq_buf *record)
{
    switch (*p) {
    case '{':
        return slow_list(p, '}', record);
    case '[':
        return slow_list(p, ']', record);
    case '"':
        return slow_string(p, '"', record);
    case 'n':
        note(record, (char)('a' + BQ_JSON_NULL), "", 0);
        return p + 4;
    case 't':
        note(record, (char)('a' + BQ_JSON_TRUE), "", 0);
        return p + 4;
    case 'f':
        note(record, (char)('a' + BQ_JSON_FALSE), "", 0);
        return p + 5;
    default:
        return slow_number(p, record);
    }
}

/* --- both --- */

/* Some values skipped by their token, some passed over: the same verdict. */
static void walk_lazily(struct bq_json_reader *r, unsigned choice)
{
    enum bq_json_token token = bq_json_value(r);
    if (choice & 1)
        bq_json_skip(r, token);
    else if (token == BQ_JSON_OBJECT)
        for (unsigned i = choice; bq_json_key(r); i = i * 5 + 3)
            if (i & 8)
                walk_lazily(r, i >> 1);
            else
                bq_json_pass(r);
    else if (token == BQ_JSON_ARRAY)
        for (unsigned i = choice; (token = bq_json_element(r)) > BQ_JSON_ERROR; i = i * 3 + 1) {
            if (token == BQ_JSON_END)
                break;
            bq_json_skip(r, token);
        }
}

static void compare(struct bq_json_reader r, int rc, const struct bq_json_error *error)
{
    require(bq_json_finish(&r) == rc && r.rc == rc);
    if (rc != BQ_OK)
        require(r.error.offset == error->offset && strcmp(r.error.reason, error->reason) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t n = size - 1;
    char *text = malloc(n + 1);
    char *exact = malloc(n ? n : 1); /* no NUL behind it: a read too far is seen */
    require(text && exact);
    memcpy(text, data + 1, n);
    memcpy(exact, data + 1, n);
    text[n] = '\0';
    struct bq_buf scratch = BQ_BUF_INIT, read = BQ_BUF_INIT, slow = BQ_BUF_INIT;
    struct bq_json_error error = {0, NULL};
    struct bq_json_reader r;
    bq_json_reader_init(&r, bq_str_of(exact, n), data[0] % 16, &scratch);
    struct bq_json_reader lazy = r;
    int rc = bq_json_check(bq_str_of(exact, n), data[0] % 16, &error);
    walk(&r, bq_json_value(&r), &read);
    compare(r, rc, &error);
    walk_lazily(&lazy, data[0] >> 4);
    compare(lazy, rc, &error);
    if (rc == BQ_OK) {
        slow_value(space(text), &slow);
        require(bq_str_eq(bq_buf_str(&read), bq_buf_str(&slow)));
    }
    bq_buf_release(&slow);
    bq_buf_release(&read);
    bq_buf_release(&scratch);
    free(exact);
    free(text);
    return 0;
}
