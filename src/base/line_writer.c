/*
 * line_writer.c: rings with one producer and one consumer each, and the thread that
 * empties them.
 *
 * A ring's positions only grow; a byte lies at its position modulo the size. The
 * producer publishes a whole line by storing tail, the writer frees space by
 * storing head.
 */
#include "base/line_writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* How long lines are gathered, and the least time between two notices. */
#define GATHER_MS 50
#define NOTICE_MS 1000

/* What a pipe takes without waiting when poll(2) has reported it writable. */
#define PIPE_CHUNK_BYTES ((size_t)PIPE_BUF)

/* The two sides write to cache lines of their own. */
struct lane {
    atomic_size_t tail;
    atomic_uint_fast64_t dropped;
    char *bytes;
    char apart[64];
    atomic_size_t head;
    char apart_from_next[64];
};

struct bq_line_writer {
    const char *name;
    int fd;
    unsigned lane_count;
    size_t lane_bytes, chunk_bytes_max;
    struct lane *lanes;
    atomic_bool asleep; /* a producer must wake the thread */
    pthread_t thread;
    pthread_mutex_t lock; /* protects the three flags */
    pthread_cond_t wake, ended;
    bool stopping, has_ended, abandoned;
    /* The thread's own: */
    bool failing; /* the last write failed, and the log says so */
    uint64_t noticed, lost_before;
    struct timespec notice_after;
    atomic_uint_fast64_t lost; /* lines that a failed write took along */
};

static struct timespec time_after(unsigned ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static bool has_passed(const struct timespec *t)
{
    struct timespec now = time_after(0);
    return now.tv_sec != t->tv_sec ? now.tv_sec > t->tv_sec : now.tv_nsec >= t->tv_nsec;
}

/* The bytes from one position to another, in at most two pieces. */
static int ring_pieces(const struct bq_line_writer *w, const struct lane *l, size_t from, size_t to,
                       struct iovec out[static 2])
{
    size_t at = from & (w->lane_bytes - 1), n = to - from;
    size_t first = n < w->lane_bytes - at ? n : w->lane_bytes - at;
    out[0] = (struct iovec){l->bytes + at, first};
    out[1] = (struct iovec){l->bytes, n - first};
    return n > first ? 2 : 1;
}

static void wake(struct bq_line_writer *w)
{
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

bool bq_line_writer_put(struct bq_line_writer *w, unsigned lane, bq_str line)
{
    assert(lane < w->lane_count);
    struct lane *l = &w->lanes[lane];
    struct iovec to[2];
    size_t tail = atomic_load_explicit(&l->tail, memory_order_relaxed);
    size_t used = tail - atomic_load_explicit(&l->head, memory_order_acquire);
    if (line.n > w->lane_bytes - used) {
        atomic_fetch_add_explicit(&l->dropped, 1, memory_order_relaxed);
        return false;
    }
    ring_pieces(w, l, tail, tail + line.n, to);
    memcpy(to[0].iov_base, line.p, to[0].iov_len);
    memcpy(to[1].iov_base, line.p + to[0].iov_len, to[1].iov_len);
    /* Sequentially consistent, as are the thread's "asleep, then look at the tails":
     * one of the two sees what the other has done. */
    atomic_store(&l->tail, tail + line.n);
    size_t half = w->lane_bytes / 2;
    if (atomic_load(&w->asleep) || (used < half && used + line.n >= half))
        wake(w);
    return true;
}

static uint64_t dropped_by_lanes(const struct bq_line_writer *w)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < w->lane_count; i++)
        n += atomic_load_explicit(&w->lanes[i].dropped, memory_order_relaxed);
    return n;
}

uint64_t bq_line_writer_dropped(const struct bq_line_writer *w)
{
    return dropped_by_lanes(w) + atomic_load_explicit(&w->lost, memory_order_relaxed);
}

/* The fullest lane's bytes. */
static size_t fill(const struct bq_line_writer *w)
{
    size_t most = 0;
    for (unsigned i = 0; i < w->lane_count; i++) {
        size_t n = atomic_load(&w->lanes[i].tail) - atomic_load(&w->lanes[i].head);
        most = n > most ? n : most;
    }
    return most;
}

static void give_notice(struct bq_line_writer *w, bool at_once)
{
    uint64_t dropped = dropped_by_lanes(w);
    if (dropped == w->noticed || (!at_once && !has_passed(&w->notice_after)))
        return;
    bq_warn("%s: lines dropped: %llu, they are not read as fast as they come", w->name,
            (unsigned long long)(dropped - w->noticed));
    w->noticed = dropped;
    w->notice_after = time_after(NOTICE_MS);
}

/* Waits for the reader, and says meanwhile what that costs. */
static void wait_until_writable(struct bq_line_writer *w)
{
    struct pollfd p = {.fd = w->fd, .events = POLLOUT};
    while (poll(&p, 1, NOTICE_MS) == 0)
        give_notice(w, false);
}

/* Standard output may be non-blocking, as its other users like it. */
static ssize_t write_some(struct bq_line_writer *w, const struct iovec *pieces, int count)
{
    for (;;) {
        wait_until_writable(w);
        ssize_t n = writev(w->fd, pieces, count);
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return n;
    }
}

