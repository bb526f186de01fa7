/*
 * ring.c: an io_uring for nothing but reads and writes that do not wait.
 *
 * Small enough to do without a library: entries go in, one io_uring_enter, as many results come
 * out. The kernel looks at the submission ring only within that call, so that what it did not take
 * can be taken back.
 */
#include "net/ring.h"

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"

#include <assert.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One mapping for both rings (5.4), and whatever else came before it knew how to poll (5.7), such
 * as IORING_OP_SEND and IORING_OP_RECV. */
#define FEATURES (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_FAST_POLL)

struct bq_ring {
    int fd;
    void *rings;
    size_t rings_bytes;
    struct io_uring_sqe *entries;
    size_t entries_bytes;
    _Atomic uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail; /* shared with the kernel */
    uint32_t sq_mask, cq_mask;
    const struct io_uring_cqe *results;
};

/* Setting up */

static _Atomic uint32_t *word_at(const struct bq_ring *r, uint32_t offset)
{
    return (_Atomic uint32_t *)((char *)r->rings + offset);
}

static void *map(int fd, size_t bytes, off_t what)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
    return p == MAP_FAILED ? NULL : p;
}

static size_t rings_bytes(const struct io_uring_params *p)
{
    size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
    size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    return sq > cq ? sq : cq;
}

/* Each place in the submission ring stands for the entry of its number, for good. */
static void find_words(struct bq_ring *r, const struct io_uring_params *p)
{
    uint32_t *array = (uint32_t *)((char *)r->rings + p->sq_off.array);
    for (uint32_t i = 0; i < p->sq_entries; i++)
        array[i] = i;
    r->sq_head = word_at(r, p->sq_off.head);
    r->sq_tail = word_at(r, p->sq_off.tail);
    r->cq_head = word_at(r, p->cq_off.head);
    r->cq_tail = word_at(r, p->cq_off.tail);
    r->sq_mask = p->sq_entries - 1;
    r->cq_mask = p->cq_entries - 1;
    r->results = (const struct io_uring_cqe *)((char *)r->rings + p->cq_off.cqes);
}

static bool open_ring(struct bq_ring *r)
{
    struct io_uring_params p = {0};
    if (BQ_FAULT(uring_setup))
        errno = EPERM;
    else
        r->fd = (int)syscall(SYS_io_uring_setup, BQ_RING_MAX, &p);
    if (r->fd < 0)
        return false;
    if ((p.features & FEATURES) != FEATURES) {
        errno = ENOSYS;
        return false;
    }
    r->rings_bytes = rings_bytes(&p);
    r->entries_bytes = p.sq_entries * sizeof *r->entries;
    r->rings = map(r->fd, r->rings_bytes, IORING_OFF_SQ_RING);
    r->entries = r->rings ? map(r->fd, r->entries_bytes, IORING_OFF_SQES) : NULL;
    if (!r->entries)
        return false;
    find_words(r, &p);
    return true;
}

struct bq_ring *bq_ring_new(void)
{
    struct bq_ring *r = bq_alloc_zero(sizeof *r);
    if (!r) {
        errno = ENOMEM;
        return NULL;
    }
    r->fd = -1;
    if (open_ring(r))
        return r;
    int saved_errno = errno;
    bq_ring_free(r);
    errno = saved_errno;
    return NULL;
}

void bq_ring_free(struct bq_ring *r)
{
    if (!r)
        return;
    if (r->entries)
        munmap(r->entries, r->entries_bytes);
    if (r->rings)
        munmap(r->rings, r->rings_bytes);
    if (r->fd >= 0)
        close(r->fd);
    bq_free(r);
}

/* Using it */

