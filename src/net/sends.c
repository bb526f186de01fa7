/*
 * sends.c: an io_uring for nothing but writes that do not wait.
 *
 * Small enough to do without a library: entries go in, one io_uring_enter, as many results come
 * out. The kernel looks at the submission ring only within that call, so that what it did not take
 * can be taken back.
 */
#include "net/sends.h"

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
 * as IORING_OP_SEND. */
#define FEATURES (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_FAST_POLL)

struct bq_sends {
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

static _Atomic uint32_t *word_at(const struct bq_sends *s, uint32_t offset)
{
    return (_Atomic uint32_t *)((char *)s->rings + offset);
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
static void find_words(struct bq_sends *s, const struct io_uring_params *p)
{
    uint32_t *array = (uint32_t *)((char *)s->rings + p->sq_off.array);
    for (uint32_t i = 0; i < p->sq_entries; i++)
        array[i] = i;
    s->sq_head = word_at(s, p->sq_off.head);
    s->sq_tail = word_at(s, p->sq_off.tail);
    s->cq_head = word_at(s, p->cq_off.head);
    s->cq_tail = word_at(s, p->cq_off.tail);
    s->sq_mask = p->sq_entries - 1;
    s->cq_mask = p->cq_entries - 1;
    s->results = (const struct io_uring_cqe *)((char *)s->rings + p->cq_off.cqes);
}

static bool open_ring(struct bq_sends *s)
{
    struct io_uring_params p = {0};
    if (BQ_FAULT(uring_setup))
        errno = EPERM;
    else
        s->fd = (int)syscall(SYS_io_uring_setup, BQ_SENDS_MAX, &p);
    if (s->fd < 0)
        return false;
    if ((p.features & FEATURES) != FEATURES) {
        errno = ENOSYS;
        return false;
    }
    s->rings_bytes = rings_bytes(&p);
    s->entries_bytes = p.sq_entries * sizeof *s->entries;
    s->rings = map(s->fd, s->rings_bytes, IORING_OFF_SQ_RING);
    s->entries = s->rings ? map(s->fd, s->entries_bytes, IORING_OFF_SQES) : NULL;
    if (!s->entries)
        return false;
    find_words(s, &p);
    return true;
}

struct bq_sends *bq_sends_new(void)
{
    struct bq_sends *s = bq_alloc_zero(sizeof *s);
    if (!s) {
        errno = ENOMEM;
        return NULL;
    }
    s->fd = -1;
    if (open_ring(s))
        return s;
    int saved_errno = errno;
    bq_sends_free(s);
    errno = saved_errno;
    return NULL;
}

void bq_sends_free(struct bq_sends *s)
{
    if (!s)
        return;
    if (s->entries)
        munmap(s->entries, s->entries_bytes);
    if (s->rings)
        munmap(s->rings, s->rings_bytes);
    if (s->fd >= 0)
        close(s->fd);
    bq_free(s);
}

/* Sending */

static void fill(struct io_uring_sqe *entry, const struct bq_send *send, uint32_t number)
{
    size_t n = BQ_FAULT(short_write) ? 1 : send->n;
    *entry = (struct io_uring_sqe){
        .opcode = IORING_OP_SEND,
        .fd = send->transport->watch.fd,
        .addr = (uintptr_t)send->bytes,
        .len = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX,
        .msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT,
        .user_data = number,
    };
}

static long enter(const struct bq_sends *s, uint32_t submit, uint32_t wait)
{
    long rc;
    do
        rc = syscall(SYS_io_uring_enter, s->fd, submit, wait, wait ? IORING_ENTER_GETEVENTS : 0,
                     NULL, 0);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* Gives: how many the kernel has taken, the first ones. */
static uint32_t submit(struct bq_sends *s, const struct bq_send *sends, uint32_t count)
{
    uint32_t tail = atomic_load_explicit(s->sq_tail, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++)
        fill(&s->entries[(tail + i) & s->sq_mask], &sends[i], i);
    atomic_store_explicit(s->sq_tail, tail + count, memory_order_release);
    if (!BQ_FAULT(uring_enter))
        enter(s, count, 0);
    uint32_t head = atomic_load_explicit(s->sq_head, memory_order_acquire);
    atomic_store_explicit(s->sq_tail, head, memory_order_release);
    return head - tail;
}

/* They are all there already, unless a kernel does otherwise than it says. */
static void collect(struct bq_sends *s, struct bq_send *sends, uint32_t taken)
{
    uint32_t head = atomic_load_explicit(s->cq_head, memory_order_relaxed);
    for (uint32_t end = head + taken; head != end; head++) {
        while (head == atomic_load_explicit(s->cq_tail, memory_order_acquire)) {
            long rc = enter(s, 0, 1);
            assert(rc >= 0);
            (void)rc;
        }
        const struct io_uring_cqe *result = &s->results[head & s->cq_mask];
        if (result->res > 0)
            sends[result->user_data].done = result->res;
        else if (result->res == -EAGAIN)
            sends[result->user_data].done = BQ_AGAIN;
    }
    atomic_store_explicit(s->cq_head, head, memory_order_release);
}

void bq_sends_run(struct bq_sends *s, struct bq_send *sends, unsigned count)
{
    assert(count <= BQ_SENDS_MAX);
    for (unsigned i = 0; i < count; i++) {
        assert(sends[i].transport->ops->plain && sends[i].n > 0);
        sends[i].done = 0;
    }
    if (count > 1)
        collect(s, sends, submit(s, sends, count));
    for (unsigned i = 0; i < count; i++) {
        struct bq_transport *t = sends[i].transport;
        if (sends[i].done == 0)
            sends[i].done = t->ops->write(t, sends[i].bytes, sends[i].n);
    }
}
