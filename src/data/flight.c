/*
 * flight.c: leaders and those who wait for them.
 *
 * Jobs are posted with the stripe locked: who has left under that lock can be sure
 * that no post to its loop is on its way, and may let the loop go.
 */
#include "data/flight.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/store.h"

#include <assert.h>

struct bq_flight {
    struct bq_node node; /* in one of its stripe's lists */
    struct bq_stripe *stripe;
    uint64_t hash;
    const void *leader;
    struct bq_list waits;
    size_t key_n;
    char key[];
};

struct bq_flight_wait {
    struct bq_job job;
    struct bq_timer timer;
    struct bq_node node; /* waiting: in its flight's list; left: in its stripe's */
    struct bq_stripe *stripe;
    struct bq_loop *loop;
    bq_flight_fn fn;
    void *arg;
    enum { WAITING, TOLD, LEFT } state; /* this and rc only with the stripe locked */
    int rc;
};

static struct bq_list *list_of(struct bq_stripe *stripe, uint64_t hash)
{
    return &stripe->flights[(hash >> 56) % BQ_STRIPE_FLIGHT_LISTS];
}

static struct bq_flight *find_flight(struct bq_stripe *stripe, bq_str key, uint64_t hash)
{
    struct bq_list *list = list_of(stripe, hash);
    for (struct bq_node *n = list->head.next; n != &list->head; n = n->next) {
        struct bq_flight *f = BQ_CONTAINER(n, struct bq_flight, node);
        if (f->hash == hash && bq_str_eq(bq_str_of(f->key, f->key_n), key))
            return f;
    }
    return NULL;
}

static struct bq_flight *new_flight(struct bq_stripe *stripe, bq_str key, uint64_t hash,
                                    const void *leader)
{
    struct bq_flight *f = bq_alloc_zero(sizeof *f + key.n);
    if (!f)
        return NULL;
    f->stripe = stripe;
    f->hash = hash;
    f->leader = leader;
    bq_list_init(&f->waits);
    f->key_n = key.n;
    if (key.n)
        memcpy(f->key, key.p, key.n);
    bq_list_push(list_of(stripe, hash), &f->node);
    return f;
}

static int begin_locked(struct bq_stripe *stripe, bq_str key, uint64_t hash, const void *leader,
                        struct bq_buf *out, struct bq_flight **flight)
{
    struct bq_entry *e = bq_stripe_find(stripe, key, hash);
    if (e) {
        stripe->hits++;
        bq_stripe_touch(stripe, e);
        return bq_buf_append(out, bq_entry_value(e));
    }
    struct bq_flight *f = find_flight(stripe, key, hash);
    if (f)
        return f->leader == leader ? BQ_CONFLICT : BQ_AGAIN;
    *flight = new_flight(stripe, key, hash, leader);
    return *flight ? BQ_NOT_FOUND : BQ_MEMORY;
}

int bq_flight_begin(struct bq_store *s, bq_str key, const void *leader, struct bq_buf *out,
                    struct bq_flight **flight)
{
    if (key.n > BQ_STORE_KEY_BYTES_MAX)
        return BQ_LIMIT;
    uint64_t hash;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    int rc = begin_locked(stripe, key, hash, leader, out, flight);
    pthread_mutex_unlock(&stripe->lock);
    return rc;
}

void bq_flight_end(struct bq_flight *flight, bool nothing)
{
    struct bq_stripe *stripe = flight->stripe;
    struct bq_node *node;
    pthread_mutex_lock(&stripe->lock);
    bq_list_remove(&flight->node);
    while ((node = bq_list_take(&flight->waits))) {
        struct bq_flight_wait *w = BQ_CONTAINER(node, struct bq_flight_wait, node);
        w->state = TOLD;
        w->rc = nothing ? BQ_NOT_FOUND : BQ_OK;
        bq_loop_post(w->loop, &w->job);
    }
    pthread_mutex_unlock(&stripe->lock);
    bq_free(flight);
}

static void finish_wait(struct bq_flight_wait *w, int rc)
{
    bq_flight_fn fn = w->fn;
    void *arg = w->arg;
    bq_timer_clear(bq_loop_wheel(w->loop), &w->timer);
    bq_free(w);
    fn(arg, rc);
}

static void run_job(struct bq_job *job)
{
    struct bq_flight_wait *w = BQ_CONTAINER(job, struct bq_flight_wait, job);
    pthread_mutex_lock(&w->stripe->lock);
    bool left = w->state == LEFT;
    int rc = w->rc;
    if (left)
        bq_list_remove(&w->node);
    pthread_mutex_unlock(&w->stripe->lock);
    if (left)
        bq_free(w);
    else
        finish_wait(w, rc);
}

static void run_timer(struct bq_timer *timer)
{
    struct bq_flight_wait *w = BQ_CONTAINER(timer, struct bq_flight_wait, timer);
    pthread_mutex_lock(&w->stripe->lock);
    bool waiting = w->state == WAITING;
    if (waiting)
        bq_list_remove(&w->node);
    pthread_mutex_unlock(&w->stripe->lock);
    if (waiting) /* else its job is on the way */
        finish_wait(w, BQ_LIMIT);
}

int bq_flight_join(struct bq_store *s, bq_str key, struct bq_loop *loop, uint64_t wait_ms,
                   bq_flight_fn fn, void *arg, struct bq_flight_wait **wait)
{
    struct bq_flight_wait *w = bq_alloc_zero(sizeof *w);
    if (!w)
        return BQ_MEMORY;
    uint64_t hash;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    *w = (struct bq_flight_wait){.job.fn = run_job,
                                 .timer.fn = run_timer,
                                 .stripe = stripe,
                                 .loop = loop,
                                 .fn = fn,
                                 .arg = arg};
    struct bq_flight *f = find_flight(stripe, key, hash);
    if (f)
        bq_list_push(&f->waits, &w->node);
    pthread_mutex_unlock(&stripe->lock);
    if (!f) {
        bq_free(w);
        return BQ_NOT_FOUND;
    }
    /* The loop's own clock may be old by now. The job cannot run before this: it runs
     * on this thread. */
    bq_timer_set(bq_loop_wheel(loop), &w->timer, bq_clock_ms() + wait_ms);
    *wait = w;
    return BQ_OK;
}

void bq_flight_leave(struct bq_flight_wait *w)
{
    bq_timer_clear(bq_loop_wheel(w->loop), &w->timer);
    pthread_mutex_lock(&w->stripe->lock);
    bool told = w->state == TOLD;
    if (told) {
        w->state = LEFT;
        bq_list_push(&w->stripe->left, &w->node);
    } else {
        bq_list_remove(&w->node);
    }
    pthread_mutex_unlock(&w->stripe->lock);
    if (!told)
        bq_free(w);
}

void bq_flights_release(struct bq_stripe *stripe)
{
    struct bq_node *node;
    for (size_t i = 0; i < BQ_STRIPE_FLIGHT_LISTS; i++)
        assert(bq_list_empty(&stripe->flights[i]));
    /* Told, left, and their loop was freed before it came to their job. */
    while ((node = bq_list_take(&stripe->left)))
        bq_free(BQ_CONTAINER(node, struct bq_flight_wait, node));
}
