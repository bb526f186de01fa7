/* source_watch.c: watches folders and asks for a reload. */
#include "source_watch.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/str.h"
#include "base/thread.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLE_MS 50
#define AGAIN_MS  250 /* between two looks whether a folder is there again */
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

/* --- what cannot be watched ------------------------------------------------------------------- */

static const char *way_out(int reason)
{
    if (reason == ENOSPC)
        return ": this user has as many watches as may be; raise fs.inotify.max_user_watches "
               "(sysctl)";
    if (reason == EMFILE)
        return ": this user has as many watchers as may be; raise fs.inotify.max_user_instances "
               "(sysctl)";
    return "";
}

/* Once: where one folder cannot be watched, others will not be either. */
static void complain(struct bq_source_watch *s, const char *path, int reason)
{
    if (!s->complained)
        bq_warn("changes in \"%s\" are not noticed, and perhaps in others: %s%s", path,
                strerror(reason), way_out(reason));
    s->complained = true;
}

/* The descriptor, or -1: there is no such folder, or it is said why not. */
static int watch_folder(struct bq_source_watch *s, const char *path)
{
    int descriptor = -1;
    errno = ENOSPC;
    if (!BQ_FAULT(watch))
        descriptor = inotify_add_watch(s->watch.fd, path, CHANGES | IN_ONLYDIR | IN_DONT_FOLLOW);
    if (descriptor < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        complain(s, path, errno);
    return descriptor;
}

/* --- the application's folders ---------------------------------------------------------------- */

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

static bool is_looked_into(const char *name)
{
    return *name != '.' && strcmp(name, "node_modules") != 0;
}

static int add_folder(struct bq_source_watch *s, const char *path, int depth);

/* Links are not followed, which might lead in circles; some file systems do not tell what is one.
 */
static int add_below(struct bq_source_watch *s, const char *path, int depth)
{
    int rc = BQ_OK;
    struct dirent *entry;
    DIR *dir = opendir(path);
    while (dir && rc == BQ_OK && (entry = readdir(dir))) {
        char below[PATH_MAX];
        bool perhaps = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
        int n = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (perhaps && is_looked_into(entry->d_name) && n > 0 && (size_t)n < sizeof below)
            rc = add_folder(s, below, depth + 1);
    }
    if (dir)
        closedir(dir);
    return rc;
}

/* A folder that is gone meanwhile is none. */
static int add_folder(struct bq_source_watch *s, const char *path, int depth)
{
    int descriptor = watch_folder(s, path);
    if (descriptor < 0)
        return BQ_OK;
    bool is_new = descriptor >= s->folder_count || !s->folders[descriptor];
    if (is_new && s->watched >= BQ_SOURCE_FOLDERS_MAX)
        return BQ_LIMIT;
    int rc = keep(s, descriptor, path);
    return rc == BQ_OK && depth < DEPTH_MAX ? add_below(s, path, depth) : rc;
}

static int add_root(struct bq_source_watch *s)
{
    int rc = add_folder(s, s->root, 0);
    if (rc != BQ_LIMIT)
        return rc;
    bq_warn("there are more than %d folders in %s: changes in the others are not noticed",
            BQ_SOURCE_FOLDERS_MAX, s->root);
    return BQ_OK;
}

/* --- files that were loaded ------------------------------------------------------------------- */

/* Whether there was a folder for one that had none. */
static bool watch_files(struct bq_source_watch *s)
{
    bool found = false;
    for (size_t i = 0; i < s->files.count; i++) {
        struct bq_source_file *file = &s->files.items[i];
        if (file->watch >= 0)
            continue;
        if (strcmp(file->folder, s->root) == 0)
            add_root(s);
        file->watch = watch_folder(s, file->folder);
        found |= file->watch >= 0;
    }
    return found;
}

static bool is_any_lost(const struct bq_source_watch *s)
{
    for (size_t i = 0; i < s->files.count; i++)
        if (s->files.items[i].watch < 0)
            return true;
    return false;
}

void bq_source_watch_note(struct bq_source_watch *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    size_t count = s->files.count;
    if (bq_source_files_add(&s->files, path) != BQ_OK && !s->complained) {
        bq_warn("changes of \"%s\" are not noticed: more than %d files, or no memory", path,
                BQ_SOURCE_FILES_MAX);
        s->complained = true;
    }
    if (s->watch.fd >= 0 && s->files.count > count)
        watch_files(s);
    pthread_mutex_unlock(&s->lock);
}

/* --- changes ---------------------------------------------------------------------------------- */

static void set_timer(struct bq_source_watch *s, struct bq_timer *timer, unsigned ms)
{
    bq_timer_clear(bq_loop_wheel(s->loop), timer);
    bq_timer_set(bq_loop_wheel(s->loop), timer, bq_loop_now_ms(s->loop) + ms);
}

static void note_change(struct bq_source_watch *s)
{
    set_timer(s, &s->settled, SETTLE_MS);
}

static const char *folder_of_event(const struct bq_source_watch *s, const struct inotify_event *e)
{
    return e->wd > 0 && e->wd < s->folder_count ? s->folders[e->wd] : NULL;
}

/* What is in a new folder may have come before the watch. */
static void add_new(struct bq_source_watch *s, const struct inotify_event *e)
{
    char path[PATH_MAX];
    const char *folder = folder_of_event(s, e);
    if (!folder || !is_looked_into(e->name))
        return;
    int n = snprintf(path, sizeof path, "%s/%s", folder, e->name);
    if (n > 0 && (size_t)n < sizeof path && add_folder(s, path, 1) == BQ_OK)
        note_change(s);
}

/* It has been removed or renamed: the kernel follows the folder, and files are found by its name.
 */
static void lose(struct bq_source_watch *s, const struct inotify_event *e)
{
    if (folder_of_event(s, e) && e->mask & IN_IGNORED) {
        bq_free(s->folders[e->wd]);
        s->folders[e->wd] = NULL;
        s->watched--;
    }
    bq_source_files_lose(&s->files, e->wd);
}

/* A file that is made will be written, and closed then; a link is all there is. */
static bool is_link(const struct bq_source_file *file)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", file->folder, file->name);
    return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static bool is_of_application(const struct bq_source_watch *s, const struct inotify_event *e)
{
    const struct bq_source_file *file = bq_source_files_find(&s->files, e->wd, e->name);
    if (e->mask & IN_CREATE)
        return file && is_link(file);
    return file || (folder_of_event(s, e) && bq_source_is_watched(e->name));
}

static void on_change(struct bq_source_watch *s, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW)
        note_change(s);
    else if (e->mask & (IN_IGNORED | IN_MOVE_SELF))
        lose(s, e);
    else if (e->mask & IN_ISDIR && e->mask & (IN_CREATE | IN_MOVED_TO))
        add_new(s, e);
    else if (e->len && !(e->mask & IN_ISDIR) && is_of_application(s, e))
        note_change(s);
}

