/* fault.c: counters behind BQ_FAULT; empty in builds without fault sites. */
#include "base/fault.h"

#ifdef BQ_FAULTS
#include "base/rc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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
    if (atomic_load_explicit(&countdown[site], memory_order_relaxed) <= 0)
        return false;
    if (atomic_fetch_sub(&countdown[site], 1) != 1)
        return false;
    if (atomic_load(&repeats[site]))
        atomic_store(&countdown[site], 1);
    atomic_fetch_add(&hits[site], 1);
    return true;
}

static int arm_one(const char *spec, size_t n)
{
    for (int i = 0; i < BQ_FAULT_COUNT; i++) {
        size_t len = strlen(names[i]);
        if (n > len + 1 && memcmp(spec, names[i], len) == 0 && spec[len] == ':') {
            char *end;
            long nth = strtol(spec + len + 1, &end, 10);
            bq_fault_arm((enum bq_fault_site)i, nth, *end == '+');
            return nth > 0 ? BQ_OK : BQ_INVALID;
        }
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
