/* notify.c: NOTIFY_SOCKET, WATCHDOG_USEC and the datagrams. */
#include "notify.h"

#include "base/log.h"
#include "base/rc.h"
#include "base/str.h"
#include "net/dial.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESSAGE_MAX 501

static void read_path(struct bq_notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || !*path)
        return;
    size_t length = strlen(path);
    if ((*path != '/' && *path != '@') || length < 2 || length >= sizeof n->path)
        bq_warn("NOTIFY_SOCKET: \"%.200s\" names no UNIX socket: that is a path beginning with "
                "\"/\", or \"@\" and a name, of up to %d bytes",
                path, BQ_NOTIFY_PATH_MAX - 1);
    else
        snprintf(n->path, sizeof n->path, "%s", path);
}

static void read_watchdog(struct bq_notify *n)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t number;
    if (!us || !*n->path)
        return;
    if (pid && (bq_str_u64(bq_str_cstr(pid), &number) != BQ_OK || number != (uint64_t)getpid()))
        return;
    if (bq_str_u64(bq_str_cstr(us), &number) != BQ_OK)
        bq_warn("WATCHDOG_USEC: \"%.80s\" is no number of microseconds", us);
    else
        n->watchdog_ms = number > 0 && number < 1000 ? 1 : number / 1000;
}

void bq_notify_init(struct bq_notify *n)
{
    *n = (struct bq_notify){.path = ""};
    read_path(n);
    read_watchdog(n);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void bq_notify_say(struct bq_notify *n, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list ap;
    if (!*n->path)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    bool was_deaf = n->deaf;
    n->deaf = bq_datagram_send(bq_str_cstr(n->path), bq_str_cstr(text)) != BQ_OK;
    if (n->deaf && !was_deaf)
        bq_warn("the service manager does not hear \"%.20s\" at %s: %s", text, n->path,
                strerror(errno));
}
