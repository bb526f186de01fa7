/*
 * spawn.h: tasks that the application starts itself.
 */
#ifndef BQ_APP_SPAWN_H
#define BQ_APP_SPAWN_H

#include "app/instance.h"

/* core.spawn(fn, argument, failed, joiner) -> number: fn(argument) runs as a task of its own from
 * one of the loop's next turns on, and counts as pending until it has ended. Should it raise, which
 * only a lack of memory makes it, failed(argument) is called. joiner is the number of the task that
 * goes on only once this one has ended, or nil. Raises: on memory exhaustion. */
int bq_spawn(lua_State *L);

/* core.rest(on): the running task, which was spawned, does not count as pending while it rests. */
int bq_spawn_rest(lua_State *L);

#endif
