/* thread.c: pthread_create with a name, and a way to make it fail. */
#include "base/thread.h"

#include "base/fault.h"

#include <errno.h>

int bq_thread_start(pthread_t *thread, const char *name, size_t stack_bytes, void *(*fn)(void *arg),
                    void *arg)
{
    pthread_attr_t attributes;
    if (BQ_FAULT(thread))
        return EAGAIN;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    if (stack_bytes)
        error = pthread_attr_setstacksize(&attributes, stack_bytes);
    if (!error)
        error = pthread_create(thread, &attributes, fn, arg);
    pthread_attr_destroy(&attributes);
    if (!error)
        pthread_setname_np(*thread, name);
    return error;
}
