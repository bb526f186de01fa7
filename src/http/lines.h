/*
 * lines.h: where lines end, found 64 bytes at a time.
 *
 * Control characters show in the same look, so that the fields of a section that holds
 * none but its line ends need not be searched for them again.
 */
#ifndef BQ_HTTP_LINES_H
#define BQ_HTTP_LINES_H

#include "base/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BQ_LINES_BLOCK ((size_t)64)

/* Goes over bytes that may become more, and move, but do not change. {0} at the start. */
struct bq_lines {
    size_t seen;    /* bytes that were looked at */
    uint64_t feeds; /* line feeds not given yet: the top bit is byte seen - 1 */
    uint64_t open;  /* 1: the last byte seen is a control character, which a line feed may follow */
    bool odd;       /* there was a control character that no line feed follows, such as a tab */
};

/* Bit i is for the byte p[i]. */
struct bq_block {
    uint64_t feeds, controls;
};

#ifdef __SSE2__
static inline struct bq_block bq_block_quarter(const char *p)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
    __m128i control = _mm_or_si128(low, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
    __m128i feed = _mm_cmpeq_epi8(x, _mm_set1_epi8('\n'));
    return (struct bq_block){(unsigned)_mm_movemask_epi8(feed),
                             (unsigned)_mm_movemask_epi8(control)};
}

static inline struct bq_block bq_block_look(const char *p)
{
    struct bq_block a = bq_block_quarter(p), b = bq_block_quarter(p + 16);
    struct bq_block c = bq_block_quarter(p + 32), d = bq_block_quarter(p + 48);
    return (struct bq_block){
        a.feeds | b.feeds << 16 | c.feeds << 32 | d.feeds << 48,
        a.controls | b.controls << 16 | c.controls << 32 | d.controls << 48,
    };
}
#else
static inline struct bq_block bq_block_look(const char *p)
{
    struct bq_block b = {0, 0};
    for (unsigned i = 0; i < BQ_LINES_BLOCK; i++) {
        unsigned char c = (unsigned char)p[i];
        b.feeds |= (uint64_t)(c == '\n') << i;
        b.controls |= (uint64_t)(c < 0x20 || c == 0x7f) << i;
    }
    return b;
}
#endif

/* The last left bytes of base's n, fewer than a block, at the top of one. */
static inline struct bq_block bq_block_look_last(const char *base, size_t n, size_t left)
{
    char room[BQ_LINES_BLOCK] = {0};
    const char *p = base + n - BQ_LINES_BLOCK;
    if (n < BQ_LINES_BLOCK) {
        memcpy(room + BQ_LINES_BLOCK - left, base + n - left, left);
        p = room;
    }
    struct bq_block b = bq_block_look(p);
    uint64_t mask = UINT64_MAX << (BQ_LINES_BLOCK - left);
    return (struct bq_block){b.feeds & mask, b.controls & mask};
}

static inline void bq_lines_look(struct bq_lines *l, const char *base, size_t n)
{
    size_t left = n - l->seen;
    struct bq_block b;
    uint64_t first;
    if (left >= BQ_LINES_BLOCK) {
        b = bq_block_look(base + l->seen);
        first = b.feeds & 1;
        l->seen += BQ_LINES_BLOCK;
    } else {
        b = bq_block_look_last(base, n, left);
        first = b.feeds >> (BQ_LINES_BLOCK - left) & 1;
        l->seen = n;
    }
    uint64_t lonely = b.controls & ~(b.feeds | b.feeds >> 1);
    l->odd |= (lonely << 1 | (l->open & ~first)) != 0;
    l->open = lonely >> 63;
    l->feeds = b.feeds;
}

/* The offset of the next line feed, or n if there is none among base's n bytes. */
static inline size_t bq_lines_next(struct bq_lines *l, const char *base, size_t n)
{
    while (!l->feeds) {
        if (l->seen == n)
            return n;
        bq_lines_look(l, base, n);
    }
    size_t bit = (size_t)__builtin_ctzll(l->feeds);
    l->feeds &= l->feeds - 1;
    return l->seen - BQ_LINES_BLOCK + bit;
}

#endif
