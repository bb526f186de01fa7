/*
 * held.h: what is said of a call into Lua that kept its worker for so long that others had to
 * take over the worker's connections.
 */
#ifndef BQ_APP_HELD_H
#define BQ_APP_HELD_H

#include "app/dispatch.h"

/* Counts it for the call's route, and logs it, at most once in ten seconds a route. */
void bq_held_note(struct bq_call *call, const struct bq_absence_report *report);

/* A bq_vm_held_fn; arg is the bq_app. */
void bq_held(void *arg, const struct bq_task *task, const struct bq_absence_report *report);

#endif
