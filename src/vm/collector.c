/*
 * collector.c: the collector's steps, and what they take.
 *
 * A cycle begins once the garbage may be as much as what was kept (LuaJIT's "pause" of 200), or
 * GARBAGE_MIN where little was kept, since each cycle goes through everything that is kept; more
 * would leave the processor's own cache. The cycle's work then follows what Lua allocates, twice as
 * fast, so that it ends.
 */
#include "vm/collector.h"

#include "base/clock.h"
#include "base/log.h"
#include "vm/memory.h"

#define GARBAGE_MIN ((size_t)1 << 20)
#define QUANTUM     ((size_t)32 << 10) /* allocated between two steps of a cycle, at least */
#define SPEED       2
#define PIECE       ((size_t)2000) /* what LuaJIT counts as the work of its smallest step */

#define FAILURES_MAX 100 /* of finalisers in one step */

/* Allocated beyond what is due before allocations collect, too: the loop did not come round. */
#define SLACK ((size_t)1 << 20)

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool is_paced(const struct bq_vm *vm)
{
    return vm->loop && !vm->host;
}

/* The next step is due when `more` is allocated, or when so much is gone that allocations must have
 * collected. */
static void aim(struct bq_vm *vm, size_t more)
{
    struct bq_collector *c = &vm->collector;
    c->from = vm->bytes - vm->bytes / 4;
    c->span = vm->bytes + more - c->from;
    c->left = vm->bytes;
}

/* Also for allocations: when they collect can be told LuaJIT only as its pause, in per cent of what
 * is held, for the moment of a restart. */
static void expect(struct bq_vm *vm, size_t more)
{
    size_t percent = (more + SLACK) / (vm->bytes / 100 + 1) + 1;
    int pause = lua_gc(vm->L, LUA_GCSETPAUSE, (int)(100 + percent));
    lua_gc(vm->L, LUA_GCRESTART, -1);
    lua_gc(vm->L, LUA_GCSETPAUSE, pause);
    aim(vm, more);
}

/* The application may have set it. LuaJIT tells it only in exchange for another. */
static size_t pause_percent(lua_State *L)
{
    int pause = lua_gc(L, LUA_GCSETPAUSE, 0);
    lua_gc(L, LUA_GCSETPAUSE, pause);
    return pause > 100 ? (size_t)pause : 100;
}

/* Until the next cycle: as long as garbage is little beside what was kept. Near the limit it is not
 * waited for as long. */
static void rest(struct bq_vm *vm, size_t kept)
{
    size_t garbage = max_of(kept / 100 * (pause_percent(vm->L) - 100), GARBAGE_MIN);
    if (vm->bytes_max && garbage > vm->bytes_max / 4)
        garbage = vm->bytes_max / 4;
    size_t fresh = vm->bytes - kept;
    bq_vm_trim(vm);
    vm->collector.fresh = 0;
    vm->collector.frees = false;
    expect(vm, garbage > fresh + QUANTUM ? garbage - fresh : QUANTUM);
}

static void note(struct bq_collector *c, uint64_t since_ns)
{
    uint64_t ns = bq_clock_ns() - since_ns, ns_max = bq_counter_read(&c->ns_max);
    bq_counter_add(&c->pauses, 1);
    bq_counter_add(&c->ns, ns);
    if (ns > ns_max)
        bq_counter_add(&c->ns_max, ns - ns_max);
}

/* Whether this ends a cycle. It stops as well where so much is freed: that takes longer than LuaJIT
 * counts. */
static bool work_off(struct bq_vm *vm)
{
    size_t before = vm->bytes, due = vm->collector.from + vm->collector.span;
    size_t work = SPEED * (QUANTUM + (before > due ? before - due : 0));
    for (size_t done = 0; done < work && vm->bytes + work > before; done += PIECE)
        if (lua_gc(vm->L, LUA_GCSTEP, 0))
            return true;
    return false;
}

static int step(lua_State *L)
{
    struct bq_vm *vm = lua_touserdata(L, 1);
    struct bq_collector *c = &vm->collector;
    size_t before = vm->bytes;
    if (before < c->from) {
        rest(vm, before); /* allocations have collected meanwhile */
        return 0;
    }
    c->fresh += c->frees && before > c->left ? before - c->left : 0;
    if (work_off(vm)) {
        bq_counter_add(&c->cycles, 1);
        rest(vm, vm->bytes > c->fresh ? vm->bytes - c->fresh : vm->bytes);
    } else {
        c->frees |= vm->bytes < before;
        expect(vm, QUANTUM);
    }
    return 0;
}

/* False: it was interrupted, what by is logged. */
static bool do_protected(struct bq_vm *vm, lua_CFunction work)
{
    lua_State *L = vm->L;
    if (lua_cpcall(L, work, vm) == 0)
        return true;
    const char *text = lua_tostring(L, -1);
    bq_warn("Lua's garbage collector: a finaliser failed: %s", text ? text : "(no message)");
    lua_pop(L, 1);
    expect(vm, QUANTUM);
    return false;
}

/* Finalisers run here, too, and what they raise has nobody else to tell. Those that are left would
 * run in whatever compiled code comes next, which does not survive an error there. */
static void step_on(struct bq_vm *vm)
{
    for (int i = 0; i < FAILURES_MAX && !do_protected(vm, step); i++)
        continue;
}

static void on_timer(struct bq_timer *timer)
{
    struct bq_vm *vm = BQ_CONTAINER(timer, struct bq_vm, collector.timer);
    if (vm->raising || !lua_gc(vm->L, LUA_GCISRUNNING, 0)) {
        aim(vm, QUANTUM); /* everything is collected soon; the application has stopped it */
        return;
    }
    uint64_t since_ns = bq_clock_ns();
    bq_absence_explain(vm->absence, NULL);
    bq_absence_begin(vm->absence);
    step_on(vm);
    bq_absence_end(vm->absence);
    note(&vm->collector, since_ns);
}

void bq_collector_init(struct bq_vm *vm)
{
    vm->collector.timer.fn = on_timer;
    vm->collector.span = SIZE_MAX;
    if (is_paced(vm))
        rest(vm, vm->bytes);
}

void bq_collector_release(struct bq_vm *vm)
{
    if (is_paced(vm))
        bq_timer_clear(bq_loop_wheel(vm->loop), &vm->collector.timer);
}

void bq_collector_wake(struct bq_vm *vm)
{
    bq_timer_set(bq_loop_wheel(vm->loop), &vm->collector.timer, bq_loop_now_ms(vm->loop));
}

void bq_collector_run(struct bq_vm *vm, lua_State *L)
{
    uint64_t since_ns = bq_clock_ns();
    lua_gc(L, LUA_GCCOLLECT, 0);
    note(&vm->collector, since_ns);
    bq_counter_add(&vm->collector.cycles, 1);
    if (is_paced(vm))
        rest(vm, vm->bytes);
}

static int run(lua_State *L)
{
    bq_collector_run(lua_touserdata(L, 1), L);
    return 0;
}

void bq_collector_settle(struct bq_vm *vm)
{
    for (int i = 0; i < FAILURES_MAX && !do_protected(vm, run); i++)
        continue;
}

struct bq_collector_view bq_vm_collector(const struct bq_vm *vm)
{
    const struct bq_collector *c = &vm->collector;
    return (struct bq_collector_view){
        .pauses = bq_counter_read(&c->pauses),
        .pause_ns = bq_counter_read(&c->ns),
        .pause_ns_max = bq_counter_read(&c->ns_max),
        .cycles = bq_counter_read(&c->cycles),
    };
}
