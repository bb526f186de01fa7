/*
 * word.h: the bytes of a JSON string, eight at a time; private to the room.
 *
 * Most strings hold nothing but plain ASCII: both the reader and the writer go
 * through them by words and look at single bytes only where a word is not plain.
 */
#ifndef BQ_JSON_WORD_H
#define BQ_JSON_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are put together from low bytes");

#define BQ_WORD_BYTES   8
#define BQ_WORD_FILL(c) (0x0101010101010101ull * (c))

/* Not 0 if a byte of w is a control character, a quote, a backslash or outside ASCII; the
 * lowest bit set is in the first such byte. With all bytes below 0x80 each subtraction
 * sets a top bit only in a byte that it looks for and, by a borrow, above it; a byte from
 * 0x80 on is marked by w itself. */
static inline uint64_t bq_json_word_marks(uint64_t w)
{
    uint64_t control = w - BQ_WORD_FILL(0x20);
    uint64_t quote = (w ^ BQ_WORD_FILL('"')) - BQ_WORD_FILL(1);
    uint64_t backslash = (w ^ BQ_WORD_FILL('\\')) - BQ_WORD_FILL(1);
    return (control | quote | backslash | w) & BQ_WORD_FILL(0x80);
}

/* How many bytes stand before the first marked one. */
static inline size_t bq_json_word_plain_bytes(uint64_t marks)
{
    return marks ? (size_t)__builtin_ctzll(marks) / 8 : BQ_WORD_BYTES;
}

static inline uint64_t bq_json_word_load(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* Whether n bytes are the same: of names with quotes and a colon, four to sixteen at most times. */
static inline bool bq_json_word_same(const char *a, const char *b, size_t n)
{
    uint32_t a4, b4, a4_last, b4_last;
    if (n - 8 <= 8)
        return ((bq_json_word_load(a) ^ bq_json_word_load(b)) |
                (bq_json_word_load(a + n - 8) ^ bq_json_word_load(b + n - 8))) == 0;
    if (n - 4 > 4)
        return memcmp(a, b, n) == 0;
    memcpy(&a4, a, sizeof a4);
    memcpy(&b4, b, sizeof b4);
    memcpy(&a4_last, a + n - 4, sizeof a4_last);
    memcpy(&b4_last, b + n - 4, sizeof b4_last);
    return ((a4 ^ b4) | (a4_last ^ b4_last)) == 0;
}

/* The n bytes at p, 0 < n < 8, filled up with spaces; no byte beyond them is read. */
static inline uint64_t bq_json_word_load_tail(const char *p, size_t n)
{
    uint64_t padding = BQ_WORD_FILL(' ') << (8 * n);
    if (n >= 4) {
        uint32_t low, high;
        memcpy(&low, p, sizeof low);
        memcpy(&high, p + n - 4, sizeof high);
        return low | (uint64_t)high << (8 * (n - 4)) | padding;
    }
    uint64_t first = (unsigned char)p[0];
    uint64_t middle = (unsigned char)p[n / 2];
    uint64_t last = (unsigned char)p[n - 1];
    return first | middle << (8 * (n / 2)) | last << (8 * (n - 1)) | padding;
}

#endif
