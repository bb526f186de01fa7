/*
 * format_net.c: uri (RFC 3986), ipv4 and ipv6 (RFC 4291), character by character.
 *
 * Of URIs only the syntax is judged, not what a scheme demands beyond it.
 */
#include "app/format_rules.h"

static const char *const no_address = "it should be an address";

static bq_str from(bq_str s, size_t n)
{
    return bq_str_of(s.p + n, s.n - n);
}

/* --- addresses --- */

/* A decimal byte at the front, without leading zeros; gives its length, or 0. */
static size_t byte_length(bq_str s)
{
    unsigned value = 0;
    size_t n = 0;
    while (n < s.n && n < 3 && bq_format_digit(s.p[n]))
        value = value * 10 + (unsigned)(s.p[n++] - '0');
    if (value > 255 || (n > 1 && s.p[0] == '0'))
        return 0;
    return n;
}

const char *bq_format_ipv4(bq_str text)
{
    for (int i = 0; i < 4; i++) {
        size_t n = byte_length(text);
        if (!n)
            return no_address;
        text = from(text, n);
        if (i == 3)
            break;
        if (!text.n || text.p[0] != '.')
            return no_address;
        text = from(text, 1);
    }
    return text.n ? no_address : NULL;
}

/* Up to four hexadecimal digits at the front. */
static size_t group_length(bq_str s)
{
    size_t n = 0;
    while (n < s.n && n < 4 && bq_format_hex(s.p[n]))
        n++;
    return n;
}

/* A colon that separates groups, or two of them once; false for another character and for a colon
 * at the end. */
static bool skip_colon(bq_str *rest, bool *gap)
{
    if (rest->p[0] != ':' || rest->n == 1)
        return false;
    if (rest->p[1] != ':') {
        *rest = from(*rest, 1);
        return true;
    }
    *rest = from(*rest, 2);
    bool first = !*gap;
    *gap = true;
    return first;
}

const char *bq_format_ipv6(bq_str text)
{
    size_t groups = 0;
    bool gap = bq_str_starts(text, BQ_STR("::"));
    bq_str rest = gap ? from(text, 2) : text;
    while (rest.n && groups < 8) {
        if (!bq_format_ipv4(rest)) {
            groups += 2;
            rest = from(rest, rest.n);
            break;
        }
        size_t n = group_length(rest);
        rest = from(rest, n);
        groups++;
        if (!n || (rest.n && !skip_colon(&rest, &gap)))
            return no_address;
    }
    bool complete = gap ? groups < 8 : groups == 8; /* a gap stands for one group at least */
    return rest.n || !complete ? no_address : NULL;
}

/* --- uri --- */

/* Unreserved characters, sub-delims and percent-encoded bytes; and the given ones. */
static bool is_made_of(bq_str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3 || !bq_format_hex(s.p[i + 1]) || !bq_format_hex(s.p[i + 2]))
                return false;
            i += 2;
        } else if (!bq_format_letter(c) && !bq_format_digit(c) &&
                   (!c || (!strchr("-._~!$&'()*+,;=", c) && !strchr(more, c)))) {
            return false;
        }
    }
    return true;
}

/* The length of the scheme, or 0. */
static size_t scheme_length(bq_str s)
{
    size_t n = bq_str_find(s, ':', 0);
    if (n == s.n || !n || !bq_format_letter(s.p[0]))
        return 0;
    for (size_t i = 1; i < n; i++)
        if (!bq_format_letter(s.p[i]) && !bq_format_digit(s.p[i]) && s.p[i] != '+' &&
            s.p[i] != '-' && s.p[i] != '.')
            return 0;
    return n;
}

/* "v", hexadecimal digits, ".", and what the future brings. */
static bool is_future_address(bq_str s)
{
    size_t dot = bq_str_find(s, '.', 0);
    if (s.n < 4 || bq_lower(s.p[0]) != 'v' || dot < 2 || dot + 1 >= s.n)
        return false;
    for (size_t i = 1; i < dot; i++)
        if (!bq_format_hex(s.p[i]))
            return false;
    bq_str tail = from(s, dot + 1);
    return bq_str_find(tail, '%', 0) == tail.n && is_made_of(tail, ":");
}

static bool is_port(bq_str s)
{
    if (!s.n)
        return true;
    if (s.p[0] != ':')
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!bq_format_digit(s.p[i]))
            return false;
    return true;
}

static bool is_authority(bq_str s)
{
    size_t at = bq_str_find(s, '@', 0);
    if (at < s.n) {
        if (!is_made_of(bq_str_of(s.p, at), ":"))
            return false;
        s = from(s, at + 1);
    }
    if (!s.n || s.p[0] != '[') {
        size_t colon = bq_str_find(s, ':', 0);
        return is_made_of(bq_str_of(s.p, colon), "") && is_port(from(s, colon));
    }
    size_t end = bq_str_find(s, ']', 0);
    if (end == s.n)
        return false;
    bq_str literal = bq_str_of(s.p + 1, end - 1);
    return (!bq_format_ipv6(literal) || is_future_address(literal)) && is_port(from(s, end + 1));
}

/* What stands before c leaves *rest; what stands behind it comes back (empty without c). */
static bq_str split(bq_str *rest, char c)
{
    size_t at = bq_str_find(*rest, c, 0);
    bq_str tail = at < rest->n ? from(*rest, at + 1) : bq_str_of("", 0);
    rest->n = at;
    return tail;
}

const char *bq_format_uri(bq_str text)
{
    size_t scheme = scheme_length(text);
    if (!scheme)
        return "it should start with a scheme and a colon";
    bq_str path = from(text, scheme + 1);
    bq_str fragment = split(&path, '#');
    bq_str query = split(&path, '?');
    if (bq_str_starts(path, BQ_STR("//"))) {
        size_t end = bq_str_find(path, '/', 2);
        if (!is_authority(bq_str_of(path.p + 2, end - 2)))
            return "its authority is not a host with or without a port";
        path = from(path, end);
    }
    if (!is_made_of(path, ":@/"))
        return "its path contains invalid characters";
    if (!is_made_of(query, ":@/?"))
        return "its query contains invalid characters";
    return is_made_of(fragment, ":@/?") ? NULL : "its fragment contains invalid characters";
}
