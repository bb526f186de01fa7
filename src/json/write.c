/*
 * write.c: strings and numbers as JSON text, straight into the output buffer.
 *
 * Every answer that a handler returns as a table goes through here. A string is
 * scanned for what needs an escape, checked for UTF-8 and copied in one pass.
 */
#include "json/write.h"

#include "base/rc.h"
#include "base/utf8.h"
#include "json/double.h"
#include "json/word.h"

#include <stdlib.h>

#define INTEGER_MAX 9007199254740992.0 /* 2^53: up to it doubles hold every integer */

/* What one word's bytes can grow to: each "\u00xx", and one sequence beyond the word. */
#define WORD_ESCAPED_MAX (6 * BQ_WORD_BYTES + 4)

#define THOUSANDTHS_END 1e12 /* their thousandths have 15 digits */

/* Without exponent are numbers below 10^21, and those of at most five zeros behind the point. */
#define WHOLE_DIGITS_MAX 21
#define SMALL_ZEROS_MAX  6

/* Copies what is plain at the start of s. Gives its length; may write up to seven bytes
 * behind it. */
static inline __attribute__((always_inline)) size_t copy_plain(char *to, bq_str s)
{
    size_t i = 0;
    uint64_t w;
    for (; s.n - i >= BQ_WORD_BYTES; i += BQ_WORD_BYTES) {
        w = bq_json_word_load(s.p + i);
        memcpy(to + i, &w, sizeof w);
        uint64_t marks = bq_json_word_marks(w);
        if (marks)
            return i + bq_json_word_plain_bytes(marks);
    }
    if (i == s.n)
        return i;
    w = bq_json_word_load_tail(s.p + i, s.n - i);
    memcpy(to + i, &w, sizeof w);
    uint64_t marks = bq_json_word_marks(w);
    return marks ? i + bq_json_word_plain_bytes(marks) : s.n;
}

/* Gives the bytes written. */
static size_t write_escape(char *to, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
    };
    char letter = c < 0x20 ? letters[c] : (char)c;
    to[0] = '\\';
    if (letter) {
        to[1] = letter;
        return 2;
    }
    memcpy(to + 1, "u00", 3);
    to[4] = hex[c >> 4];
    to[5] = hex[c & 15];
    return 6;
}

/* Whether c stands for itself in the text. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Writes the first character of s, which is not plain, at *to and moves *to behind it.
 * Gives the bytes of s used, or 0 where s is not UTF-8. */
static size_t write_character(char **to, bq_str s)
{
    unsigned char c = (unsigned char)s.p[0];
    if (c < 0x80) {
        *to += write_escape(*to, c);
        return 1;
    }
    size_t n = bq_utf8_length(s);
    memcpy(*to, s.p, n);
    *to += n;
    return n;
}

/* What is not plain at the start of s, up to about a word of it. Gives the bytes of s
 * used, or 0 where s is not UTF-8 and not lossy. */
static size_t write_characters(struct bq_buf *out, bq_str s, bool lossy)
{
    char *to = out->data + out->len;
    size_t i = 0;
    while (i < s.n && i < BQ_WORD_BYTES && !is_plain((unsigned char)s.p[i])) {
        size_t used = write_character(&to, bq_str_of(s.p + i, s.n - i));
        if (!used && !lossy)
            return 0;
        if (!used) {
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
            used = 1;
        }
        i += used;
    }
    out->len = (size_t)(to - out->data);
    return i;
}

/* Writes s, which begins with something that is not plain, and the closing quote. */
static int write_rest(struct bq_buf *out, bq_str s, bool lossy)
{
    while (s.n) {
        if (bq_buf_reserve(out, s.n + WORD_ESCAPED_MAX) != BQ_OK)
            return BQ_MEMORY;
        size_t used = write_characters(out, s, lossy);
        if (!used)
            return BQ_INVALID;
        s = bq_str_of(s.p + used, s.n - used);
        if (bq_buf_reserve(out, s.n + BQ_WORD_BYTES) != BQ_OK)
            return BQ_MEMORY;
        used = copy_plain(out->data + out->len, s);
        out->len += used;
        s = bq_str_of(s.p + used, s.n - used);
    }
    return bq_buf_push(out, '"');
}

