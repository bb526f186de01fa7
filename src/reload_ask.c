/* reload_ask.c: finds the server, asks by one signal, hears by another. */
#include "reload_ask.h"

#include "base/clock.h"
#include "base/rc.h"
#include "signals.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM  "barq-server"
#define SLICE_MS 100 /* between two looks whether the server is still there */

/* --- what the kernel says of a process -------------------------------------------------------- */

struct process {
    unsigned uid;             /* the effective one */
    uint64_t caught, pending; /* signals, as bits */
};

static bool read_link(pid_t pid, const char *what, char out[PATH_MAX])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    ssize_t n = readlink(path, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* The name of the program's file, which may have been replaced by a newer one since. */
static bool read_program(pid_t pid, char out[PATH_MAX])
{
    char path[PATH_MAX];
    if (!read_link(pid, "exe", path))
        return false;
    char *gone = strstr(path, " (deleted)");
    if (gone)
        *gone = 0;
    const char *slash = strrchr(path, '/');
    snprintf(out, PATH_MAX, "%s", slash ? slash + 1 : path);
    return true;
}

static bool read_process(pid_t pid, struct process *p)
{
    char path[64], line[256];
    *p = (struct process){.uid = 0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "SigCgt:", 7) == 0)
            p->caught = strtoull(line + 7, NULL, 16);
        else if (strncmp(line, "ShdPnd:", 7) == 0)
            p->pending = strtoull(line + 7, NULL, 16);
        else
            sscanf(line, "Uid: %*u %u", &p->uid);
    }
    fclose(f);
    return true;
}

static bool has(uint64_t signals, int number)
{
    return signals >> (number - 1) & 1;
}

/* Other commands, which the signal would end, do not catch it. */
static bool serves(const struct process *p)
{
    return has(p->caught, SIGHUP);
}

/* --- which one -------------------------------------------------------------------------------- */

static bool is_candidate(pid_t pid)
{
    char program[PATH_MAX];
    struct process p;
    return pid != getpid() && read_program(pid, program) && strcmp(program, PROGRAM) == 0 &&
           read_process(pid, &p) && serves(&p);
}

/* Writes their numbers, "12, 34", and the last one to found. */
static unsigned find_servers(pid_t *found, char *text, size_t max)
{
    unsigned count = 0;
    size_t n = 0;
    struct dirent *entry;
    DIR *dir = opendir("/proc");
    while (dir && (entry = readdir(dir))) {
        pid_t pid =
            isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;
        if (pid <= 0 || !is_candidate(pid))
            continue;
        *found = pid;
        if (n < max)
            n += (size_t)snprintf(text + n, max - n, "%s%d", count ? ", " : "", (int)pid);
        count++;
    }
    if (dir)
        closedir(dir);
    return count;
}

int bq_reload_find(const char *number, pid_t *pid, struct bq_config_error *error)
{
    char text[128];
    uint64_t n;
    if (number) {
        if (bq_str_u64(bq_str_cstr(number), &n) != BQ_OK || n == 0 || n > INT_MAX)
            return bq_config_fail(error, BQ_INVALID, "\"%.80s\" is not the number of a process",
                                  number);
        *pid = (pid_t)n;
        return BQ_OK;
    }
    unsigned count = find_servers(pid, text, sizeof text);
    if (count == 1)
        return BQ_OK;
    if (count == 0)
        return bq_config_fail(error, BQ_INVALID,
                              "no " PROGRAM
                              " serves that this user can see: say which with its PID");
    return bq_config_fail(error, BQ_INVALID, "%u of them serve (%s): say which with its PID", count,
                          text);
}

/* --- asking ----------------------------------------------------------------------------------- */

