/*
 * aside.h: the Lua states of the threads that run barq.offload's functions: with the application's
 * module path and what of barq works without an application (lua/barq/aside.lua).
 */
#ifndef BQ_ASIDE_H
#define BQ_ASIDE_H

#include "config.h"
#include "data/offload.h"
#include "data/shared.h"
#include "source_watch.h"

struct bq_aside {
    struct bq_stores *stores;
    const char *app_path;
    struct bq_source_watch *sources; /* in development, who wants to know what they load */
};

/* How the pool runs functions for that application, by its configuration. aside outlives the pool.
 */
struct bq_offload_options bq_aside_options(struct bq_aside *aside, const struct bq_config *config);

#endif
