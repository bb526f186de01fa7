/*
 * micro.c: the parts of barq that a request passes, each measured alone.
 *
 *   bench-micro              a line for each: name, nanoseconds and bytes of a call, apart by tabs
 *   bench-micro NAME CALLS   one of them, that often, for callgrind
 *
 * A part is called until a batch takes a while, then in several batches, of which the fastest
 * counts: nothing makes a processor faster than it is, and all else on the machine makes it slower.
 */
#include "micro.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_NS  20000000
#define BATCHES   7
#define CALLS_MAX ((size_t)1 << 32)
#define NS_PER_S  1000000000

static const struct micro_case *const rooms[] = {micro_http_cases, micro_json_cases};

void micro_need(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench-micro: %s\n", what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t batch_ns(const struct micro_case *one, void *arg, size_t calls)
{
    int64_t start = now_ns();
    one->run(arg, calls);
    return now_ns() - start;
}

static void measure(const struct micro_case *one)
{
    void *arg = one->prepare();
    size_t calls = 1;
    int64_t best;
    while ((best = batch_ns(one, arg, calls)) < BATCH_NS && calls < CALLS_MAX)
        calls *= 2;
    for (int i = 1; i < BATCHES; i++) {
        int64_t ns = batch_ns(one, arg, calls);
        best = ns < best ? ns : best;
    }
    printf("%s\t%.2f\t%zu\n", one->name, (double)best / (double)calls,
           one->bytes ? one->bytes(arg) : 0);
    fflush(stdout);
}

static void run_named(const char *name, size_t calls)
{
    for (size_t room = 0; room < sizeof rooms / sizeof rooms[0]; room++)
        for (const struct micro_case *one = rooms[room]; one->name; one++)
            if (strcmp(one->name, name) == 0) {
                one->run(one->prepare(), calls);
                return;
            }
    micro_need(0, "no part has that name");
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        run_named(argv[1], strtoul(argv[2], NULL, 10));
        return 0;
    }
    for (size_t room = 0; room < sizeof rooms / sizeof rooms[0]; room++)
        for (const struct micro_case *one = rooms[room]; one->name; one++)
            measure(one);
    return 0;
}
