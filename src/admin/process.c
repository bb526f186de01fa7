/* process.c: /proc/self, read (proc(5)). */
#include "admin/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static bool read_file(const char *path, char *out, size_t n)
{
    FILE *f = fopen(path, "re");
    size_t used = f ? fread(out, 1, n - 1, f) : 0;
    if (f)
        fclose(f);
    out[used] = 0;
    return used > 0;
}

/* When the machine was started, in seconds since the epoch. */
static double boot_s(void)
{
    struct timespec real, boot;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (double)(real.tv_sec - boot.tv_sec) + (double)(real.tv_nsec - boot.tv_nsec) / 1e9;
}

/* The fields behind the name, which may hold anything: the state is the first. */
static void look_at_stat(struct bq_process_shown *out)
{
    unsigned long long start = 0, virtual_bytes = 0;
    unsigned long user = 0, system = 0;
    long threads = 0, pages = 0;
    char text[1024];
    double ticks = (double)sysconf(_SC_CLK_TCK);
    const char *fields =
        read_file("/proc/self/stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    if (!fields || sscanf(fields,
                          ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d "
                          "%ld %*d %llu %llu %ld",
                          &user, &system, &threads, &start, &virtual_bytes, &pages) != 6)
        return;
    out->cpu_user_s = (double)user / ticks;
    out->cpu_system_s = (double)system / ticks;
    out->threads = (uint64_t)threads;
    out->started_s = boot_s() + (double)start / ticks;
    out->virtual_bytes = virtual_bytes;
    out->resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    uint64_t n = 0;
    if (!dir)
        return 0;
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n - 1; /* the directory itself */
}

void bq_process_look(struct bq_process_shown *out)
{
    struct rlimit limit;
    *out = (struct bq_process_shown){0};
    look_at_stat(out);
    out->descriptors = count_descriptors();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        out->descriptors_max = limit.rlim_cur;
}
