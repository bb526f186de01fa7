/*
 * modules.h: every Lua module that the server brings along.
 *
 * C modules stand in one visible table (modules.c); the Lua sources below lua/
 * are embedded by the build, so that barq-server is one file.
 */
#ifndef BQ_MODULES_H
#define BQ_MODULES_H

#include "data/offload.h"
#include "data/shared.h"
#include "data/sqlite_tally.h"
#include "vm/lua.h"

#include <stddef.h>

/* One embedded Lua file; the list ends with a NULL name. */
struct bq_lua_source {
    const char *name;      /* as in require: "barq.group" */
    const char *chunkname; /* as in tracebacks: "@barq:barq/group.lua" */
    const unsigned char *bytes;
    size_t n;
};
extern const struct bq_lua_source bq_lua_sources[];

/* What they work with; it outlives the state. */
struct bq_modules_env {
    struct bq_stores *stores;       /* barq.shared's */
    struct bq_offload *offload;     /* NULL: there is no barq.offload */
    struct bq_sqlite_tally *sqlite; /* NULL: nobody counts */
};

/* Makes all of them loadable by require. Raises: on memory exhaustion. */
void bq_modules_preload(lua_State *L, const struct bq_modules_env *env);

#endif
