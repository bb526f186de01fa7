/* listeners.c: opening every endpoint for every worker, and saying what is in the way. */
#include "listeners.h"

#include "base/mem.h"
#include "base/rc.h"
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_unix(const struct bq_listener *l)
{
    return l->endpoint.sa.sa_family == AF_UNIX;
}

/* "http://127.0.0.1:8000" as "port 8000 on 127.0.0.1", "unix:/path" as "socket /path". */
static void describe(const struct bq_listener *l, char *out, size_t n)
{
    char text[BQ_ENDPOINT_TEXT_MAX];
    bq_endpoint_text(&l->endpoint, text);
    char *host = strstr(text, "://"), *colon = strrchr(text, ':');
    if (is_unix(l) || !host) {
        snprintf(out, n, "socket %s", colon ? colon + 1 : text);
        return;
    }
    *colon = 0;
    snprintf(out, n, "port %s on %s", colon + 1, host + 3);
}

/* By which options an endpoint's port, or path, and its address are chosen. */
struct choice {
    const char *port, *host;
};

static int refuse(const struct bq_listener *l, struct choice choice, int reason,
                  struct bq_config_error *error)
{
    char what[BQ_ENDPOINT_TEXT_MAX + 16];
    describe(l, what, sizeof what);
    if (reason == EADDRINUSE)
        snprintf(error->text, sizeof error->text,
                 "%s is in use: stop the other program or choose another %s with %s", what,
                 is_unix(l) ? "path" : "port", choice.port);
    else if (reason == EACCES && !is_unix(l))
        snprintf(error->text, sizeof error->text,
                 "%s needs privileges (CAP_NET_BIND_SERVICE): choose a port from 1024 on with %s",
                 what, choice.port);
    else if (reason == EADDRNOTAVAIL)
        snprintf(error->text, sizeof error->text,
                 "%s: this machine does not have the address: choose another with %s", what,
                 choice.host);
    else
        snprintf(error->text, sizeof error->text, "%s cannot be opened: %s", what,
                 strerror(reason));
    return BQ_SYSTEM;
}

static int duplicate(struct bq_listener *l, unsigned workers)
{
    for (unsigned i = 1; i < workers; i++)
        if ((l->fds[i] = fcntl(l->fds[0], F_DUPFD_CLOEXEC, 3)) < 0)
            return BQ_SYSTEM;
    return BQ_OK;
}

static int open_unix(struct bq_listener *l, unsigned workers, int backlog)
{
    struct stat st;
    if (bq_listen(&l->endpoint, false, backlog, &l->fds[0]) != BQ_OK)
        return BQ_SYSTEM;
    if (stat(l->endpoint.un.sun_path, &st) == 0) {
        l->device = st.st_dev;
        l->inode = st.st_ino;
    }
    return duplicate(l, workers);
}

/* SO_REUSEPORT would share the port with another program of this user, hence the probe. */
static int open_tcp(struct bq_listener *l, unsigned workers, int backlog)
{
    int probe;
    if (bq_listen(&l->endpoint, false, backlog, &probe) != BQ_OK)
        return BQ_SYSTEM;
    close(probe);
    for (unsigned i = 0; i < workers; i++)
        if (bq_listen(&l->endpoint, true, backlog, &l->fds[i]) != BQ_OK)
            return BQ_SYSTEM;
    return BQ_OK;
}

static int parse(struct bq_listener *l, const struct bq_config *c, bool listed, size_t i,
                 struct bq_config_error *error)
{
    char reason[256];
    int rc = listed ? bq_endpoint_parse(&l->endpoint, c->listen.items[i], reason)
                    : bq_endpoint_set(&l->endpoint, c->host, (uint16_t)c->port, reason);
    if (rc != BQ_OK)
        snprintf(error->text, sizeof error->text, "cannot listen: %s", reason);
    return rc;
}

/* The item's sockets, none of them open yet. */
static int add_item(struct bq_listeners *all, struct bq_listener *l, struct bq_config_error *error)
{
    l->fds = bq_alloc(all->workers * sizeof *l->fds);
    if (!l->fds) {
        snprintf(error->text, sizeof error->text, "out of memory");
        return BQ_MEMORY;
    }
    for (unsigned w = 0; w < all->workers; w++)
        l->fds[w] = -1;
    all->count++;
    return BQ_OK;
}

