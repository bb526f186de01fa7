/* activation.c: LISTEN_FDS and LISTEN_PID. */
#include "activation.h"

#include "base/rc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The variables are inherited, and may be meant for a program that started this one. */
static bool is_for_us(void)
{
    const char *pid = getenv("LISTEN_PID");
    uint64_t number;
    return pid && bq_str_u64(bq_str_cstr(pid), &number) == BQ_OK && number == (uint64_t)getpid();
}

static int read_count(const char *text, unsigned *count, struct bq_config_error *error)
{
    uint64_t number;
    if (bq_str_u64(bq_str_cstr(text), &number) != BQ_OK || number > BQ_LISTEN_MAX) {
        snprintf(error->text, sizeof error->text,
                 "LISTEN_FDS: \"%.80s\" is no number of sockets from 0 to %d", text, BQ_LISTEN_MAX);
        return BQ_INVALID;
    }
    *count = (unsigned)number;
    return BQ_OK;
}

/* Before the application can start a program. That they are listening sockets shows later. */
static int keep(unsigned count, struct bq_config_error *error)
{
    for (int fd = BQ_ACTIVATION_FIRST; fd < BQ_ACTIVATION_FIRST + (int)count; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
            continue;
        snprintf(error->text, sizeof error->text,
                 "LISTEN_FDS says %u, but descriptor %d is not open", count, fd);
        return BQ_INVALID;
    }
    return BQ_OK;
}

int bq_activation_take(unsigned *count, struct bq_config_error *error)
{
    const char *text = getenv("LISTEN_FDS");
    *count = 0;
    int rc = text && is_for_us() ? read_count(text, count, error) : BQ_OK;
    if (rc == BQ_OK)
        rc = keep(*count, error);
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    return rc;
}
