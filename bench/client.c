/*
 * client.c: sends one request again and again over one connection.
 *
 *   bench-client PORT COUNT < request > last-answer
 *
 * Each request leaves in one write, after the answer to the one before. An answer is
 * a 2xx with Content-Length, or none and no body; anything else ends with status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BYTES_MAX    (1024 * 1024) /* of a request or an answer */
#define WAIT_SECONDS 30

struct message {
    size_t n;
    char bytes[BYTES_MAX + 1]; /* ends with NUL */
};

static void die(const char *what)
{
    fprintf(stderr, "bench-client: %s\n", what);
    exit(1);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
        connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die(strerror(errno));
    return fd;
}

/* The size of the whole answer, or 0 while its head is not complete. */
static size_t answer_size(const struct message *m)
{
    const char *end = strstr(m->bytes, "\r\n\r\n");
    if (!end)
        return 0;
    const char *field = strcasestr(m->bytes, "\r\ncontent-length:");
    size_t head = (size_t)(end - m->bytes) + 4;
    return head + (field && field < end ? strtoul(field + 17, NULL, 10) : 0);
}

static void receive(int fd, struct message *m)
{
    size_t size = 0;
    m->n = 0;
    while (size == 0 || m->n < size) {
        ssize_t n = read(fd, m->bytes + m->n, BYTES_MAX - m->n);
        if (n <= 0)
            die(n < 0 ? strerror(errno) : "the connection ended, or the answer is too long");
        m->n += (size_t)n;
        m->bytes[m->n] = '\0';
        size = answer_size(m);
    }
    if (m->n > size || strncmp(m->bytes, "HTTP/1.1 2", 10) != 0) {
        fprintf(stderr, "%s\n", m->bytes);
        die("not the answer that was expected");
    }
}

int main(int argc, char **argv)
{
    static struct message request, answer;
    unsigned long port = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (port == 0 || port > UINT16_MAX || count <= 0) {
        fprintf(stderr, "usage: bench-client PORT COUNT < request > last-answer\n");
        return 2;
    }
    request.n = fread(request.bytes, 1, BYTES_MAX, stdin);
    int fd = connect_to((uint16_t)port);
    for (long i = 0; i < count; i++) {
        if (write(fd, request.bytes, request.n) != (ssize_t)request.n)
            die("the request was not taken");
        receive(fd, &answer);
    }
    return fwrite(answer.bytes, 1, answer.n, stdout) == answer.n ? 0 : 1;
}
