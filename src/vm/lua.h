/*
 * lua.h: the one way to LuaJIT's headers.
 */
#ifndef BQ_VM_LUA_H
#define BQ_VM_LUA_H

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>

#endif
