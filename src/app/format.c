/*
 * format.c: the list of formats, and those that are about characters: email, uuid, base64.
 *
 * Nothing here allocates or looks at the locale; times are in format_time.c, addresses in
 * format_net.c.
 */
#include "app/format.h"

#include "app/format_rules.h"

#include <assert.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct bq_format formats[] = {
    {"email", "value_error", "value is not a valid email address: ", "reason", bq_format_email},
    {"uuid", "uuid_parsing", "Input should be a valid UUID, ", "error", bq_format_uuid},
    {"uri", "url_parsing", "Input should be a valid URL, ", "error", bq_format_uri},
    {"date", "date_parsing", "Input should be a valid date in the format YYYY-MM-DD, ", "error",
     bq_format_date},
    {"time", "time_parsing", "Input should be in a valid time format, ", "error", bq_format_time},
    {"datetime", "datetime_parsing", "Input should be a valid datetime, ", "error",
     bq_format_datetime},
    {"ipv4", "ip_v4_address", "Input is not a valid IPv4 address", NULL, bq_format_ipv4},
    {"ipv6", "ip_v6_address", "Input is not a valid IPv6 address", NULL, bq_format_ipv6},
    {"bytes", "base64_decode", "Base64 decoding error: ", "error", bq_format_base64},
};

const struct bq_format *bq_format_find(bq_str name)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        if (bq_str_eq(name, bq_str_cstr(formats[i].name)))
            return &formats[i];
    return NULL;
}

bool bq_format_is_bytes(const struct bq_format *format)
{
    return format && format->fault == bq_format_base64;
}

/* --- email: https://html.spec.whatwg.org/#valid-e-mail-address --- */

#define LABEL_BYTES_MAX 63

static bool is_local(char c)
{
    return bq_format_letter(c) || bq_format_digit(c) || (c && strchr(".!#$%&'*+/=?^_`{|}~-", c));
}

/* Letters, digits and hyphens, no hyphen at either end. */
static bool is_label(bq_str s)
{
    if (!s.n || s.n > LABEL_BYTES_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!bq_format_letter(s.p[i]) && !bq_format_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

static bool is_domain(bq_str s)
{
    for (;;) {
        size_t dot = bq_str_find(s, '.', 0);
        if (!is_label(bq_str_of(s.p, dot)))
            return false;
        if (dot == s.n)
            return true;
        s = bq_str_of(s.p + dot + 1, s.n - dot - 1);
    }
}

const char *bq_format_email(bq_str text)
{
    size_t at = bq_str_find(text, '@', 0);
    if (at == text.n)
        return "an email address must have an @-sign";
    if (!at)
        return "there must be something before the @-sign";
    for (size_t i = 0; i < at; i++)
        if (!is_local(text.p[i]))
            return "the part before the @-sign contains invalid characters";
    if (!is_domain(bq_str_of(text.p + at + 1, text.n - at - 1)))
        return "the part after the @-sign is not a valid domain name";
    return NULL;
}

/* --- uuid --- */

#define UUID_BYTES 36

const char *bq_format_uuid(bq_str text)
{
    if (text.n != UUID_BYTES)
        return "it should have 36 characters";
    for (size_t i = 0; i < text.n; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen && text.p[i] != '-')
            return "it should have hyphens after 8, 12, 16 and 20 digits";
        if (!hyphen && !bq_format_hex(text.p[i]))
            return "it should have hexadecimal digits between the hyphens";
    }
    return NULL;
}

/* --- base64 --- */

/* The six bits of a character, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (bq_format_digit(c))
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* How many "=" fill up the last four characters. */
static size_t padding_count(bq_str text)
{
    if (!text.n || text.p[text.n - 1] != '=')
        return 0;
    return text.p[text.n - 2] == '=' ? 2 : 1;
}

const char *bq_format_base64(bq_str text)
{
    if (text.n % 4)
        return "the number of characters should be a multiple of 4";
    size_t padding = padding_count(text);
    for (size_t i = 0; i < text.n - padding; i++)
        if (base64_value(text.p[i]) < 0)
            return "there is a character outside of the alphabet";
    /* One text for each value: the bits that no byte takes are 0 (RFC 4648, section 3.5). */
    int unused = padding == 2 ? 0xf : padding == 1 ? 0x3 : 0;
    if (unused && base64_value(text.p[text.n - padding - 1]) & unused)
        return "the unused bits before the padding should be 0";
    return NULL;
}

size_t bq_format_decode(bq_str text, char *to)
{
    size_t bytes = text.n / 4 * 3 - padding_count(text);
    for (size_t i = 0; i < text.n; i += 4) {
        unsigned word = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = base64_value(text.p[i + k]);
            word = word << 6 | (unsigned)(value < 0 ? 0 : value);
        }
        *to++ = (char)(word >> 16);
        *to++ = (char)(word >> 8);
        *to++ = (char)word;
    }
    return bytes;
}
