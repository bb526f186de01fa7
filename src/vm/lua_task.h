/*
 * lua_task.h: what Lua code of ours builds spawn, timers and timeouts on.
 *
 * A task is known to Lua by a number, which is nobody's once the task has ended. What is woken
 * looks again whether what it waits for has come.
 */
#ifndef BQ_VM_LUA_TASK_H
#define BQ_VM_LUA_TASK_H

#include "vm/task.h"

/* Pushes task's number. Raises: on memory exhaustion. */
void bq_task_push_handle(lua_State *L, struct bq_task *task);

/* shield(on), a lua_CFunction: nothing ends the running task's waits meanwhile. Shields are
 * counted. Where no task runs there is nothing to be shielded. */
int bq_task_shield(lua_State *L);

/* Adds the functions to the table on top: sleep, task, park, unpark, cancel, shield,
 * begin_timeout, end_timeout. Raises: on memory exhaustion. */
void bq_task_open_functions(lua_State *L);

#endif
