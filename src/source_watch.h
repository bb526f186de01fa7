/*
 * source_watch.h: in development, reloads when a file of the application changes.
 *
 *   the folder of app.lua and those below it:  any source or template in them
 *   files that the application has loaded:     wherever they lie (source_files.h, lua_sources.h)
 *
 * A thread of its own watches the folders of both (inotify), in the first case but for hidden ones
 * and node_modules. A change asks for a reload (reload.h) by a SIGHUP to the process, once nothing
 * more has changed for a moment: editors and git write files in several steps, or put another file
 * in place of the old, so folders are watched and not files. Folders come and go, also the one
 * of app.lua: git and deployments make them anew.
 */
#ifndef BQ_SOURCE_WATCH_H
#define BQ_SOURCE_WATCH_H

#include "net/loop.h"
#include "source_files.h"

#include <pthread.h>

#define BQ_SOURCE_FOLDERS_MAX 4096

struct bq_source_watch {
    pthread_mutex_t lock; /* for files, folders and what the kernel knows of them */
    struct bq_source_files files;
    char **folders; /* by watch descriptor, which the kernel counts from 1; NULL: not one of the
                       application's own */
    int folder_count;
    int watched; /* of them */
    char *root;
    bool complained;

    struct bq_loop *loop;
    struct bq_watch watch;   /* the inotify descriptor; -1: there is none */
    struct bq_timer settled; /* set while something has changed */
    struct bq_timer again;   /* set while a file's folder is not there */
    struct bq_job stop_job;
    pthread_t thread;
    bool started;
};

void bq_source_watch_init(struct bq_source_watch *s);

/* Takes: stopped, and nobody notes anything more. */
void bq_source_watch_release(struct bq_source_watch *s);

/* The application is made of that file. What cannot be watched is said in the log, once. Thread:
 * any. */
void bq_source_watch_note(struct bq_source_watch *s, const char *path);

/* Watches the folder that the file is in, and what has been noted. Fails: BQ_SYSTEM, BQ_MEMORY,
 * logged: the server goes on without. */
int bq_source_watch_start(struct bq_source_watch *s, const char *app_path);

/* Harmless when it was not started. */
void bq_source_watch_stop(struct bq_source_watch *s);

/* Whether a change of a file of that name is one of the application. */
bool bq_source_is_watched(const char *name);

#endif
