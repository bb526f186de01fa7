/*
 * hash.h: SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012),
 * the keyed hash for tables whose keys come from clients.
 *
 * Who does not know the key cannot choose inputs that collide, so a hostile client
 * cannot turn a table into a list. One compression and three finalisation rounds are
 * enough for that (the tables of Rust, Ruby and CPython use them too); as a MAC it is not used.
 */
#ifndef BQ_BASE_HASH_H
#define BQ_BASE_HASH_H

#include "base/str.h"

struct bq_hash_key {
    uint64_t k[2];
};

/* A key from the kernel's random numbers. Fails: BQ_SYSTEM. */
int bq_hash_key_init(struct bq_hash_key *key);

/* The same on every machine: bytes are read as little-endian words. */
uint64_t bq_hash(const struct bq_hash_key *key, bq_str s);

#endif