/* Writes s, of which the n first bytes are plain and lie behind the quote at out->len already. */
static __attribute__((noinline)) int write_escaped(struct bq_buf *out, bq_str s, size_t n,
                                                   bool lossy)
{
    size_t before = bq_buf_size(out);
    out->len += n + 1;
    int rc = write_rest(out, bq_str_of(s.p + n, s.n - n), lossy);
    if (rc != BQ_OK)
        out->len = out->pos + before; /* growing may have moved the position */
    return rc;
}

/* In nearly all strings all is plain. */
static inline int write_string(struct bq_buf *out, bq_str s, bool lossy)
{
    if (bq_buf_reserve(out, s.n + BQ_WORD_BYTES + 2) != BQ_OK)
        return BQ_MEMORY;
    char *to = out->data + out->len;
    *to = '"';
    size_t n = copy_plain(to + 1, s);
    if (n != s.n)
        return write_escaped(out, s, n, lossy);
    to[n + 1] = '"';
    out->len += n + 2;
    return BQ_OK;
}

int bq_json_write_string(struct bq_buf *out, bq_str s)
{
    return write_string(out, s, false);
}

int bq_json_write_lossy(struct bq_buf *out, bq_str s)
{
    return write_string(out, s, true);
}

static __attribute__((noinline)) int write_escaped_name(struct bq_buf *out, char before,
                                                        bq_str name)
{
    size_t size = bq_buf_size(out);
    int rc = bq_buf_push(out, before);
    if (rc == BQ_OK)
        rc = write_string(out, name, false);
    if (rc == BQ_OK)
        rc = bq_buf_push(out, ':');
    if (rc != BQ_OK)
        out->len = out->pos + size; /* growing may have moved the position */
    return rc;
}

int bq_json_write_name(struct bq_buf *out, char before, bq_str name)
{
    if (bq_buf_reserve(out, name.n + BQ_WORD_BYTES + 4) != BQ_OK)
        return BQ_MEMORY;
    char *to = out->data + out->len;
    to[0] = before;
    to[1] = '"';
    if (copy_plain(to + 2, name) != name.n)
        return write_escaped_name(out, before, name);
    memcpy(to + 2 + name.n, "\":", 2);
    out->len += name.n + 4;
    return BQ_OK;
}

/* One to three bytes as four characters. */
static void write_group(char *to, const unsigned char *p, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)p[0] << 16;
    if (n > 1)
        bits |= (unsigned)p[1] << 8;
    if (n > 2)
        bits |= p[2];
    to[0] = letters[bits >> 18];
    to[1] = letters[bits >> 12 & 63];
    to[2] = n > 1 ? letters[bits >> 6 & 63] : '=';
    to[3] = n > 2 ? letters[bits & 63] : '=';
}

int bq_json_write_base64(struct bq_buf *out, bq_str bytes)
{
    if (bq_buf_reserve(out, (bytes.n / 3 + 1) * 4 + 2) != BQ_OK)
        return BQ_MEMORY;
    char *to = out->data + out->len;
    *to++ = '"';
    for (size_t i = 0; i < bytes.n; i += 3, to += 4)
        write_group(to, (const unsigned char *)bytes.p + i, bytes.n - i < 3 ? bytes.n - i : 3);
    *to++ = '"';
    out->len = (size_t)(to - out->data);
    return BQ_OK;
}

