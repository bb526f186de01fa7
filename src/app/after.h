/*
 * after.h: what req:after left to do once the answer is on its way.
 */
#ifndef BQ_APP_AFTER_H
#define BQ_APP_AFTER_H

#include "app/dispatch.h"

/* req:after(fn, …): the arguments from index 2 on, added to the call's list.
 * Raises: on a wrong argument and on memory exhaustion. */
void bq_after_push(lua_State *L, struct bq_call *call);

/* Runs the list, as a task, in one of the loop's next turns. Takes the reference. */
void bq_after_start(struct bq_app *app, int list);

/* Forgets lists that have not begun. */
void bq_after_drop(struct bq_app *app);

#endif
