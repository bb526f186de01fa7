/* clock.h: time that only goes forward (CLOCK_MONOTONIC), for durations and deadlines. */
#ifndef BQ_BASE_CLOCK_H
#define BQ_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t bq_clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline uint64_t bq_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* For pthread_cond_timedwait with a condition of that clock. */
static inline struct timespec bq_clock_timespec(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

#endif
