/*
 * vm.h: one LuaJIT state of a worker: its memory limit, its tasks, its loop.
 *
 * The worker's thread alone uses it. Coroutines that the server runs are tasks
 * (task.h); the application may make others of its own inside them.
 */
#ifndef BQ_VM_VM_H
#define BQ_VM_VM_H

#include "base/list.h"
#include "net/loop.h"
#include "vm/collector.h"
#include "vm/handle.h"
#include "vm/lua.h"
#include "vm/raw.h"

#include <stddef.h>

struct bq_task;

/* Told of a task that has kept its thread inside Lua for so long that somebody noticed. */
typedef void (*bq_vm_held_fn)(void *arg, const struct bq_task *task,
                              const struct bq_absence_report *report);

/* What a task ends with when the application took its coroutine into its own hands. */
enum bq_vm_text { BQ_VM_TEXT_YIELDED, BQ_VM_TEXT_RESUMED, BQ_VM_TEXT_COUNT };

struct bq_vm {
    lua_State *L;
    struct bq_loop *loop;
    struct bq_absence
        *absence;       /* the loop's: begins and ends with each entry into Lua. NULL: no loop */
    bq_vm_held_fn held; /* NULL: nobody asked */
    void *held_arg;
    struct bq_task *running; /* the task whose coroutine runs now, or NULL */
    struct bq_list idle;     /* finished tasks, to be used again */
    struct bq_list waiting;  /* suspended tasks */
    size_t idle_count;
    size_t task_count;            /* all that exist */
    struct bq_handles handles;    /* of tasks that Lua knows by number */
    int awaited, wrap, owned;     /* outward.c's, in the registry */
    int texts[BQ_VM_TEXT_COUNT];  /* the registry's: ready where nothing could catch an error */
    size_t bytes, bytes_max;      /* what Lua holds, and may hold; 0: whatever it wants */
    size_t bytes_far, bytes_most; /* memory.c's look_ahead */
    bq_raw raw_null;              /* what bq_raw_probe gave: 0 if values do not lie as raw.h says */
    size_t bytes_kept;            /* what the last bq_vm_relieve could not collect */
    bool exhausted;               /* an allocation was refused since then */
    bool raising;       /* the limit is passed: "not enough memory" is raised soon (memory.h) */
    const char *ending; /* what everything that runs is ended with, or NULL (memory.h) */

    struct bq_collector collector;

    struct bq_vm *host; /* whose state it shares (guest.h); NULL: it has its own */
    int guest_ref;      /* the registry's: what a guest keeps there */
    bool guest_in;
};

/* A state with the standard libraries. bytes_max bounds what Lua may hold: code that goes
 * beyond it is ended soon by the error "not enough memory" (0: no limit).
 * Fails: NULL without memory. */
struct bq_vm *bq_vm_new(struct bq_loop *loop, size_t bytes_max);

/* Waiting tasks are dropped (their cancel runs), then the state is closed. */
void bq_vm_free(struct bq_vm *vm);

/* Collects all garbage if an allocation was refused, or if the limit is near and there is some
 * garbage. LuaJIT does neither: it lets the heap double before it collects, whatever the limit,
 * and raises its error without having tried to. Not from within the collector. */
void bq_vm_relieve(struct bq_vm *vm);

/* Tasks that are suspended. Takes time for each. */
size_t bq_vm_waiting_count(const struct bq_vm *vm);

/* The vm that a state or coroutine belongs to. Raises: never. */
struct bq_vm *bq_vm_of(lua_State *L);

/* Makes vm what bq_vm_of finds. Raises: on memory exhaustion. */
void bq_vm_register(lua_State *L, struct bq_vm *vm);

/* A reference to the field of that name of the table at index, LUA_NOREF if there is none.
 * Raises: on memory exhaustion. */
int bq_vm_ref_field(lua_State *L, int index, const char *name);

/* Runs fn(L, arg) protected, on the main coroutine, whose stack is afterwards as
 * before. Fails: BQ_MEMORY when fn raised for want of memory, BQ_INVALID when it
 * raised anything else. */
int bq_vm_protect(struct bq_vm *vm, void (*fn)(lua_State *L, void *arg), void *arg);

/* A message handler for lua_pcall: a string gets a traceback appended, other values
 * pass untouched. */
int bq_vm_traceback(lua_State *L);

#endif
