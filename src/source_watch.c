/* source_watch.c: watches folders and asks for a reload. */
#include "source_watch.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_MS 50
#define AGAIN_MS  200
#define DEPTH_MAX 16
#define CHANGES \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF)

bool bq_source_is_watched(const char *name)
{
    static const char *const endings[] = {".lua",  ".html", ".htm",  ".etlua",    ".tmpl",
                                          ".tpl",  ".sql",  ".json", ".mustache", ".moon",
                                          ".teal", ".tl",   ".fnl"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && *name != '.' && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* --- folders ---------------------------------------------------------------------------------- */

/* Keeps the path under the descriptor. */
static int keep(struct bq_source_watch *s, int descriptor, const char *path)
{
    size_t n = strlen(path) + 1;
    char *copy = bq_alloc(n);
    if (!copy)
        return BQ_MEMORY;
    memcpy(copy, path, n);
    if (descriptor >= s->folder_count) {
        int count = 2 * descriptor;
        char **folders = bq_realloc(s->folders, (size_t)count * sizeof *folders);
        if (!folders) {
            bq_free(copy);
            return BQ_MEMORY;
        }
        memset(folders + s->folder_count, 0, (size_t)(count - s->folder_count) * sizeof *folders);
        s->folders = folders;
        s->folder_count = count;
    }
    s->watched += !s->folders[descriptor];
    bq_free(s->folders[descriptor]);
    s->folders[descriptor] = copy;
    return BQ_OK;
}

static void forget(struct bq_source_watch *s, int descriptor)
{
    if (descriptor <= 0 || descriptor >= s->folder_count || !s->folders[descriptor])
        return;
    bq_free(s->folders[descriptor]);
    s->folders[descriptor] = NULL;
    s->watched--;
}

static bool is_looked_into(const char *name)
{
    return *name != '.' && strcmp(name, "node_modules") != 0;
}

static int add_folder(struct bq_source_watch *s, const char *path, int depth);

static int add_below(struct bq_source_watch *s, const char *path, int depth)
{
    int rc = BQ_OK;
    struct dirent *entry;
    DIR *dir = opendir(path);
    while (dir && rc == BQ_OK && (entry = readdir(dir))) {
        char below[PATH_MAX];
        int n = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR && is_looked_into(entry->d_name) && n > 0 &&
            (size_t)n < sizeof below)
            rc = add_folder(s, below, depth + 1);
    }
    if (dir)
        closedir(dir);
    return rc;
}

/* A folder that is gone meanwhile is none. */
static int add_folder(struct bq_source_watch *s, const char *path, int depth)
{
    int descriptor = inotify_add_watch(s->watch.fd, path, CHANGES | IN_ONLYDIR);
    if (descriptor < 0)
        return errno == ENOENT || errno == ENOTDIR ? BQ_OK : BQ_SYSTEM;
    if (depth == 0)
        s->root = descriptor;
    bool is_new = descriptor >= s->folder_count || !s->folders[descriptor];
    if (is_new && s->watched >= BQ_SOURCE_FOLDERS_MAX) {
        inotify_rm_watch(s->watch.fd, descriptor);
        return BQ_LIMIT;
    }
    int rc = keep(s, descriptor, path);
    return rc == BQ_OK && depth < DEPTH_MAX ? add_below(s, path, depth) : rc;
}

/* --- changes ---------------------------------------------------------------------------------- */

static void note_change(struct bq_source_watch *s)
{
    bq_timer_clear(bq_loop_wheel(s->loop), &s->settled);
    bq_timer_set(bq_loop_wheel(s->loop), &s->settled, bq_loop_now_ms(s->loop) + SETTLE_MS);
}

/* What is in a new folder may have come before the watch. */
static void add_new(struct bq_source_watch *s, const struct inotify_event *e)
{
    char path[PATH_MAX];
    const char *folder = e->wd > 0 && e->wd < s->folder_count ? s->folders[e->wd] : NULL;
    if (!folder || !is_looked_into(e->name))
        return;
    int n = snprintf(path, sizeof path, "%s/%s", folder, e->name);
    if (n > 0 && (size_t)n < sizeof path && add_folder(s, path, 1) == BQ_OK)
        note_change(s);
}

/* A folder is removed, or that of app.lua is elsewhere. */
static void lose(struct bq_source_watch *s, const struct inotify_event *e)
{
    bool is_root = e->wd == s->root;
    if (e->mask & IN_IGNORED)
        forget(s, e->wd);
    else if (is_root)
        inotify_rm_watch(s->watch.fd, e->wd);
    if (!is_root)
        return;
    s->root = 0;
    bq_timer_set(bq_loop_wheel(s->loop), &s->again, bq_loop_now_ms(s->loop) + AGAIN_MS);
}

static void on_again(struct bq_timer *t)
{
    struct bq_source_watch *s = BQ_CONTAINER(t, struct bq_source_watch, again);
    add_folder(s, s->path, 0);
    if (s->root)
        note_change(s);
    else
        bq_timer_set(bq_loop_wheel(s->loop), t, bq_loop_now_ms(s->loop) + AGAIN_MS);
}

static void on_change(struct bq_source_watch *s, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW)
        note_change(s);
    else if (e->mask & (IN_IGNORED | IN_MOVE_SELF))
        lose(s, e);
    else if (e->mask & IN_ISDIR && e->mask & (IN_CREATE | IN_MOVED_TO))
        add_new(s, e);
    else if (e->len && !(e->mask & (IN_ISDIR | IN_CREATE)) && bq_source_is_watched(e->name))
        note_change(s);
}

