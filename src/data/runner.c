/* runner.c: the thread, and handing work to it and back. */
#include "data/runner.h"

#include "base/rc.h"
#include "base/thread.h"

#include <assert.h>

void bq_runner_init(struct bq_runner *h)
{
    *h = (struct bq_runner){.work = NULL};
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->wake, NULL);
    pthread_cond_init(&h->idle, NULL);
}

void bq_runner_release(struct bq_runner *h)
{
    pthread_mutex_lock(&h->lock);
    assert(!h->work);
    h->stop = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    if (h->started)
        pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->idle);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
}

/* The job is posted under the lock: who has cancelled under it gets none. */
static void do_work(struct bq_runner *h)
{
    struct bq_work *work = h->work;
    pthread_mutex_unlock(&h->lock);
    work->run(work);
    pthread_mutex_lock(&h->lock);
    h->work = NULL;
    if (!h->cancelled)
        bq_loop_post(work->loop, &work->job);
    pthread_cond_signal(&h->idle);
}

static void *run_thread(void *arg)
{
    struct bq_runner *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->stop) {
        if (h->work)
            do_work(h);
        else
            pthread_cond_wait(&h->wake, &h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static int start_thread(struct bq_runner *h)
{
    h->started = bq_thread_start(&h->thread, "barq-runner", 0, run_thread, h) == 0;
    return h->started ? BQ_OK : BQ_SYSTEM;
}

int bq_runner_start(struct bq_runner *h, struct bq_work *work)
{
    if (!h->started && start_thread(h) != BQ_OK)
        return BQ_SYSTEM;
    pthread_mutex_lock(&h->lock);
    assert(!h->work);
    h->work = work;
    h->cancelled = false;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    return BQ_OK;
}

bool bq_runner_cancel(struct bq_runner *h, const struct bq_work *work)
{
    pthread_mutex_lock(&h->lock);
    bool running = h->work == work;
    h->cancelled = running;
    while (h->work == work)
        pthread_cond_wait(&h->idle, &h->lock);
    pthread_mutex_unlock(&h->lock);
    return running;
}
