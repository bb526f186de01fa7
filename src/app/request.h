/*
 * request.h: req, what a handler gets.
 *
 * A plain Lua table (the application may keep things in it) whose missing fields are
 * made by C when they are first asked for. It holds a handle, not the exchange: after
 * the answer is sent, fields that were never read raise a clear error.
 *
 *   req[1] the call's handle    req[2], req[3] used by middleware.lua's fallback
 */
#ifndef BQ_APP_REQUEST_H
#define BQ_APP_REQUEST_H

#include "app/dispatch.h"

/* Makes req's metatable; once a state. Raises: on memory exhaustion. */
void bq_request_open(lua_State *L, struct bq_app *app);

/* Pushes a new req for the call. Raises: on memory exhaustion. */
void bq_request_push(lua_State *L, struct bq_call *call);

/* Pushes the req that providers, handler and middleware of the call share, or makes one. Raises: on
 * memory exhaustion. */
void bq_request_push_own(lua_State *L, struct bq_call *call);

/* The same, for a req whose declared input is read next, or was read before, and that nobody sees
 * if it is refused: params that will be there as declared are left out. Raises: on memory
 * exhaustion. */
void bq_request_push_unread(lua_State *L, struct bq_call *call);

/* Pushes a headers table for the call, whose missing fields are looked up. Raises: on memory
 * exhaustion. */
void bq_request_push_headers(lua_State *L, struct bq_call *call);

/* The call behind the req at index. Raises: when it is none, or its request has ended. */
struct bq_call *bq_request_check(lua_State *L, struct bq_app *app, int index);

/* The same, but NULL instead of raising. */
struct bq_call *bq_request_find_call(lua_State *L, struct bq_app *app, int index);

#endif
