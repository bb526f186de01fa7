/*
 * opening.h: a worker-scoped provider is opened by one task at a time, and others wait for it.
 *
 *   nobody ─ bq_opening_begin ─> a task opens it ─ bq_opening_end, or the task ends ─> nobody
 *                                     ^                        │ in one of the loop's next turns
 *                                     └──── the first of ──────┘
 *                                       those who have waited, unless there is a value now
 *
 * Requests open it in tasks of their own (dispatch.c), barq.with in whatever task it is called.
 */
#ifndef BQ_APP_OPENING_H
#define BQ_APP_OPENING_H

#include "app/depends.h"

struct bq_task;

/* Of one that nobody opens. */
void bq_opening_begin(struct bq_provider *provider, struct bq_task *task);

/* Who has waited looks again. Needs no memory; a task may be the caller. */
void bq_opening_end(struct bq_provider *provider);

/* Pushes the function that waits until nobody opens the provider, a light userdata. Raises: on
 * memory exhaustion. */
void bq_opening_push_await(lua_State *L);

/* core.begin_open(provider), to be wrapped (bq_task_wrap), and core.end_open(provider). */
int bq_opening_l_begin(lua_State *L);
int bq_opening_l_end(lua_State *L);

#endif
