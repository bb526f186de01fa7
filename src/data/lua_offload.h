/* lua_offload.h: the module barq.offload.core. */
#ifndef BQ_DATA_LUA_OFFLOAD_H
#define BQ_DATA_LUA_OFFLOAD_H

#include "data/offload.h"

/* Pushes the module. pool outlives the state. Raises: on memory exhaustion. */
void bq_offload_open_module(lua_State *L, struct bq_offload *pool);

#endif
