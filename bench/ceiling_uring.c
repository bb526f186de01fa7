/*
 * ceiling_uring.c: the bare server of ceiling.c on io_uring instead of epoll.
 *
 *   bench-ceiling-uring PORT FILE WORKERS    (0: any free port; prints its URL)
 *
 * One system call a turn: it submits the turn's answers, and waits for what has come. Accepting and
 * receiving are asked for once and go on by themselves, into buffers that the kernel chooses. A
 * peer that takes no answers is read from nevertheless: what is owed to it is only a number.
 */
#include "ceiling.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNS_MAX    4096 /* by descriptor */
#define ENTRIES      1024
#define RESULTS      4096
#define BUFFERS      512
#define BUFFER_BYTES 2048

enum what { ACCEPT, RECEIVE, SEND };

struct conn {
    struct tail tail;
    uint64_t owed_bytes;
    bool receiving, sending, ended;
};

struct ceiling {
    struct io_uring ring;
    struct io_uring_buf_ring *free_buffers;
    int returned; /* buffers, in this turn */
    int listener;
    struct answers answers;
    char buffers[BUFFERS][TAIL_BYTES + BUFFER_BYTES];
    struct conn conns[CONNS_MAX];
};

static void return_buffer(struct ceiling *c, unsigned number)
{
    io_uring_buf_ring_add(c->free_buffers, c->buffers[number] + TAIL_BYTES, BUFFER_BYTES,
                          (unsigned short)number, BUFFERS - 1, c->returned++);
}

static void open_ring(struct ceiling *c)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
                 IORING_SETUP_DEFER_TASKRUN,
        .cq_entries = RESULTS,
    };
    void *memory;
    if ((errno = -io_uring_queue_init_params(ENTRIES, &c->ring, &params)))
        die("io_uring");
    io_uring_register_ring_fd(&c->ring);
    if ((errno = posix_memalign(&memory, 4096, BUFFERS * sizeof(struct io_uring_buf))))
        die("memory");
    c->free_buffers = memory;
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)memory, .ring_entries = BUFFERS};
    if ((errno = -io_uring_register_buf_ring(&c->ring, &reg, 0)))
        die("buffers");
    io_uring_buf_ring_init(c->free_buffers);
    for (unsigned i = 0; i < BUFFERS; i++)
        return_buffer(c, i);
    io_uring_buf_ring_advance(c->free_buffers, c->returned);
    c->returned = 0;
}

static struct io_uring_sqe *entry(struct ceiling *c)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&c->ring);
    if (!sqe) {
        io_uring_submit(&c->ring);
        sqe = io_uring_get_sqe(&c->ring);
    }
    if (!sqe)
        die("no entry");
    return sqe;
}

static uint64_t label(int fd, enum what what)
{
    return (uint64_t)fd << 2 | what;
}

static void start_accepting(struct ceiling *c)
{
    struct io_uring_sqe *sqe = entry(c);
    io_uring_prep_multishot_accept(sqe, c->listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, label(c->listener, ACCEPT));
}

static void start_receiving(struct ceiling *c, int fd)
{
    struct io_uring_sqe *sqe = entry(c);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data64(sqe, label(fd, RECEIVE));
    c->conns[fd].receiving = true;
}

static void start_sending(struct ceiling *c, int fd)
{
    size_t n;
    struct conn *conn = &c->conns[fd];
    if (conn->sending || conn->ended || conn->owed_bytes == 0)
        return;
    const char *piece = answers_piece(&c->answers, conn->owed_bytes, &n);
    struct io_uring_sqe *sqe = entry(c);
    io_uring_prep_send(sqe, fd, piece, n, MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data64(sqe, label(fd, SEND));
    conn->sending = true;
}

/* Its descriptor stays its own until the kernel has nothing to do with it any more. */
static void end_conn(struct ceiling *c, int fd)
{
    struct conn *conn = &c->conns[fd];
    conn->ended = true;
    if (conn->receiving)
        shutdown(fd, SHUT_RDWR);
    else if (!conn->sending)
        close(fd);
}

static void on_accept(struct ceiling *c, const struct io_uring_cqe *cqe)
{
    if (cqe->res >= CONNS_MAX) {
        close(cqe->res);
    } else if (cqe->res >= 0) {
        c->conns[cqe->res] = (struct conn){0};
        start_receiving(c, cqe->res);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        start_accepting(c);
}

static void on_received(struct ceiling *c, int fd, const struct io_uring_cqe *cqe)
{
    struct conn *conn = &c->conns[fd];
    conn->receiving = cqe->flags & IORING_CQE_F_MORE;
    if (cqe->res > 0) {
        unsigned number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        conn->owed_bytes +=
            count_heads(&conn->tail, c->buffers[number] + TAIL_BYTES, (size_t)cqe->res) *
            c->answers.n;
        return_buffer(c, number);
        start_sending(c, fd);
    }
    if ((cqe->res <= 0 && cqe->res != -ENOBUFS) || conn->ended)
        end_conn(c, fd);
    else if (!conn->receiving)
        start_receiving(c, fd);
}

static void on_sent(struct ceiling *c, int fd, int res)
{
    struct conn *conn = &c->conns[fd];
    conn->sending = false;
    if (res > 0)
        conn->owed_bytes -= (uint64_t)res;
    if (res <= 0 || conn->ended)
        end_conn(c, fd);
    start_sending(c, fd);
}

static void run(struct ceiling *c)
{
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&c->ring, 1);
        io_uring_for_each_cqe(&c->ring, head, cqe)
        {
            uint64_t data = io_uring_cqe_get_data64(cqe);
            int fd = (int)(data >> 2);
            count++;
            if ((data & 3) == ACCEPT)
                on_accept(c, cqe);
            else if ((data & 3) == RECEIVE)
                on_received(c, fd, cqe);
            else
                on_sent(c, fd, cqe->res);
        }
        io_uring_buf_ring_advance(c->free_buffers, c->returned);
        c->returned = 0;
        io_uring_cq_advance(&c->ring, count);
    }
}

int main(int argc, char **argv)
{
    static struct ceiling c;
    unsigned long port, workers;
    if (argc != 4 || !read_numbers(argv, &port, &workers)) {
        fprintf(stderr, "usage: bench-ceiling-uring PORT FILE WORKERS\n");
        return 2;
    }
    answers_load(&c.answers, argv[2]);
    fork_others(workers);
    c.listener = listen_on((uint16_t)port, 0);
    open_ring(&c);
    start_accepting(&c);
    run(&c);
}
