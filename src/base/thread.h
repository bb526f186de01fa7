/* thread.h: how threads start. */
#ifndef BQ_BASE_THREAD_H
#define BQ_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Starts a thread that runs fn with arg. name is what ps and a debugger show, at most 15 bytes;
 * stack_bytes 0 is the system's size. Gives: 0 or an errno (EAGAIN: no more threads). */
int bq_thread_start(pthread_t *thread, const char *name, size_t stack_bytes, void *(*fn)(void *arg),
                    void *arg);

#endif
