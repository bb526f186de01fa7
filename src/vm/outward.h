/*
 * outward.h: how a wait gets from the C function that waits to the server, and how what
 * wakes it gets back, through whatever coroutines the application has put in between.
 *
 *   server ── task's coroutine ── coroutine.wrap(…) ── … ── C function: yields a mark
 *                 coroutine.resume and coroutine.wrap, replaced here, see the mark and
 *                 yield it on; what the server answers they hand back inwards
 *
 * An error that ends a wait goes inwards as two results, the mark and the error, because
 * C cannot raise in a coroutine that is suspended. Lua code around the C function raises
 * it: what bq_task_wrap makes, or awaited(…) in Lua code of our own.
 */
#ifndef BQ_VM_OUTWARD_H
#define BQ_VM_OUTWARD_H

#include "vm/vm.h"

/* Replaces coroutine.resume and coroutine.wrap; once a state. Raises: on memory exhaustion. */
void bq_outward_open(lua_State *L, struct bq_vm *vm);

/* From now on the application cannot resume the coroutine. Raises: on memory exhaustion. */
void bq_outward_own(lua_State *L, lua_State *thread);

/* The return value of a C function whose task waits. */
int bq_outward_yield(lua_State *L);

/* Pushes what a wait ends with that is to raise the error (a reference), two values. */
void bq_outward_push_error(lua_State *L, int error);

/* Replaces the C function on top, which waits, by a Lua function that raises what ends its
 * waits. Raises: on memory exhaustion. */
void bq_task_wrap(lua_State *L);

/* Pushes awaited(…): raises if its arguments, the results of a C function that waits, are
 * an error, and returns them otherwise. */
void bq_awaited_push(lua_State *L);

#endif
