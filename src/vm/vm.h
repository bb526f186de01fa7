/*
 * vm.h: one LuaJIT state of a worker: its memory limit, its tasks, its loop.
 */
#ifndef BQ_VM_VM_H
#define BQ_VM_VM_H

#include "base/list.h"
#include "net/loop.h"
#include "vm/lua.h"

#include <stddef.h>

struct bq_task;

struct bq_vm {
    lua_State *L;
    struct bq_loop *loop;
    struct bq_task *running; /* the task whose coroutine runs now, or NULL */
    struct bq_list idle;     /* finished tasks, to be used again */
    size_t idle_count;
    size_t task_count; /* all that exist */
    lua_Alloc alloc;   /* LuaJIT's own allocator, behind the limit */
    void *alloc_arg;
    size_t bytes, bytes_max;
};

/* A state with the standard libraries. bytes_max bounds what Lua may hold: beyond
 * it an allocation fails, which Lua raises as "not enough memory" (0: no limit).
 * Fails: NULL without memory. */
struct bq_vm *bq_vm_new(struct bq_loop *loop, size_t bytes_max);

/* Closes the state; every task is gone. */
void bq_vm_free(struct bq_vm *vm);

/* The vm that a state or coroutine belongs to. */
struct bq_vm *bq_vm_of(lua_State *L);

/* A message handler for lua_pcall: the error value, made a string with a traceback
 * if it is a string; other values pass untouched. */
int bq_vm_traceback(lua_State *L);

#endif