/* 1233 / 4096 is just above log10(2): the length from that of the binary number, or one less. */
static size_t digits_count(uint64_t u)
{
    static const uint64_t powers[] = {/* 0 has a digit too */
                                      0,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                      1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    unsigned n = (64 - (unsigned)__builtin_clzll(u | 1)) * 1233 >> 12;
    return n + (u >= powers[n]);
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* Writes the n last digits of u, two at a time. */
static void write_digits(char *to, uint64_t u, size_t n)
{
    for (; n >= 2; n -= 2) {
        memcpy(to + n - 2, pairs + 2 * (u % 100), 2);
        u /= 100;
    }
    if (n)
        to[0] = (char)('0' + u % 10);
}

static size_t write_integer(char *to, uint64_t u)
{
    size_t n = digits_count(u);
    write_digits(to, u, n);
    return n;
}

/* "0.", zeros and the n digits. */
static size_t write_small(char *to, uint64_t digits, size_t n, size_t zeros)
{
    memcpy(to, "0.00000", 7);
    write_digits(to + 2 + zeros, digits, n);
    return 2 + zeros + n;
}

/* The n digits with a point behind the first `whole` of them, or zeros up to there. */
static size_t write_plain(char *to, uint64_t digits, size_t n, size_t whole)
{
    write_digits(to, digits, n);
    if (n <= whole) {
        memset(to + n, '0', whole - n);
        return whole;
    }
    memmove(to + whole + 1, to + whole, n - whole);
    to[whole] = '.';
    return n + 1;
}

static size_t write_scientific(char *to, uint64_t digits, size_t n, int exponent)
{
    size_t used = n > 1 ? write_plain(to, digits, n, 1) : write_integer(to, digits);
    to[used++] = 'e';
    to[used++] = exponent < 0 ? '-' : '+';
    return used + write_integer(to + used, (uint64_t)abs(exponent));
}

/* In the form of ECMAScript's Number::toString, which RFC 8785 takes for canonical JSON. */
static size_t write_shortest(char *to, double v)
{
    struct bq_decimal d = bq_double_shortest(v);
    size_t n = digits_count(d.digits);
    int point = (int)n + d.exponent; /* v = 0.digits * 10^point */
    if (point > WHOLE_DIGITS_MAX || point <= -SMALL_ZEROS_MAX)
        return write_scientific(to, d.digits, n, point - 1);
    return point > 0 ? write_plain(to, d.digits, n, (size_t)point)
                     : write_small(to, d.digits, n, (size_t)-point);
}

/* Whole and thousandths, without the zeros at the end; no sign, some thousandths. */
static size_t write_thousandths(char *to, uint64_t thousandths)
{
    size_t n = write_integer(to, thousandths / 1000);
    unsigned fraction = (unsigned)(thousandths % 1000);
    to[n] = '.';
    to[n + 1] = (char)('0' + fraction / 100);
    memcpy(to + n + 2, pairs + 2 * (fraction % 100), 2);
    return n + 2 + (fraction % 100 != 0) + (fraction % 10 != 0);
}

/* Prices and percentages have three decimals at most, which is seen at once: they are an integer
 * divided by 1000. Two decimals of 15 digits are never the same double, so there is no shorter
 * one. */
static size_t write_fraction(char *to, double v)
{
    if (v < THOUSANDTHS_END) {
        uint64_t thousandths = (uint64_t)(v * 1000 + 0.5);
        if ((double)thousandths / 1000 == v)
            return write_thousandths(to, thousandths);
    }
    return write_shortest(to, v);
}

static __attribute__((noinline)) size_t write_large_or_fraction(char *to, double v)
{
    size_t sign = signbit(v) != 0;
    *to = '-';
    v = fabs(v);
    if (v <= INTEGER_MAX && (double)(int64_t)v == v)
        return sign + write_integer(to + sign, (uint64_t)(int64_t)v);
    return sign + write_fraction(to + sign, v);
}

int bq_json_write_other_number(struct bq_buf *out, double v)
{
    if (!isfinite(v))
        return BQ_INVALID;
    if (bq_buf_reserve(out, BQ_JSON_NUMBER_BYTES_MAX) != BQ_OK)
        return BQ_MEMORY;
    out->len += write_large_or_fraction(out->data + out->len, v);
    return BQ_OK;
}
