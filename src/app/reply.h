/*
 * reply.h: from what a handler returned to a bq_response.
 *
 *   nil              204, or the status alone        Response   its own status, fields, body
 *   string           text/plain                      other      JSON
 */
#ifndef BQ_APP_REPLY_H
#define BQ_APP_REPLY_H

#include "app/dispatch.h"

/* Once a state. Raises: on memory exhaustion. */
void bq_reply_open(lua_State *L, struct bq_app *app);

/* Reads the results on call->task->L into *out, whose strings are valid while the task's
 * stack and app->body stay as they are. Never raises.
 * Fails: BQ_INVALID and a sentence in error (a status out of range, a value without JSON
 * form, a header field that cannot be sent); BQ_MEMORY. */
int bq_reply_read(struct bq_call *call, struct bq_response *out, char error[static 512]);

/* Below middleware: keeps what next() returns in the call's values; what the route declares is
 * encoded already. Fails: as bq_reply_read. */
int bq_reply_keep(struct bq_call *call, char error[static 512]);

/* --- reply_send.c ------------------------------------------------------------------------- */

/* Answers with the status and {"detail": its phrase}, by bq_dispatch_finish. */
void bq_reply_status(struct bq_call *call, int status);

/* The same, sent at once: there is nothing left to be closed. */
void bq_reply_send_status(struct bq_call *call, int status);

/* Answers input that is refused: call->status and call->detail. */
void bq_reply_refusal(struct bq_call *call);

/* A copy of the response in the exchange's arena. Fails: NULL without memory. */
struct bq_response *bq_reply_save(struct bq_call *call, const struct bq_response *response);

/* Sends an answer, revokes the req, and sets off what req:after left to do. The call and
 * its exchange are gone when this returns. */
void bq_reply_send(struct bq_call *call, const struct bq_response *response);

#endif
