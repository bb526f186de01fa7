/*
 * lua_core.h: "barq.core", the C functions that lua/barq/ is built on.
 */
#ifndef BQ_APP_LUA_CORE_H
#define BQ_APP_LUA_CORE_H

#include "app/instance.h"

/* Puts the module into package.loaded. Raises: on memory exhaustion. */
void bq_core_open(lua_State *L, struct bq_app *app);

#endif