/* Its endpoint is set. */
static int open_item(struct bq_listeners *all, struct bq_listener *l, struct choice choice,
                     int backlog, struct bq_config_error *error)
{
    int rc = add_item(all, l, error);
    if (rc != BQ_OK)
        return rc;
    rc = is_unix(l) ? open_unix(l, all->workers, backlog) : open_tcp(l, all->workers, backlog);
    return rc == BQ_OK ? rc : refuse(l, choice, errno, error);
}

int bq_listeners_open(struct bq_listeners *l, const struct bq_config *c, unsigned workers,
                      struct bq_config_error *error)
{
    bool listed = bq_config_uses_listen(c);
    const struct choice choice = {listed ? "--listen" : "--port", listed ? "--listen" : "--host"};
    size_t count = listed ? c->listen.count : 1;
    int rc = BQ_OK;
    *l = (struct bq_listeners){.workers = workers};
    for (size_t i = 0; i < count && rc == BQ_OK; i++) {
        rc = parse(&l->items[i], c, listed, i, error);
        if (rc == BQ_OK)
            rc = open_item(l, &l->items[i], choice, (int)c->backlog, error);
    }
    if (rc != BQ_OK)
        bq_listeners_close(l);
    return rc;
}

int bq_listeners_open_one(struct bq_listeners *l, const char *option, bq_str endpoint, int backlog,
                          struct bq_config_error *error)
{
    char reason[256];
    *l = (struct bq_listeners){.workers = 1};
    if (bq_endpoint_parse(&l->items[0].endpoint, endpoint, reason) != BQ_OK)
        return bq_config_fail(error, BQ_INVALID, "%s: %s", option, reason);
    int rc = open_item(l, &l->items[0], (struct choice){option, option}, backlog, error);
    if (rc != BQ_OK)
        bq_listeners_close(l);
    return rc;
}

static int inherit_item(struct bq_listeners *all, int fd, struct bq_config_error *error)
{
    struct bq_listener *l = &all->items[all->count];
    int rc = add_item(all, l, error);
    if (rc != BQ_OK) {
        close(fd);
        return rc;
    }
    l->inherited = true;
    l->fds[0] = fd;
    rc = bq_listener_inherit(fd, &l->endpoint);
    if (rc == BQ_INVALID)
        snprintf(error->text, sizeof error->text,
                 "descriptor %d of the service manager (LISTEN_FDS) is no stream socket that "
                 "listens: use ListenStream= without Accept=yes",
                 fd);
    else if (rc != BQ_OK || (rc = duplicate(l, all->workers)) != BQ_OK)
        snprintf(error->text, sizeof error->text,
                 "descriptor %d of the service manager (LISTEN_FDS) cannot be used: %s", fd,
                 strerror(errno));
    return rc;
}

int bq_listeners_inherit(struct bq_listeners *l, int first, unsigned count, unsigned workers,
                         struct bq_config_error *error)
{
    int rc = BQ_OK;
    *l = (struct bq_listeners){.workers = workers};
    for (unsigned i = 0; i < count; i++) {
        if (rc == BQ_OK)
            rc = inherit_item(l, first + (int)i, error);
        else
            close(first + (int)i);
    }
    if (rc != BQ_OK)
        bq_listeners_close(l);
    return rc;
}

int bq_listeners_take(struct bq_listeners *l, size_t item, unsigned worker)
{
    int fd = l->items[item].fds[worker];
    l->items[item].fds[worker] = -1;
    return fd;
}

bool bq_listeners_is_shared(const struct bq_listeners *l, size_t item)
{
    return is_unix(&l->items[item]) || l->items[item].inherited;
}

/* Another program may have put its own socket there meanwhile. */
static void remove_file(const struct bq_listener *l)
{
    struct stat st;
    const char *path = l->endpoint.un.sun_path;
    if (l->inode && stat(path, &st) == 0 && st.st_ino == l->inode && st.st_dev == l->device)
        unlink(path);
}

void bq_listeners_close(struct bq_listeners *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct bq_listener *item = &l->items[i];
        if (is_unix(item))
            remove_file(item);
        for (unsigned w = 0; w < l->workers; w++)
            if (item->fds[w] >= 0)
                close(item->fds[w]);
        bq_free(item->fds);
    }
    l->count = 0;
}

void bq_listeners_text(const struct bq_listeners *l, char out[static BQ_LISTENERS_TEXT_MAX])
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < l->count && n < BQ_LISTENERS_TEXT_MAX; i++) {
        char text[BQ_ENDPOINT_TEXT_MAX];
        bq_endpoint_text(&l->items[i].endpoint, text);
        n += (size_t)snprintf(out + n, BQ_LISTENERS_TEXT_MAX - n, "%s%s", i ? ", " : "", text);
    }
}
