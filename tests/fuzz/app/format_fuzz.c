/* format_fuzz.c: every format judges any bytes alike wherever they lie, and what one takes must
 * hold what its RFC says of all of them. */
#include "app/format.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const names[] = {"email",    "uuid", "uri",  "date", "time",
                                    "datetime", "ipv4", "ipv6", "bytes"};

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static bool fits(const char *name, bq_str text)
{
    const struct bq_format *format = bq_format_find(bq_str_cstr(name));
    expect(format != NULL);
    return !format->fault(text);
}

/* All but bytes without padding mean something by each character: none is optional at the end but
 * digits, letters and what a URI ends with. */
static void expect_shape(const char *name, bq_str text)
{
    size_t at = bq_str_find(text, '@', 0);
    if (strcmp(name, "email") == 0)
        expect(at > 0 && bq_str_find(text, '@', at + 1) == text.n);
    else if (strcmp(name, "uuid") == 0)
        expect(text.n == 36);
    else if (strcmp(name, "uri") == 0)
        expect(bq_str_find(text, ':', 0) < text.n);
    else if (strcmp(name, "date") == 0)
        expect(text.n == 10);
    else if (strcmp(name, "ipv4") == 0)
        expect(text.n >= 7 && text.n <= 15);
    else if (strcmp(name, "ipv6") == 0)
        expect(text.n >= 2 && text.n <= 45);
}

/* A date-time is a date, T and a time; an IPv4 address stands at the end of an IPv6 one; an address
 * in brackets is a host. */
static void expect_parts(const char *name, bq_str text)
{
    char longer[128];
    if (strcmp(name, "datetime") == 0) {
        expect(fits("date", bq_str_of(text.p, 10)));
        expect(fits("time", bq_str_of(text.p + 11, text.n - 11)));
    } else if (strcmp(name, "ipv4") == 0) {
        memcpy(longer, "::ffff:", 7);
        memcpy(longer + 7, text.p, text.n);
        expect(fits("ipv6", bq_str_of(longer, text.n + 7)));
    } else if (strcmp(name, "ipv6") == 0) {
        memcpy(longer, "x://[", 5);
        memcpy(longer + 5, text.p, text.n);
        memcpy(longer + 5 + text.n, "]:1/", 4);
        expect(fits("uri", bq_str_of(longer, text.n + 9)));
    }
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Encoded again, decoded bytes are the same text: each value has one. */
static void expect_round_trip(bq_str text)
{
    unsigned char *bytes = malloc(text.n + 3);
    expect(bytes != NULL);
    size_t n = bq_format_decode(text, (char *)bytes);
    expect(n <= text.n);
    bytes[n] = bytes[n + 1] = 0;
    for (size_t i = 0; i < text.n; i++) {
        size_t at = i / 4 * 3, bit = i % 4 * 6;
        unsigned word = (unsigned)bytes[at] << 16;
        word |= at + 1 < n ? (unsigned)bytes[at + 1] << 8 : 0;
        word |= at + 2 < n ? bytes[at + 2] : 0;
        char c = at + bit / 8 < n ? alphabet[word >> (18 - bit) & 63] : '=';
        expect(text.p[i] == c);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(n ? n : 1); /* exactly as long as it is, for the sanitizer */
    expect(copy != NULL);
    if (n)
        memcpy(copy, data, n);
    bq_str text = bq_str_of(copy, n);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!fits(names[i], text))
            continue;
        expect_shape(names[i], text);
        expect_parts(names[i], text);
        if (strcmp(names[i], "bytes") == 0)
            expect_round_trip(text);
    }
    free(copy);
    return 0;
}
