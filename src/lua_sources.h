/* lua_sources.h: in development, what an application loads is noted (source_watch.h). */
#ifndef BQ_LUA_SOURCES_H
#define BQ_LUA_SOURCES_H

#include "source_watch.h"
#include "vm/lua.h"

/* From now on, files that are required, loaded or, if they are named like sources and templates,
 * read by the state are noted in s, which outlives it. Takes: preloaded modules. Raises. */
void bq_sources_open(lua_State *L, struct bq_source_watch *s);

#endif
