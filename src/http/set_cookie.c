/* set_cookie.c: the Set-Cookie field (draft-ietf-httpbis-rfc6265bis): what may be said,
 * then how. */
#include "base/rc.h"
#include "http/chars.h"
#include "http/decode.h"
#include "http/h1_write.h"

#define PAIR_BYTES_MAX      4096
#define ATTRIBUTE_BYTES_MAX 1024
/* All attributes' names, a date and a number. */
#define FIXED_BYTES_MAX 256

#define YEAR_1601_S INT64_C(-11644473600)
#define YEAR_9999_S INT64_C(253402300799)

static bool has_prefix(bq_str name, bq_str prefix)
{
    return name.n >= prefix.n && bq_str_eq_nocase(bq_str_of(name.p, prefix.n), prefix);
}

static bool attribute_valid(bq_str s)
{
    return s.n <= ATTRIBUTE_BYTES_MAX && bq_chars_all(s, BQ_CHAR_ATTRIBUTE);
}

static const char *pair_fault(const struct bq_set_cookie *c)
{
    if (!c->name.n || !bq_chars_all(c->name, BQ_CHAR_TOKEN))
        return "the name is not a token";
    if (!bq_chars_all(c->value, BQ_CHAR_COOKIE))
        return "the value has a character that cookies cannot carry";
    if (c->name.n + c->value.n > PAIR_BYTES_MAX)
        return "name and value are longer than 4096 bytes";
    return NULL;
}

static const char *attribute_fault(const struct bq_set_cookie *c)
{
    if (!attribute_valid(c->path))
        return "the path is too long or has a character that it cannot carry";
    if (!attribute_valid(c->domain))
        return "the domain is too long or has a character that it cannot carry";
    if (c->expires_s != INT64_MIN && (c->expires_s < YEAR_1601_S || c->expires_s > YEAR_9999_S))
        return "the expiry is outside the years 1601 to 9999";
    return NULL;
}

static const char *promise_fault(const struct bq_set_cookie *c)
{
    if (c->same_site == BQ_SAME_SITE_NONE && !c->secure)
        return "SameSite=None needs Secure";
    if (c->partitioned && !c->secure)
        return "Partitioned needs Secure";
    if (has_prefix(c->name, BQ_STR("__Secure-")) && !c->secure)
        return "a \"__Secure-\" name needs Secure";
    if (has_prefix(c->name, BQ_STR("__Host-")) &&
        (!c->secure || c->domain.n || !bq_str_eq(c->path, BQ_STR("/"))))
        return "a \"__Host-\" name needs Secure, the path \"/\" and no domain";
    return NULL;
}

static void append_dates(struct bq_buf *out, const struct bq_set_cookie *c)
{
    char date[BQ_DATE_BYTES];
    if (c->max_age_s != INT64_MIN)
        bq_buf_printf(out, "; Max-Age=%lld", (long long)c->max_age_s);
    if (c->expires_s != INT64_MIN) {
        bq_date_format((time_t)c->expires_s, date);
        bq_buf_append(out, BQ_STR("; Expires="));
        bq_buf_append(out, bq_str_of(date, sizeof date));
    }
}

static void append_text(struct bq_buf *out, bq_str label, bq_str value)
{
    if (value.n == 0)
        return;
    bq_buf_append(out, label);
    bq_buf_append(out, value);
}

static void append_flags(struct bq_buf *out, const struct bq_set_cookie *c)
{
    if (c->secure)
        bq_buf_append(out, BQ_STR("; Secure"));
    if (c->http_only)
        bq_buf_append(out, BQ_STR("; HttpOnly"));
    if (c->partitioned)
        bq_buf_append(out, BQ_STR("; Partitioned"));
}

int bq_set_cookie_write(struct bq_buf *out, const struct bq_set_cookie *c, const char **why)
{
    static const bq_str same_site[] = {
        [BQ_SAME_SITE_UNSET] = {"", 0},
        [BQ_SAME_SITE_LAX] = {"Lax", 3},
        [BQ_SAME_SITE_STRICT] = {"Strict", 6},
        [BQ_SAME_SITE_NONE] = {"None", 4},
    };
    const char *fault = pair_fault(c);
    if (!fault)
        fault = attribute_fault(c);
    if (!fault)
        fault = promise_fault(c);
    if (fault) {
        *why = fault;
        return BQ_INVALID;
    }

    /* Room for all of it first, so that no append below can fail. */
    int rc =
        bq_buf_reserve(out, c->name.n + c->value.n + c->path.n + c->domain.n + FIXED_BYTES_MAX);
    if (rc != BQ_OK)
        return rc;
    bq_buf_append(out, c->name);
    bq_buf_push(out, '=');
    bq_buf_append(out, c->value);
    append_dates(out, c);
    append_text(out, BQ_STR("; Domain="), c->domain);
    append_text(out, BQ_STR("; Path="), c->path);
    append_text(out, BQ_STR("; SameSite="), same_site[c->same_site]);
    append_flags(out, c);
    return BQ_OK;
}
