/*
 * signals.h: SIGINT and SIGTERM ask for the end, a second one enforces it; SIGHUP asks for a
 * reload.
 *
 * Before bq_signals_wait and after it they end the process at once, by a handler: a process
 * that is number 1 of a container would not hear them otherwise, and nothing that Lua does
 * in a hook can hold it up. Other threads have them blocked. SIGPIPE is ignored. A SIGHUP that the
 * kernel sends, because the terminal is gone, asks for the end; so does one before bq_signals_wait.
 */
#ifndef BQ_SIGNALS_H
#define BQ_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Sets the handlers. */
void bq_signals_init(void);

/* Threads started between these two have the signals blocked. Thread: main. */
void bq_signals_block(void);
void bq_signals_unblock(void);

/* Waits for one of them and gives its number: SIGHUP, and all are still blocked; or one that asks
 * for the end, and they are not any more. Or 0 after ms_max (0: no limit), and all are still
 * blocked. asker is the process that waits for bq_signals_answer, or 0. Takes: blocked. Thread:
 * main. */
int bq_signals_wait(uint64_t ms_max, pid_t *asker);

/* Sends the process the signal and waits for its answer: bq_signals_ask, then
 * bq_signals_wait_answer until that is true. Fails: BQ_SYSTEM. Thread: main, the only one. */
int bq_signals_ask(pid_t pid, int number);
bool bq_signals_wait_answer(pid_t pid, uint64_t ms_max, int *value);

/* What is answered before bq_signals_wait and after the last one: nothing can be done, and nothing
 * is ended by who asks. */
#define BQ_SIGNALS_TOO_EARLY 0

/* Tells a process that asked, if it is still there, by a signal that others ignore. */
void bq_signals_answer(pid_t asker, int value);

/* Whether one that asks for the end has come and is still to be waited for. Takes: blocked. Thread:
 * main. */
bool bq_signals_is_end_due(void);

/* Ends the process with 0 when ms have passed, whatever it is doing then. 0: not any more. */
void bq_signals_end_after(uint64_t ms);

#endif