/* Takes: the lock. */
static void look_again(struct bq_source_watch *s)
{
    if (watch_files(s))
        note_change(s);
    if (is_any_lost(s))
        set_timer(s, &s->again, AGAIN_MS);
}

static void on_readable(struct bq_watch *w, uint32_t events)
{
    struct bq_source_watch *s = BQ_CONTAINER(w, struct bq_source_watch, watch);
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n = read(w->fd, buffer, sizeof buffer);
    (void)events;
    pthread_mutex_lock(&s->lock);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(buffer + at);
        on_change(s, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
    if (is_any_lost(s))
        look_again(s);
    pthread_mutex_unlock(&s->lock);
}

static void on_again(struct bq_timer *t)
{
    struct bq_source_watch *s = BQ_CONTAINER(t, struct bq_source_watch, again);
    pthread_mutex_lock(&s->lock);
    look_again(s);
    pthread_mutex_unlock(&s->lock);
}

static void on_settled(struct bq_timer *t)
{
    (void)t;
    kill(getpid(), SIGHUP);
}

/* --- the thread ------------------------------------------------------------------------------- */

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

void bq_source_watch_init(struct bq_source_watch *s)
{
    *s = (struct bq_source_watch){.watch = {.fd = -1, .fn = on_readable}};
    s->settled.fn = on_settled;
    s->again.fn = on_again;
    s->stop_job.fn = on_stop;
    pthread_mutex_init(&s->lock, NULL);
}

static void close_watch(struct bq_source_watch *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->watch.fd >= 0) {
        bq_loop_remove(s->loop, &s->watch);
        close(s->watch.fd);
        s->watch.fd = -1;
    }
    pthread_mutex_unlock(&s->lock);
    if (s->loop)
        bq_loop_free(s->loop);
    s->loop = NULL;
}

void bq_source_watch_release(struct bq_source_watch *s)
{
    for (int i = 0; i < s->folder_count; i++)
        bq_free(s->folders[i]);
    bq_free(s->folders);
    bq_free(s->root);
    bq_source_files_release(&s->files);
    pthread_mutex_destroy(&s->lock);
}

/* The folder of the file, by the name that has no links in it. */
static int find_root(struct bq_source_watch *s, const char *app_path)
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(app_path, '/');
    if (slash)
        snprintf(folder, PATH_MAX, "%.*s", slash > app_path ? (int)(slash - app_path) : 1,
                 app_path);
    else
        snprintf(folder, PATH_MAX, ".");
    if (!realpath(folder, real))
        return BQ_SYSTEM;
    size_t n = strlen(real) + 1;
    s->root = bq_alloc(n);
    if (!s->root)
        return BQ_MEMORY;
    memcpy(s->root, real, n);
    return BQ_OK;
}

/* Takes: the lock. */
static int prepare(struct bq_source_watch *s, const char *app_path)
{
    s->loop = bq_loop_new();
    if (!s->loop)
        return BQ_MEMORY;
    int rc = find_root(s, app_path);
    if (rc != BQ_OK)
        return rc;
    s->watch.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (s->watch.fd < 0)
        return BQ_SYSTEM;
    rc = bq_loop_add(s->loop, &s->watch, BQ_READ);
    if (rc == BQ_OK)
        rc = add_root(s);
    if (rc == BQ_OK)
        rc = bq_source_files_add(&s->files, app_path); /* whose folder may be made anew */
    if (rc == BQ_OK)
        watch_files(s);
    return rc;
}

int bq_source_watch_start(struct bq_source_watch *s, const char *app_path)
{
    errno = ENOMEM; /* where no system call says otherwise */
    pthread_mutex_lock(&s->lock);
    int rc = prepare(s, app_path);
    int reason = rc == BQ_MEMORY ? ENOMEM : errno;
    pthread_mutex_unlock(&s->lock);
    if (rc == BQ_OK) {
        reason = bq_thread_start(&s->thread, "barq-sources", 0, run, s);
        rc = reason ? BQ_SYSTEM : BQ_OK;
    }
    if (rc != BQ_OK) {
        bq_warn("changes of files are not noticed: %s%s", strerror(reason), way_out(reason));
        close_watch(s);
        return rc;
    }
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
    close_watch(s);
}
