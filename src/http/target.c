/* target.c: request targets, authorities and hosts. */
#include "http/target.h"

#include "base/rc.h"
#include "http/chars.h"

/* Four decimal numbers up to 255 without leading zeros. */
static bool ipv4_valid(bq_str s)
{
    for (int part = 1;; part++) {
        size_t dot = bq_str_find(s, '.', 0);
        uint64_t n;
        bool padded = dot > 1 && s.p[0] == '0';
        if (dot > 3 || padded || bq_str_u64(bq_str_of(s.p, dot), &n) != BQ_OK || n > 255)
            return false;
        if (part == 4 || dot == s.n)
            return part == 4 && dot == s.n;
        s = bq_str_of(s.p + dot + 1, s.n - dot - 1);
    }
}

static bool hex_group(bq_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (bq_hex_value(s.p[i]) < 0)
            return false;
    return s.n >= 1 && s.n <= 4;
}

/* The number of 16-bit groups in "a:b:…" (0 for an empty s; a final IPv4 address, if
 * last, counts two), or -1. */
static int count_groups(bq_str s, bool last)
{
    int groups = 0;
    while (s.n) {
        size_t colon = bq_str_find(s, ':', 0);
        bq_str group = bq_str_of(s.p, colon);
        if (last && colon == s.n && ipv4_valid(group))
            return groups + 2;
        if (!hex_group(group) || colon + 1 == s.n)
            return -1;
        groups++;
        colon += colon < s.n;
        s = bq_str_of(s.p + colon, s.n - colon);
    }
    return groups;
}

/* RFC 3986, section 3.2.2: eight groups, or fewer around one "::". */
static bool ipv6_valid(bq_str s)
{
    size_t gap = 0;
    while (gap + 1 < s.n && !(s.p[gap] == ':' && s.p[gap + 1] == ':'))
        gap++;
    if (gap + 1 >= s.n)
        return count_groups(s, true) == 8;
    int before = count_groups(bq_str_of(s.p, gap), false);
    int after = count_groups(bq_str_of(s.p + gap + 2, s.n - gap - 2), true);
    return before >= 0 && after >= 0 && before + after <= 7;
}

/* Where the registered name (or IPv4 address) at the front of s ends; SIZE_MAX for a
 * broken percent-encoding. */
static size_t reg_name_end(bq_str s)
{
    size_t i = bq_chars_host(s);
    while (i < s.n && s.p[i] == '%') {
        if (s.n - i < 3 || bq_hex_value(s.p[i + 1]) < 0 || bq_hex_value(s.p[i + 2]) < 0)
            return SIZE_MAX;
        i += 3;
        i += bq_chars_host(bq_str_of(s.p + i, s.n - i));
    }
    return i;
}

/* Where the "[…]" at the front of s ends; SIZE_MAX if it holds no IPv6 address. */
static size_t literal_end(bq_str s)
{
    size_t end = bq_str_find(s, ']', 0);
    bool valid = end < s.n && ipv6_valid(bq_str_of(s.p + 1, end - 1));
    return valid ? end + 1 : SIZE_MAX;
}

/* "" or ":" digits, up to 65535. */
static bool port_valid(bq_str s)
{
    unsigned port = 0;
    if (s.n == 0)
        return true;
    if (s.p[0] != ':' || s.n > sizeof ":65535" - 1)
        return false;
    for (size_t i = 1; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        port = 10 * port + digit;
    }
    return port <= 65535;
}

bool bq_host_valid(bq_str host)
{
    if (host.n == 0)
        return true;
    bool literal = host.p[0] == '[';
    size_t end = literal ? literal_end(host) : reg_name_end(host);
    return end <= host.n && port_valid(bq_str_of(host.p + end, host.n - end));
}

/* marked: there may be a "?". */
static void split_query(struct bq_request *r, bq_str s, bool marked)
{
    size_t mark = marked ? bq_str_find(s, '?', 0) : s.n;
    r->path = bq_str_of(s.p, mark);
    r->query = mark < s.n ? bq_str_of(s.p + mark + 1, s.n - mark - 1) : bq_str_of(NULL, 0);
}

static bool skip_scheme(bq_str *s)
{
    static const bq_str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = schemes[i].n;
        if (s->n >= n && bq_str_eq_nocase(bq_str_of(s->p, n), schemes[i])) {
            *s = bq_str_of(s->p + n, s->n - n);
            return true;
        }
    }
    return false;
}

static int parse_absolute(struct bq_request *r)
{
    bq_str s = r->target;
    if (!skip_scheme(&s))
        return BQ_INVALID;
    size_t end = 0;
    while (end < s.n && s.p[end] != '/' && s.p[end] != '?')
        end++;
    bq_str authority = bq_str_of(s.p, end);
    /* An empty host is invalid in these schemes (RFC 9110, section 4.2.1). */
    if (end == 0 || s.p[0] == ':' || !bq_host_valid(authority))
        return BQ_INVALID;
    r->host = authority;
    split_query(r, bq_str_of(s.p + end, s.n - end), true);
    if (r->path.n == 0) {
        bool whole_server = r->method == BQ_OPTIONS && !r->query.p; /* RFC 9112, section 3.2.4 */
        r->path = whole_server ? BQ_STR("*") : BQ_STR("/");
    }
    return BQ_OK;
}

int bq_target_parse(struct bq_request *r)
{
    bool marked;
    if (r->target.n == 0 || !bq_chars_target(r->target, &marked))
        return BQ_INVALID;
    if (r->target.p[0] == '/') {
        split_query(r, r->target, marked);
        return BQ_OK;
    }
    if (bq_str_eq(r->target, BQ_STR("*"))) {
        r->path = r->target;
        r->query = bq_str_of(NULL, 0);
        return r->method == BQ_OPTIONS ? BQ_OK : BQ_INVALID;
    }
    return parse_absolute(r);
}
