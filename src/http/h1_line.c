/*
 * h1_line.c: the request line and the registry of methods.
 *
 * Runs as soon as the line is complete, before the fields have come, so that an
 * HTTP/0.9 request or another protocol is refused at once.
 */
#include "http/h1_line.h"

#include "base/rc.h"
#include "http/chars.h"

static const bq_str routed[] = {
    [BQ_GET] = {"GET", 3},         [BQ_HEAD] = {"HEAD", 4},   [BQ_POST] = {"POST", 4},
    [BQ_PUT] = {"PUT", 3},         [BQ_PATCH] = {"PATCH", 5}, [BQ_DELETE] = {"DELETE", 6},
    [BQ_OPTIONS] = {"OPTIONS", 7},
};

/* The IANA registry without the above, and without "*" and "PRI", which it reserves
 * so that nobody uses them. */
static const char *const registered[] = {
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PROPFIND",
    "PROPPATCH",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
};

int bq_method_find(bq_str name, enum bq_method *out)
{
    for (size_t i = 0; i < sizeof routed / sizeof *routed; i++)
        if (bq_str_eq(name, routed[i])) {
            *out = (enum bq_method)i;
            return BQ_OK;
        }
    for (size_t i = 0; i < sizeof registered / sizeof *registered; i++)
        if (bq_str_eq(name, bq_str_cstr(registered[i]))) {
            *out = BQ_METHOD_OTHER;
            return BQ_OK;
        }
    return BQ_NOT_FOUND;
}

#define VERSION_BYTES (sizeof "HTTP/1.1" - 1)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct bq_refusal read_version(bq_str v, uint8_t *minor)
{
    if (memcmp(v.p, "HTTP/1.1", VERSION_BYTES) == 0) {
        *minor = 1;
        return BQ_ACCEPTED;
    }
    if (memcmp(v.p, "HTTP/", 5) != 0 || !is_digit(v.p[5]) || v.p[6] != '.' || !is_digit(v.p[7]))
        return bq_refuse(400, "malformed request line");
    if (v.p[5] == '0')
        return bq_refuse(400, "HTTP/0.9 is not supported");
    if (v.p[5] != '1' || v.p[7] > '1')
        return bq_refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    *minor = (uint8_t)(v.p[7] - '0');
    return BQ_ACCEPTED;
}

/* Finds the method at the front; gives its length, or 0. "GET" is one word with its space. */
static size_t read_method(bq_str line, bool *known, enum bq_method *method)
{
    size_t n = 0;
    *known = true;
    *method = BQ_GET;
    if (line.n > 4 && memcmp(line.p, "GET ", 4) == 0)
        return 3;
    while (n < line.n && bq_char_is(line.p[n], BQ_CHAR_TOKEN))
        n++;
    bq_str name = bq_str_of(line.p, n);
    *known = bq_method_find(name, method) == BQ_OK && !bq_str_eq(name, BQ_STR("CONNECT"));
    return n;
}

/* Offsets count from the ends, where the grammar is fixed; what lies between the first
 * space and the version is the target, and a space in it is bq_target_parse's to
 * refuse. */
struct bq_refusal bq_h1_line_read(bq_str line, struct bq_h1_line *out)
{
    bool known;
    size_t method_n = read_method(line, &known, &out->method);
    if (method_n == 0 || line.n < method_n + sizeof " / HTTP/1.1" - 1 || line.p[method_n] != ' ' ||
        line.p[line.n - VERSION_BYTES - 1] != ' ')
        return bq_refuse(400, "malformed request line");
    bq_str version = bq_str_of(line.p + line.n - VERSION_BYTES, VERSION_BYTES);
    struct bq_refusal refusal = read_version(version, &out->version_minor);
    if (refusal.status)
        return refusal;

    if (!known)
        return bq_refuse(501, "method not implemented");
    bq_str target = bq_str_of(line.p + method_n + 1, line.n - method_n - VERSION_BYTES - 2);
    out->method_n = (uint32_t)method_n;
    out->target_n = (uint32_t)target.n;
    out->foreign = out->method == BQ_METHOD_OTHER || !bq_chars_ascii(target);
    return BQ_ACCEPTED;
}
