/* hash.c: SipHash-1-3; the names v0 … v3 and the rotations are the paper's. */
#include "base/hash.h"

#include "base/rc.h"

#include <endian.h>
#include <sys/random.h>

int bq_hash_key_init(struct bq_hash_key *key)
{
    /* Up to 256 bytes are never interrupted (getrandom(2)). */
    return getrandom(key, sizeof *key, 0) == sizeof *key ? BQ_OK : BQ_SYSTEM;
}

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void round_once(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void absorb(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    s->v0 ^= word;
}

/* The last, incomplete word: its top byte is the length, modulo 256. */
static uint64_t last_word(bq_str s)
{
    uint64_t word = (uint64_t)s.n << 56;
    for (size_t i = s.n & ~(size_t)7; i < s.n; i++)
        word |= (uint64_t)(unsigned char)s.p[i] << (8 * (i & 7));
    return word;
}

uint64_t bq_hash(const struct bq_hash_key *key, bq_str str)
{
    struct sip s = {
        .v0 = key->k[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = key->k[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key->k[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = key->k[1] ^ UINT64_C(0x7465646279746573),
    };
    for (size_t i = 0; i + 8 <= str.n; i += 8) {
        uint64_t word;
        memcpy(&word, str.p + i, 8);
        absorb(&s, le64toh(word));
    }
    absorb(&s, last_word(str));
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        round_once(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