static void on_readable(struct bq_watch *w, uint32_t events)
{
    struct bq_source_watch *s = BQ_CONTAINER(w, struct bq_source_watch, watch);
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n = read(w->fd, buffer, sizeof buffer);
    (void)events;
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(buffer + at);
        on_change(s, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
}

static void on_settled(struct bq_timer *t)
{
    (void)t;
    kill(getpid(), SIGHUP);
}

/* --- the thread ---------------------------------------------------------------------------------
 */

static void *run(void *arg)
{
    struct bq_source_watch *s = arg;
    bq_loop_run(s->loop);
    return NULL;
}

static void on_stop(struct bq_job *job)
{
    bq_loop_stop(BQ_CONTAINER(job, struct bq_source_watch, stop_job)->loop);
}

static void release(struct bq_source_watch *s)
{
    if (s->watch.fd >= 0) {
        bq_loop_remove(s->loop, &s->watch);
        close(s->watch.fd);
    }
    if (s->loop)
        bq_loop_free(s->loop);
    for (int i = 0; i < s->folder_count; i++)
        bq_free(s->folders[i]);
    bq_free(s->folders);
}

static void folder_of(const char *app_path, char out[PATH_MAX])
{
    const char *slash = strrchr(app_path, '/');
    if (slash == app_path)
        snprintf(out, PATH_MAX, "/");
    else if (slash)
        snprintf(out, PATH_MAX, "%.*s", (int)(slash - app_path), app_path);
    else
        snprintf(out, PATH_MAX, ".");
}

static int prepare(struct bq_source_watch *s, const char *app_path)
{
    folder_of(app_path, s->path);
    s->loop = bq_loop_new();
    if (!s->loop)
        return BQ_MEMORY;
    s->watch.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (s->watch.fd < 0)
        return BQ_SYSTEM;
    int rc = bq_loop_add(s->loop, &s->watch, BQ_READ);
    if (rc == BQ_OK)
        rc = add_folder(s, s->path, 0);
    if (rc != BQ_LIMIT)
        return rc;
    bq_warn("there are more than %d folders in %s: changes in the others are not noticed",
            BQ_SOURCE_FOLDERS_MAX, s->path);
    return BQ_OK;
}

int bq_source_watch_start(struct bq_source_watch *s, const char *app_path)
{
    *s = (struct bq_source_watch){.watch = {.fd = -1, .fn = on_readable}};
    s->settled.fn = on_settled;
    s->again.fn = on_again;
    s->stop_job.fn = on_stop;
    errno = ENOMEM; /* where no system call says otherwise */
    int rc = prepare(s, app_path);
    if (rc == BQ_OK && pthread_create(&s->thread, NULL, run, s) != 0)
        rc = BQ_SYSTEM;
    if (rc != BQ_OK) {
        bq_warn("changes of files are not noticed: %s", strerror(errno));
        release(s);
        return rc;
    }
    pthread_setname_np(s->thread, "barq-sources");
    s->started = true;
    return BQ_OK;
}

void bq_source_watch_stop(struct bq_source_watch *s)
{
    if (!s->started)
        return;
    bq_loop_post(s->loop, &s->stop_job);
    pthread_join(s->thread, NULL);
    s->started = false;
    bq_timer_clear(bq_loop_wheel(s->loop), &s->settled);
    bq_timer_clear(bq_loop_wheel(s->loop), &s->again);
    release(s);
}
