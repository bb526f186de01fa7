/*
 * source_watch.h: in development, reloads when a file of the application changes.
 *
 * A thread of its own watches the folder of app.lua and those below it (inotify), but for hidden
 * ones and node_modules. A change of a source or template asks for a reload (reload.h) by a SIGHUP
 * to the process, once nothing more has changed for a moment: editors and git write files in
 * several steps. Folders come and go, the one of app.lua too: git and deployments make them anew.
 */
#ifndef BQ_SOURCE_WATCH_H
#define BQ_SOURCE_WATCH_H

#include "net/loop.h"

#include <limits.h>
#include <pthread.h>

#define BQ_SOURCE_FOLDERS_MAX 4096

struct bq_source_watch {
    struct bq_loop *loop;
    struct bq_watch watch;   /* the inotify descriptor; -1: there is none */
    struct bq_timer settled; /* set while something has changed */
    struct bq_timer again;   /* set while the folder itself is gone: it may be made again */
    struct bq_job stop_job;
    pthread_t thread;
    bool started;
    char **folders; /* by watch descriptor, which the kernel counts from 1; NULL: not watched */
    int folder_count;
    int watched;         /* of them */
    int root;            /* the descriptor of the folder of app.lua; 0: there is none */
    char path[PATH_MAX]; /* its */
};

/* Watches the folder that the file is in. Fails: BQ_SYSTEM, BQ_MEMORY, logged: the server goes on
 * without. */
int bq_source_watch_start(struct bq_source_watch *s, const char *app_path);

/* Harmless when it was not started. */
void bq_source_watch_stop(struct bq_source_watch *s);

/* Whether a change of a file of that name is one of the application. */
bool bq_source_is_watched(const char *name);

#endif
