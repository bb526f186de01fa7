/* ceiling_start.c: what the bare servers share, before their loops and beside them. */
#include "ceiling.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 65536
#define COPIES_BYTES_MAX (1024 * 1024) /* at most this much in one write */
#define HEAD_END         "\r\n\r\n"
#define WORKERS_MAX      64

void die(const char *what)
{
    fprintf(stderr, "bench-ceiling: %s: %s\n", what, strerror(errno));
    exit(1);
}

void answers_load(struct answers *a, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path);
    a->bytes = malloc(COPIES_BYTES_MAX);
    if (!a->bytes)
        die("memory");
    a->n = fread(a->bytes, 1, ANSWER_BYTES_MAX, file);
    fclose(file);
    if (a->n == 0)
        die("the answer is empty");
    a->copies = COPIES_BYTES_MAX / a->n;
    for (size_t i = 1; i < a->copies; i++)
        memcpy(a->bytes + i * a->n, a->bytes, a->n);
}

const char *answers_piece(const struct answers *a, uint64_t owed_bytes, size_t *n)
{
    size_t left = (size_t)(owed_bytes % a->n); /* of a half-sent answer */
    size_t from = left ? a->n - left : 0;
    *n = a->copies * a->n - from;
    if (*n > owed_bytes)
        *n = (size_t)owed_bytes;
    return a->bytes + from;
}

/* Every accepted socket inherits TCP_NODELAY. */
int listen_on(uint16_t port, int socket_flags)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | socket_flags, 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("bind");
    if (listen(fd, SOMAXCONN) < 0)
        die("listen");
    socklen_t n = sizeof addr;
    if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0)
        die("getsockname");
    printf("http://127.0.0.1:%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

void fork_others(unsigned long workers)
{
    for (unsigned long i = 1; i < workers; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            return;
        }
    }
}

size_t count_heads(struct tail *tail, char *p, size_t n)
{
    const char *end = p + n, *found;
    size_t heads = 0;
    p -= tail->n;
    memcpy(p, tail->bytes, tail->n);
    while ((found = memmem(p, (size_t)(end - p), HEAD_END, sizeof HEAD_END - 1))) {
        heads++;
        p += found - p + (ptrdiff_t)sizeof HEAD_END - 1;
    }
    n = (size_t)(end - p);
    tail->n = n < TAIL_BYTES ? (unsigned)n : TAIL_BYTES;
    memcpy(tail->bytes, end - tail->n, tail->n);
    return heads;
}

bool read_numbers(char **argv, unsigned long *port, unsigned long *workers)
{
    *port = strtoul(argv[1], NULL, 10);
    *workers = strtoul(argv[3], NULL, 10);
    return *port <= UINT16_MAX && *workers >= 1 && *workers <= WORKERS_MAX;
}
