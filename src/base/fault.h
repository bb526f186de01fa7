/*
 * fault.h: named places where a test can make a call fail.
 *
 * Sites are listed once, sorted, in BQ_FAULT_SITES. In builds with BQ_FAULTS
 * defined, BQ_FAULT(site) counts the calls and is true for the one that was
 * armed; elsewhere it is the constant false and costs nothing. The environment
 * arms a site too: BARQ_FAULT="accept:3" fails the third accept, and
 * BARQ_FAULT="short_read:1+,short_write:1+" makes every read and write move one
 * byte at most. Any thread may count, arm and ask.
 */
#ifndef BQ_BASE_FAULT_H
#define BQ_BASE_FAULT_H

#include <stdbool.h>

#define BQ_FAULT_SITES(X) \
    X(accept)             \
    X(accept_abort)       \
    X(alloc)              \
    X(epoll_add)          \
    X(lua_alloc)          \
    X(read)               \
    X(short_read)         \
    X(short_write)        \
    X(thread)             \
    X(uring_enter)        \
    X(uring_setup)        \
    X(watch)              \
    X(write)

enum bq_fault_site {
#define X(name) BQ_FAULT_##name,
    BQ_FAULT_SITES(X)
#undef X
        BQ_FAULT_COUNT
};

#ifdef BQ_FAULTS

/* The site's nth call from now (1 is the next) fails, once; 0 disarms. With
 * again, every call from the nth on fails. */
void bq_fault_arm(enum bq_fault_site site, long nth, bool again);

/* How often an armed site has failed since it was armed. */
long bq_fault_hits(enum bq_fault_site site);

/* Arms what BARQ_FAULT ("site:nth[+],…") names. Fails: BQ_INVALID (an unknown site, no number
 * above 0, or anything behind it); what came before is armed. */
int bq_fault_arm_env(void);

bool bq_fault_check(enum bq_fault_site site);
#define BQ_FAULT(site) bq_fault_check(BQ_FAULT_##site)

#else
#define BQ_FAULT(site) false
#endif

#endif
