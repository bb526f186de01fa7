/*
 * reload_ask.h: "barq-server reload": asks a server that runs for new code, and waits for what
 * comes of it.
 *
 *   this process:  is it a barq-server, and does it serve? ─ SIGHUP, queued ─> waits
 *   the server:    reloads (reload.h) ─ SIGURG, queued, with the outcome ────> exit code
 *
 * SIGURG is ignored by who does not expect it. Signals need no file that can be stale, no port and
 * no secret: who may send the one may hear the other.
 */
#ifndef BQ_RELOAD_ASK_H
#define BQ_RELOAD_ASK_H

#include "config.h"
#include "reload.h"

#include <sys/types.h>

/* The process that is meant: the number, or for NULL the only barq-server that serves here. Fails:
 * BQ_INVALID (no number, none, several), and a sentence in error. */
int bq_reload_find(const char *number, pid_t *pid, struct bq_config_error *error);

/* Asks, and waits for at most ms_max. Root becomes the server's user for good, who could not answer
 * root. Fails: BQ_INVALID (it is not what it should be, or the reload failed), BQ_SYSTEM (no
 * answer), and a sentence in error. Thread: main, the only one. */
int bq_reload_ask(pid_t pid, uint32_t ms_max, struct bq_config_error *error);

/* What an outcome means to who asked; NULL: all went well. */
const char *bq_reload_outcome_text(int outcome);

#endif
