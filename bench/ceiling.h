/*
 * ceiling.h: what the bare servers share: the answer, the listening socket, the end of a head.
 */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_BYTES 3 /* of a head's end that may have come with the read before */

/* Fails with errno's sentence. */
_Noreturn void die(const char *what);

/* The answer, copies times in a row: a pipeline is answered by one write. */
struct answers {
    char *bytes;
    size_t n; /* of one */
    size_t copies;
};

void answers_load(struct answers *a, const char *path);

/* The piece that may be sent next of so many bytes: where it begins, and its size. */
const char *answers_piece(const struct answers *a, uint64_t owed_bytes, size_t *n);

/* Prints its URL. */
int listen_on(uint16_t port, int socket_flags);

/* Further processes on the same port, which end with this one. */
void fork_others(unsigned long workers);

/* What could begin a head's end. */
struct tail {
    char bytes[TAIL_BYTES];
    unsigned n;
};

/* How many heads end in these bytes, in front of which there is room for the tail. */
size_t count_heads(struct tail *tail, char *p, size_t n);

/* PORT and WORKERS. False: they are none. */
bool read_numbers(char **argv, unsigned long *port, unsigned long *workers);

#endif