static uint32_t length(size_t n, bool is_short)
{
    if (is_short)
        return 1;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static struct io_uring_sqe *entry_at(const struct bq_ring *r, uint32_t number)
{
    uint32_t tail = atomic_load_explicit(r->sq_tail, memory_order_relaxed);
    return &r->entries[(tail + number) & r->sq_mask];
}

static void fill_send(struct bq_ring *r, uint32_t number, const struct bq_send *send)
{
    assert(send->transport->ops->plain && send->n > 0);
    *entry_at(r, number) = (struct io_uring_sqe){
        .opcode = IORING_OP_SEND,
        .fd = send->transport->watch.fd,
        .addr = (uintptr_t)send->bytes,
        .len = length(send->n, BQ_FAULT(short_write)),
        .msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT,
        .user_data = number,
    };
}

static void fill_receive(struct bq_ring *r, uint32_t number, const struct bq_receive *receive)
{
    assert(receive->transport->ops->plain && receive->n > 0);
    *entry_at(r, number) = (struct io_uring_sqe){
        .opcode = IORING_OP_RECV,
        .fd = receive->transport->watch.fd,
        .addr = (uintptr_t)receive->bytes,
        .len = length(receive->n, BQ_FAULT(short_read)),
        .msg_flags = MSG_DONTWAIT,
        .user_data = number,
    };
}

static long enter(const struct bq_ring *r, uint32_t submit, uint32_t wait)
{
    long rc;
    do
        rc = syscall(SYS_io_uring_enter, r->fd, submit, wait, wait ? IORING_ENTER_GETEVENTS : 0,
                     NULL, 0);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* Gives: how many of the entries that were filled the kernel has taken, the first ones. */
static uint32_t submit(struct bq_ring *r, uint32_t count)
{
    uint32_t tail = atomic_load_explicit(r->sq_tail, memory_order_relaxed);
    atomic_store_explicit(r->sq_tail, tail + count, memory_order_release);
    if (!BQ_FAULT(uring_enter))
        enter(r, count, 0);
    uint32_t head = atomic_load_explicit(r->sq_head, memory_order_acquire);
    atomic_store_explicit(r->sq_tail, head, memory_order_release);
    return head - tail;
}

/* They are all there already, unless a kernel does otherwise than it says. */
static void collect(struct bq_ring *r, int32_t results[static BQ_RING_MAX], uint32_t taken)
{
    uint32_t head = atomic_load_explicit(r->cq_head, memory_order_relaxed);
    for (uint32_t end = head + taken; head != end; head++) {
        while (head == atomic_load_explicit(r->cq_tail, memory_order_acquire)) {
            long rc = enter(r, 0, 1);
            assert(rc >= 0);
            (void)rc;
        }
        const struct io_uring_cqe *result = &r->results[head & r->cq_mask];
        results[result->user_data] = result->res;
    }
    atomic_store_explicit(r->cq_head, head, memory_order_release);
}

/* Does what the first count entries say. A result of 0: that one was not done. */
static void run(struct bq_ring *r, int32_t results[static BQ_RING_MAX], uint32_t count)
{
    memset(results, 0, count * sizeof *results);
    collect(r, results, submit(r, count));
}

static ssize_t written(const struct bq_send *send, int32_t result)
{
    struct bq_transport *t = send->transport;
    if (result > 0)
        return result;
    return result == -EAGAIN ? BQ_AGAIN : t->ops->write(t, send->bytes, send->n);
}

void bq_ring_send(struct bq_ring *r, struct bq_send *sends, unsigned count)
{
    int32_t results[BQ_RING_MAX] = {0};
    assert(count <= BQ_RING_MAX);
    if (count > 1) {
        for (unsigned i = 0; i < count; i++)
            fill_send(r, i, &sends[i]);
        run(r, results, count);
    }
    for (unsigned i = 0; i < count; i++)
        sends[i].done = written(&sends[i], results[i]);
}

void bq_ring_receive(struct bq_ring *r, struct bq_receive *receives, unsigned count)
{
    int32_t results[BQ_RING_MAX];
    assert(count <= BQ_RING_MAX);
    for (unsigned i = 0; i < count; i++)
        fill_receive(r, i, &receives[i]);
    run(r, results, count);
    for (unsigned i = 0; i < count; i++)
        receives[i].done = results[i] > 0 ? results[i] : 0;
}