static int check_program(pid_t pid, struct bq_config_error *error)
{
    char program[PATH_MAX], ours[PATH_MAX], its[PATH_MAX];
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return bq_config_fail(error, BQ_INVALID, "there is no process %d", (int)pid);
    if (!read_program(pid, program))
        return bq_config_fail(error, BQ_INVALID, "process %d cannot be looked at: %s", (int)pid,
                              strerror(errno));
    if (strcmp(program, PROGRAM) != 0)
        return bq_config_fail(error, BQ_INVALID, "process %d is \"%.80s\", no " PROGRAM, (int)pid,
                              program);
    if (!read_link(getpid(), "ns/pid", ours) || !read_link(pid, "ns/pid", its) ||
        strcmp(ours, its) == 0)
        return BQ_OK;
    return bq_config_fail(
        error, BQ_INVALID,
        "process %d is in a container, which hears and answers only its own processes: run "
        "this command there",
        (int)pid);
}

/* Two that are pending at once would be one to the server, and one of those who asked would wait
 * in vain. */
static int wait_for_turn(pid_t pid, uint64_t deadline_ms, struct bq_config_error *error)
{
    const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
    struct process p;
    for (;;) {
        if (!read_process(pid, &p))
            return bq_config_fail(error, BQ_SYSTEM, "process %d has ended", (int)pid);
        if (!serves(&p))
            return bq_config_fail(error, BQ_INVALID,
                                  "process %d does not serve: it runs another command", (int)pid);
        if (!has(p.pending, SIGHUP))
            return BQ_OK;
        if (bq_clock_ms() >= deadline_ms)
            return bq_config_fail(error, BQ_SYSTEM, "process %d has other reloads to do first",
                                  (int)pid);
        nanosleep(&slice, NULL);
    }
}

static int become_user_of(pid_t pid, struct bq_config_error *error)
{
    struct process p;
    if (geteuid() != 0 || !read_process(pid, &p) || setresuid(p.uid, p.uid, p.uid) == 0)
        return BQ_OK;
    return bq_config_fail(error, BQ_SYSTEM, "cannot become the user %u of process %d: %s", p.uid,
                          (int)pid, strerror(errno));
}

/* A failed reload is no answer, but an outcome. */
static int wait_for_answer(pid_t pid, uint64_t deadline_ms, int *outcome,
                           struct bq_config_error *error)
{
    while (bq_clock_ms() < deadline_ms) {
        if (bq_signals_wait_answer(pid, SLICE_MS, outcome))
            return BQ_OK;
        if (kill(pid, 0) != 0 && errno == ESRCH)
            return bq_config_fail(error, BQ_SYSTEM, "process %d has ended", (int)pid);
    }
    return bq_config_fail(error, BQ_SYSTEM,
                          "process %d has not come to the end of it yet: its log will tell",
                          (int)pid);
}

const char *bq_reload_outcome_text(int outcome)
{
    switch (outcome) {
    case BQ_SIGNALS_TOO_EARLY:
        return "it starts or ends, and does not serve";
    case BQ_RELOAD_DONE:
        return NULL;
    case BQ_RELOAD_NOT_LOADED:
        return "the new code does not load";
    case BQ_RELOAD_NOT_READY:
        return "a \"worker\" hook of the new code failed or took too long";
    case BQ_RELOAD_BUSY:
        return "the last reload has not come to its end in every worker";
    default:
        return "it answers what this version does not know";
    }
}

int bq_reload_ask(pid_t pid, uint32_t ms_max, struct bq_config_error *error)
{
    uint64_t deadline_ms = bq_clock_ms() + ms_max;
    int outcome;
    int rc = check_program(pid, error);
    if (rc == BQ_OK)
        rc = become_user_of(pid, error);
    if (rc == BQ_OK)
        rc = wait_for_turn(pid, deadline_ms, error);
    if (rc != BQ_OK)
        return rc;
    if (bq_signals_ask(pid, SIGHUP) != BQ_OK)
        return bq_config_fail(error, BQ_SYSTEM, "process %d cannot be asked: %s", (int)pid,
                              strerror(errno));
    rc = wait_for_answer(pid, deadline_ms, &outcome, error);
    const char *problem = rc == BQ_OK ? bq_reload_outcome_text(outcome) : NULL;
    if (!problem)
        return rc;
    return bq_config_fail(
        error, BQ_INVALID, "process %d: %s%s", (int)pid, problem,
        outcome == BQ_SIGNALS_TOO_EARLY ? "" : "; the old goes on, and its log says more");
}
