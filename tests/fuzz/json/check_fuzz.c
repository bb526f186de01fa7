/*
 * check_fuzz.c: bq_json_check against a second validator, written here by recursive
 * descent over code points and with strtod, which shares no code with the first. The
 * first byte of the input chooses the depth limit.
 */
#include "base/rc.h"
#include "json/check.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    const char *text; /* ends in a NUL that is no part of it */
    size_t n;
    size_t at;
    unsigned depth_left;
    bool too_deep;
};

static bool value(struct reader *r);

static int byte(const struct reader *r)
{
    return r->at < r->n ? (unsigned char)r->text[r->at] : -1;
}

static bool eat(struct reader *r, int c)
{
    if (byte(r) != c)
        return false;
    r->at++;
    return true;
}

static void space(struct reader *r)
{
    while (eat(r, ' ') || eat(r, '\t') || eat(r, '\n') || eat(r, '\r'))
        ;
}

static bool word(struct reader *r, const char *w)
{
    while (*w)
        if (!eat(r, (unsigned char)*w++))
            return false;
    return true;
}

/* One code point by its bits, then judged by its value. */
static bool code_point(struct reader *r)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    int lead = byte(r);
    int more = lead < 0x80       ? 0
               : lead >> 5 == 6  ? 1
               : lead >> 4 == 14 ? 2
               : lead >> 3 == 30 ? 3
                                 : -1;
    if (more < 0)
        return false;
    uint32_t c = more == 0 ? (uint32_t)lead : (uint32_t)lead & (0x3fu >> more);
    r->at++;
    for (int i = 0; i < more; i++, r->at++) {
        if (byte(r) < 0 || byte(r) >> 6 != 2)
            return false;
        c = c << 6 | ((uint32_t)byte(r) & 0x3f);
    }
    return c >= 0x20 && c >= least[more] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

/* "uXXXX" as its value, or -1. */
static long unit(struct reader *r)
{
    if (!eat(r, 'u') || r->n - r->at < 4)
        return -1;
    char hex[5] = {0};
    memcpy(hex, r->text + r->at, 4);
    r->at += 4;
    return strspn(hex, "0123456789abcdefABCDEF") == 4 ? strtol(hex, NULL, 16) : -1;
}

static bool escape(struct reader *r)
{
    if (byte(r) != 'u')
        return byte(r) > 0 && strchr("\"\\/bfnrt", byte(r)) && eat(r, byte(r));
    long first = unit(r);
    if (first < 0xd800 || first > 0xdfff)
        return first >= 0;
    if (first >= 0xdc00 || !eat(r, '\\'))
        return false;
    long second = unit(r);
    return second >= 0xdc00 && second <= 0xdfff;
}

static bool string(struct reader *r)
{
    if (!eat(r, '"'))
        return false;
    while (!eat(r, '"')) {
        if (byte(r) < 0)
            return false;
        if (eat(r, '\\') ? !escape(r) : !code_point(r))
            return false;
    }
    return true;
}

static size_t digits(struct reader *r)
{
    size_t n = strspn(r->text + r->at, "0123456789");
    r->at += n;
    return n;
}

static bool number(struct reader *r)
{
    const char *start = r->text + r->at;
    eat(r, '-');
    bool zero = byte(r) == '0';
    size_t whole = digits(r);
    if (!whole || (zero && whole > 1))
        return false;
    if (eat(r, '.') && !digits(r))
        return false;
    if (eat(r, 'e') || eat(r, 'E')) {
        if (!eat(r, '+'))
            eat(r, '-');
        if (!digits(r))
            return false;
    }
    return isfinite(strtod(start, NULL));
}

static bool list(struct reader *r, int close, bool named)
{
    space(r);
    if (eat(r, close))
        return true;
    do {
        space(r);
        if (named && !string(r))
            return false;
        space(r);
        if (named && !eat(r, ':'))
            return false;
        if (!value(r))
            return false;
        space(r);
    } while (eat(r, ','));
    return eat(r, close);
}

static bool container(struct reader *r)
{
    if (r->depth_left == 0) {
        r->too_deep = true;
        return false;
    }
    r->depth_left--;
    bool ok = eat(r, '[') ? list(r, ']', false) : eat(r, '{') && list(r, '}', true);
    r->depth_left++;
    return ok;
}

static bool value(struct reader *r)
{
    space(r);
    switch (byte(r)) {
    case '[':
    case '{':
        return container(r);
    case '"':
        return string(r);
    case 'n':
        return word(r, "null");
    case 't':
        return word(r, "true");
    case 'f':
        return word(r, "false");
    default:
        return number(r);
    }
}

static int second_opinion(const char *text, size_t n, unsigned depth_max)
{
    struct reader r = {.text = text, .n = n, .depth_left = depth_max};
    bool ok = value(&r);
    space(&r);
    if (ok && r.at == n)
        return BQ_OK;
    return r.too_deep ? BQ_LIMIT : BQ_INVALID;
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned depth_max = data[0] % 16;
    size_t n = size - 1;
    char *text = malloc(n + 1);
    char *exact = malloc(n ? n : 1); /* no NUL behind it: a read too far is seen */
    require(text && exact);
    memcpy(text, data + 1, n);
    memcpy(exact, data + 1, n);
    text[n] = '\0';
    struct bq_json_error error = {0, NULL}, before = {0, NULL};
    int rc = bq_json_check(bq_str_of(exact, n), depth_max, &error);
    require(rc == second_opinion(text, n, depth_max));
    if (rc != BQ_OK) {
        /* All before the offset is fine: whole, or only too short. */
        require(error.offset <= n && error.reason);
        int part = bq_json_check(bq_str_of(exact, error.offset), depth_max, &before);
        require(part == BQ_OK || (part == BQ_INVALID && before.offset == error.offset));
    }
    free(exact);
    free(text);
    return 0;
}