static size_t count_lines(const struct iovec *pieces, int count)
{
    size_t lines = 0;
    for (int i = 0; i < count; i++) {
        const char *at = pieces[i].iov_base, *end = at + pieces[i].iov_len;
        while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
            lines++;
            at++;
        }
    }
    return lines;
}

static void note_failure(struct bq_line_writer *w, int error, size_t lines)
{
    char text[128];
    if (!w->failing) {
        w->lost_before = atomic_load_explicit(&w->lost, memory_order_relaxed);
        bq_error("%s: lines are lost, they cannot be written: %s", w->name,
                 strerror_r(error, text, sizeof text));
    }
    w->failing = true;
    atomic_fetch_add_explicit(&w->lost, lines, memory_order_relaxed);
}

static void note_success(struct bq_line_writer *w)
{
    uint64_t lost = atomic_load_explicit(&w->lost, memory_order_relaxed) - w->lost_before;
    if (w->failing)
        bq_warn("%s: lines can be written again, lost: %llu", w->name, (unsigned long long)lost);
    w->failing = false;
}

static void write_lane(struct bq_line_writer *w, struct lane *l)
{
    struct iovec pieces[2];
    size_t head = atomic_load_explicit(&l->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&l->tail, memory_order_acquire);
    while (head != tail) {
        size_t chunk = tail - head < w->chunk_bytes_max ? tail - head : w->chunk_bytes_max;
        int count = ring_pieces(w, l, head, head + chunk, pieces);
        ssize_t n = write_some(w, pieces, count);
        if (n < 0)
            note_failure(w, errno, count_lines(pieces, count));
        else
            note_success(w);
        head += n < 0 ? chunk : (size_t)n;
        atomic_store_explicit(&l->head, head, memory_order_release);
    }
}

/* Gathers lines for a moment, or sleeps until there are any. False: time to end. */
static bool rest(struct bq_line_writer *w)
{
    bool more;
    pthread_mutex_lock(&w->lock);
    if (fill(w) == 0) {
        atomic_store(&w->asleep, true);
        while (!w->stopping && fill(w) == 0)
            pthread_cond_wait(&w->wake, &w->lock);
        atomic_store(&w->asleep, false);
    }
    struct timespec until = time_after(GATHER_MS);
    while (!w->stopping && fill(w) < w->lane_bytes / 2 &&
           pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
        continue;
    more = !w->stopping;
    pthread_mutex_unlock(&w->lock);
    return more;
}

static void release(struct bq_line_writer *w)
{
    for (unsigned i = 0; w->lanes && i < w->lane_count; i++)
        bq_free(w->lanes[i].bytes);
    bq_free(w->lanes);
    pthread_cond_destroy(&w->ended);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    bq_free(w);
}

static void *run(void *arg)
{
    struct bq_line_writer *w = arg;
    bool more;
    do {
        more = rest(w);
        for (unsigned i = 0; i < w->lane_count; i++)
            write_lane(w, &w->lanes[i]);
        give_notice(w, !more);
    } while (more);
    pthread_mutex_lock(&w->lock);
    w->has_ended = true;
    bool abandoned = w->abandoned;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    if (abandoned)
        release(w);
    return NULL;
}

static void init_sync(struct bq_line_writer *w)
{
    pthread_mutex_init(&w->lock, NULL);
    bq_clock_cond_init(&w->wake);
    bq_clock_cond_init(&w->ended);
}

static bool is_pipe(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

static bool init_lanes(struct bq_line_writer *w)
{
    w->lanes = bq_alloc_zero(w->lane_count * sizeof *w->lanes);
    for (unsigned i = 0; w->lanes && i < w->lane_count; i++)
        if (!(w->lanes[i].bytes = bq_alloc(w->lane_bytes)))
            return false;
    return w->lanes;
}

struct bq_line_writer *bq_line_writer_open(const char *name, int fd, unsigned lanes,
                                           size_t lane_bytes)
{
    assert(lanes > 0 && lane_bytes > 0 && (lane_bytes & (lane_bytes - 1)) == 0);
    struct bq_line_writer *w = bq_alloc_zero(sizeof *w);
    if (!w)
        return NULL;
    w->name = name;
    w->fd = fd;
    w->lane_count = lanes;
    w->lane_bytes = lane_bytes;
    w->chunk_bytes_max = is_pipe(fd) ? PIPE_CHUNK_BYTES : lane_bytes;
    init_sync(w);
    int error = init_lanes(w) ? bq_thread_start(&w->thread, "barq-lines", 0, run, w) : ENOMEM;
    if (error) {
        release(w);
        errno = error;
        return NULL;
    }
    return w;
}

bool bq_line_writer_close(struct bq_line_writer *w, unsigned wait_ms)
{
    struct timespec until = time_after(wait_ms);
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    while (!w->has_ended && pthread_cond_timedwait(&w->ended, &w->lock, &until) == 0)
        continue;
    bool ended = w->has_ended;
    pthread_t thread = w->thread;
    w->abandoned = !ended;
    pthread_mutex_unlock(&w->lock);
    if (!ended) {
        pthread_detach(thread);
        return false;
    }
    pthread_join(thread, NULL);
    release(w);
    return true;
}
