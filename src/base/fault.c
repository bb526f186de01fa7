/* fault.c: counters behind BQ_FAULT; empty in builds without fault sites. */
#include "base/fault.h"

#ifdef BQ_FAULTS
#include "base/rc.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Test-only state, atomic because workers share it. */
static atomic_long countdown[BQ_FAULT_COUNT];
static atomic_bool repeats[BQ_FAULT_COUNT];
static atomic_long hits[BQ_FAULT_COUNT];

static const char *const names[] = {
#define X(name) #name,
    BQ_FAULT_SITES(X)
#undef X
};

void bq_fault_arm(enum bq_fault_site site, long nth, bool again)
{
    atomic_store(&countdown[site], 0);
    atomic_store(&hits[site], 0);
    atomic_store(&repeats[site], again);
    atomic_store(&countdown[site], nth);
}

long bq_fault_hits(enum bq_fault_site site)
{
    return atomic_load(&hits[site]);
}

bool bq_fault_check(enum bq_fault_site site)
{
    long left = atomic_load_explicit(&countdown[site], memory_order_relaxed);
    do {
        if (left <= 0)
            return false;
        /* Stays at 1: counting down and up again would let another thread's call through. */
        if (left == 1 && atomic_load(&repeats[site]))
            break;
    } while (!atomic_compare_exchange_weak(&countdown[site], &left, left - 1));
    if (left != 1)
        return false;
    atomic_fetch_add(&hits[site], 1);
    return true;
}

/* text..end is "nth" or "nth+". */
static int arm_nth(enum bq_fault_site site, const char *text, const char *end)
{
    bool again = end[-1] == '+';
    uint64_t nth;
    if (bq_str_u64(bq_str_of(text, (size_t)(end - text) - again), &nth) != BQ_OK)
        return BQ_INVALID;
    if (nth == 0 || nth > LONG_MAX)
        return BQ_INVALID;
    bq_fault_arm(site, (long)nth, again);
    return BQ_OK;
}

static int arm_one(const char *spec, size_t n)
{
    for (int i = 0; i < BQ_FAULT_COUNT; i++) {
        size_t len = strlen(names[i]);
        if (n > len + 1 && memcmp(spec, names[i], len) == 0 && spec[len] == ':')
            return arm_nth((enum bq_fault_site)i, spec + len + 1, spec + n);
    }
    return BQ_INVALID;
}

int bq_fault_arm_env(void)
{
    const char *spec = getenv("BARQ_FAULT");
    while (spec && *spec) {
        size_t n = strcspn(spec, ",");
        if (arm_one(spec, n) != BQ_OK)
            return BQ_INVALID;
        spec += n + (spec[n] == ',');
    }
    return BQ_OK;
}
#endif
