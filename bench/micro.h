/*
 * micro.h: one part of barq alone, to be called again and again.
 */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stddef.h>

struct micro_case {
    const char *name;
    /* Makes what the calls need, which lives until the program's end. */
    void *(*prepare)(void);
    void (*run)(void *arg, size_t calls);
    size_t (*bytes)(void *arg); /* that one call reads or writes; NULL: it says nothing */
};

/* Both end with a case without a name. */
extern const struct micro_case micro_http_cases[];
extern const struct micro_case micro_json_cases[];

/* Ends the program with the sentence unless the condition holds. */
void micro_need(int holds, const char *what);

#endif
