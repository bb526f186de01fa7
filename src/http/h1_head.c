/*
 * h1_head.c: framing, persistence, expectation and host from a head's fields.
 *
 * Every rule here that refuses is one by which two servers in a row could see
 * different requests in the same bytes (RFC 9112, section 11.2).
 */
#include "http/h1_head.h"

#include "base/rc.h"
#include "http/chars.h"
#include "http/target.h"

/* The fields that matter, as they were met; n of a count is how often. */
struct facts {
    bq_str host, length, coding;
    unsigned hosts, lengths, codings;
    bool close, keep_alive, expects, expects_other;
};

static void read_connection(struct facts *f, bq_str list)
{
    bq_str token;
    while (bq_str_next_token(&list, &token)) {
        f->close |= bq_str_eq_nocase(token, BQ_STR("close"));
        f->keep_alive |= bq_str_eq_nocase(token, BQ_STR("keep-alive"));
    }
}

static void read_expect(struct facts *f, bq_str list)
{
    bq_str token;
    while (bq_str_next_token(&list, &token)) {
        bool known = bq_str_eq_nocase(token, BQ_STR("100-continue"));
        f->expects |= known;
        f->expects_other |= !known;
    }
}

/* By length first: most fields are none of these. */
static void read_field(struct facts *f, const struct bq_field *field)
{
    switch (field->name.n) {
    case 4:
        if (BQ_NAME_IS(field->name, "host")) {
            f->host = field->value;
            f->hosts++;
        }
        break;
    case 6:
        if (BQ_NAME_IS(field->name, "expect"))
            read_expect(f, field->value);
        break;
    case 10:
        if (BQ_NAME_IS(field->name, "connection"))
            read_connection(f, field->value);
        break;
    case 14:
        if (BQ_NAME_IS(field->name, "content-length")) {
            f->length = field->value;
            f->lengths++;
        }
        break;
    case 17:
        if (BQ_NAME_IS(field->name, "transfer-encoding")) {
            f->coding = field->value;
            f->codings++;
        }
        break;
    default:
        break;
    }
}

static bool is_registered_coding(bq_str token)
{
    static const char *const names[] = {"gzip", "x-gzip", "deflate", "compress", "x-compress"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bq_str_eq_nocase(token, bq_str_cstr(names[i])))
            return true;
    return false;
}

/* "gzip, chunked" is honest and not implemented here; anything else that is not
 * "chunked" may be chunked to somebody else. */
static struct bq_refusal refuse_coding(bq_str list)
{
    bq_str token = BQ_STR("");
    const char *end = list.p + list.n;
    unsigned registered = 0;
    while (bq_str_next_token(&list, &token) && is_registered_coding(token))
        registered++;
    if (registered && token.p + token.n == end && bq_str_eq_nocase(token, BQ_STR("chunked")))
        return bq_refuse(501, "transfer coding not implemented");
    return bq_refuse(400, "malformed transfer-encoding");
}

static struct bq_refusal read_framing(const struct facts *f, uint8_t minor,
                                      struct bq_h1_framing *framing)
{
    *framing = (struct bq_h1_framing){0};
    if (f->codings) {
        if (f->lengths)
            return bq_refuse(400, "content-length with transfer-encoding");
        if (f->codings > 1)
            return bq_refuse(400, "repeated transfer-encoding");
        if (minor == 0)
            return bq_refuse(400, "transfer-encoding in HTTP/1.0");
        if (!bq_str_eq_nocase(f->coding, BQ_STR("chunked")))
            return refuse_coding(f->coding);
        framing->has_body = framing->chunked = true;
    } else if (f->lengths) {
        if (f->lengths > 1)
            return bq_refuse(400, "repeated content-length");
        if (bq_str_u64(f->length, &framing->content_length) != BQ_OK ||
            framing->content_length > INT64_MAX)
            return bq_refuse(400, "malformed content-length");
        framing->has_body = framing->content_length > 0;
    }
    return BQ_ACCEPTED;
}

static struct bq_refusal read_host(const struct facts *f, struct bq_request *r)
{
    if (f->hosts > 1)
        return bq_refuse(400, "repeated host");
    if (f->hosts == 0 && r->version_minor > 0)
        return bq_refuse(400, "missing host");
    if (f->hosts && !bq_host_valid(f->host))
        return bq_refuse(400, "malformed host");
    r->host = f->hosts ? f->host : BQ_STR("");
    /* The absolute form's authority replaces the field (RFC 9112, section 3.2.2). */
    if (bq_target_parse(r) != BQ_OK)
        return bq_refuse(400, "malformed request target");
    return BQ_ACCEPTED;
}

struct bq_refusal bq_h1_head_read(struct bq_request *r, struct bq_h1_framing *framing)
{
    struct facts f = {0};
    for (size_t i = 0; i < r->field_count; i++)
        read_field(&f, &r->fields[i]);

    struct bq_refusal refusal = read_framing(&f, r->version_minor, framing);
    if (!refusal.status)
        refusal = read_host(&f, r);
    if (refusal.status)
        return refusal;

    r->keep_alive = !f.close && (r->version_minor > 0 || f.keep_alive);
    /* HTTP/1.0 has no expectations: they are not looked at (RFC 9110, section 10.1.1). */
    if (r->version_minor > 0 && f.expects_other)
        return bq_refuse(417, "unknown expectation");
    r->expect_continue = r->version_minor > 0 && f.expects && framing->has_body;
    return BQ_ACCEPTED;
}

bool bq_h1_trailer_allowed(bq_str name)
{
    static const char *const forbidden[] = {
        "age",        "authorization", "cache-control",     "connection", "cookie",
        "date",       "expect",        "expires",           "forwarded",  "host",
        "keep-alive", "location",      "max-forwards",      "origin",     "pragma",
        "range",      "referer",       "set-cookie",        "te",         "trailer",
        "upgrade",    "vary",          "transfer-encoding", "warning",    "www-authenticate",
    };
    static const char *const families[] = {"access-control-", "content-", "if-", "proxy-",
                                           "x-forwarded-"};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (bq_str_eq_nocase(name, bq_str_cstr(forbidden[i])))
            return false;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        size_t n = strlen(families[i]);
        if (name.n >= n && bq_str_eq_nocase(bq_str_of(name.p, n), bq_str_of(families[i], n)))
            return false;
    }
    return true;
}
