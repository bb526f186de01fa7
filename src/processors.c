/* processors.c: the scheduler's mask, and the control group's quota. */
#include "processors.h"

#include "base/rc.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define GROUPS "/sys/fs/cgroup"

/* The file's beginning, without white space at the end; empty if there is none. */
static bq_str read_start(const char *path, char *out, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, out, n);
    if (fd >= 0)
        close(fd);
    return bq_str_trim(bq_str_of(out, got > 0 ? (size_t)got : 0));
}

/* cgroups(7): "0::/path", as this process's namespace sees it: "/" in a container. */
static bool find_quota_file(char *out, size_t n)
{
    char text[1024];
    bq_str line = read_start("/proc/self/cgroup", text, sizeof text);
    if (!bq_str_starts(line, BQ_STR("0::/")) || bq_str_find(line, '\n', 0) < line.n)
        return false;
    return snprintf(out, n, GROUPS "%.*s/cpu.max", (int)line.n - 3, line.p + 3) < (int)n;
}

unsigned bq_processors_of_quota(bq_str text, unsigned most)
{
    uint64_t quota, period;
    size_t space = bq_str_find(text, ' ', 0);
    if (space >= text.n || bq_str_u64(bq_str_of(text.p, space), &quota) != BQ_OK ||
        bq_str_u64(bq_str_of(text.p + space + 1, text.n - space - 1), &period) != BQ_OK ||
        quota == 0 || period == 0)
        return most;
    uint64_t n = quota / period + (quota % period != 0);
    return n < most ? (unsigned)n : most;
}

unsigned bq_processors_count(unsigned most)
{
    char path[1200], text[64];
    cpu_set_t set;
    unsigned n = most;
    /* It fails where the kernel knows more processors than the set has bits. */
    if (sched_getaffinity(0, sizeof set, &set) == 0 && (unsigned)CPU_COUNT(&set) < most)
        n = (unsigned)CPU_COUNT(&set);
    if (!find_quota_file(path, sizeof path))
        return n;
    return bq_processors_of_quota(read_start(path, text, sizeof text), n);
}
