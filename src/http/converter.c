/*
 * converter.c: which segments fit "{id:int}", "{id:uuid}", "{id:slug}", "{id}" and
 * "{path*}". Runs at every candidate parameter of a match, and for every value of
 * a built path, so that both agree.
 */
#include "http/chars.h"
#include "http/tree.h"

#define INT_MAX_SAFE 9007199254740991 /* 2^53 - 1, what a Lua number holds exactly */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool fits_int(bq_str s, int64_t *number)
{
    bool negative = s.n && s.p[0] == '-';
    int64_t n = 0;
    if (s.n == negative)
        return false;
    for (size_t i = negative; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        n = n * 10 + (s.p[i] - '0');
        if (n > INT_MAX_SAFE)
            return false;
    }
    *number = negative ? -n : n;
    return true;
}

/* RFC 9562, section 4: 8-4-4-4-12 hexadecimal digits of either case. */
static bool fits_uuid(bq_str s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : bq_hex_value(s.p[i]) < 0)
            return false;
    }
    return true;
}

static bool fits_slug(bq_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!is_digit(c) && (bq_lower(c) < 'a' || bq_lower(c) > 'z') && c != '-' && c != '_')
            return false;
    }
    return s.n > 0;
}

static size_t piece_end(bq_str path, size_t at)
{
    while (at < path.n && path.p[at] != '/' && path.p[at] != BQ_ENCODED_SLASH)
        at++;
    return at;
}

static bool has_empty_piece(bq_str path)
{
    for (size_t at = 0; at <= path.n; at++) {
        size_t end = piece_end(path, at);
        if (end == at)
            return true;
        at = end;
    }
    return false;
}

bool bq_path_has_dots(bq_str path)
{
    for (size_t at = 0; at < path.n; at++) {
        size_t end = piece_end(path, at), n = end - at;
        if ((n == 1 || n == 2) && path.p[at] == '.' && path.p[end - 1] == '.')
            return true;
        at = end;
    }
    return false;
}

bool bq_converter_fits(enum bq_converter c, bq_str segment, int64_t *number)
{
    switch (c) {
    case BQ_CONV_INT:
        return fits_int(segment, number);
    case BQ_CONV_UUID:
        return fits_uuid(segment);
    case BQ_CONV_SLUG:
        return fits_slug(segment);
    case BQ_CONV_ANY:
        return segment.n && !bq_path_has_dots(segment);
    case BQ_CONV_REST:
        return !has_empty_piece(segment) && !bq_path_has_dots(segment);
    }
    return false;
}
