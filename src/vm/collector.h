/*
 * collector.h: when Lua's garbage is collected: in small steps, between requests.
 *
 *   resting ─ enough garbage ─> cycling ─ a step, as often as some more is allocated ─┐
 *      ^                          ^───────────────────────────────────────────────────┤
 *      └─────────────────────────────── the cycle is complete ────────────────────────┘
 *
 * LuaJIT collects inside allocations, so that a request pays for what others have left, and nobody
 * knows how long. Here the loop does, once a turn's requests have been answered. Allocations still
 * do where Lua allocates much before the loop comes round, and where there is no loop. What the
 * loop does is timed.
 */
#ifndef BQ_VM_COLLECTOR_H
#define BQ_VM_COLLECTOR_H

#include "base/counter.h"
#include "net/timer.h"
#include "vm/lua.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bq_vm;

struct bq_collector {
    struct bq_timer timer;
    size_t from, span; /* nothing is to be done while so many bytes are held */
    size_t left;       /* what the last step left */
    size_t fresh;      /* allocated since this cycle began to free, which it will not */
    bool frees;
    struct bq_counter pauses, ns, ns_max, cycles;
};

/* All since the start. Not in it is what allocations and the application itself (collectgarbage)
 * collect. */
struct bq_collector_view {
    uint64_t pauses; /* steps, and collections of everything, which memory.h asks for */
    uint64_t pause_ns, pause_ns_max; /* all of them together; the longest */
    uint64_t cycles;                 /* complete ones */
};

/* Adds what another collector has done. */
static inline void bq_collector_view_add(struct bq_collector_view *sum,
                                         struct bq_collector_view view)
{
    sum->pauses += view.pauses;
    sum->pause_ns += view.pause_ns;
    sum->cycles += view.cycles;
    if (view.pause_ns_max > sum->pause_ns_max)
        sum->pause_ns_max = view.pause_ns_max;
}

/* A guest, and a state without a loop, are left to their host, and to LuaJIT. */
void bq_collector_init(struct bq_vm *vm);
void bq_collector_release(struct bq_vm *vm);

/* A step follows, in this turn of the loop or the next. For when the bytes held are outside of what
 * was expected: again and again is no harm. */
void bq_collector_wake(struct bq_vm *vm);

/* Collects everything. Not from within the collector. Raises: what a finaliser raises. */
void bq_collector_run(struct bq_vm *vm, lua_State *L);

/* Collects everything before what follows depends on it; finalisers that raise are logged. */
void bq_collector_settle(struct bq_vm *vm);

/* Thread: any, as long as the vm lives. */
struct bq_collector_view bq_vm_collector(const struct bq_vm *vm);

#endif
