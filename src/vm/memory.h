/*
 * memory.h: the limit on what Lua holds.
 *
 * An allocator that refuses would be the plain way, but this LuaJIT loses its stack when an
 * allocation fails inside code that it compiled (its lj_err_mem does not know where the trace is).
 * So a limit that is passed is noted: the collector is told to run, which takes compiled code back
 * to the interpreter, where a hook collects everything and raises "not enough memory" if that did
 * not help. Only what goes far beyond the limit is refused on the spot.
 */
#ifndef BQ_VM_MEMORY_H
#define BQ_VM_MEMORY_H

#include "vm/vm.h"

/* Lua's allocator, with the vm as its argument: the process's, counted and bounded. */
void *bq_vm_alloc(void *arg, void *old, size_t old_bytes, size_t bytes);

/* Bounds what Lua may hold, as bq_vm_new says. */
void bq_vm_limit(struct bq_vm *vm, size_t bytes_max);

/* Gives memory back to the system if Lua holds much less than before. */
void bq_vm_trim(struct bq_vm *vm);

/* Ends what the state runs by an error of that text, raised at each instruction that is interpreted
 * until bq_vm_relieve: no pcall keeps it. From within an allocation that Lua asks for, for the same
 * reasons. Valid: why, until then. */
void bq_vm_end_soon(struct bq_vm *vm, const char *why);

#endif
