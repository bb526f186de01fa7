/*
 * lua_testing.h: "barq.testing.core", what lua/barq/testing.lua is built on.
 *
 * Only the state in which `barq-server test` runs specs has it; lua/meta/testing.lua documents
 * the functions.
 */
#ifndef BQ_LUA_TESTING_H
#define BQ_LUA_TESTING_H

#include "vm/lua.h"

/* Pushes the module, as a loader. Raises: on memory exhaustion. */
int bq_lua_testing_open(lua_State *L);

#endif
