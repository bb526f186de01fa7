/*
 * source_files.h: the files that an application turned out to be made of, wherever they lie.
 *
 * A file stands here once for each name by which it can be exchanged: its own, that of every
 * symbolic link on the way to it, and what it is in the end. Which folder is watched for a name is
 * source_watch.c's.
 */
#ifndef BQ_SOURCE_FILES_H
#define BQ_SOURCE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define BQ_SOURCE_FILES_MAX 8192

struct bq_source_file {
    char *folder; /* without links */
    char *name;   /* in it */
    int watch;    /* the folder's descriptor; -1: it has none */
};

struct bq_source_files {
    struct bq_source_file *items;
    size_t count, room;
};

/* Adds the names of the file that are not there yet. A path that leads nowhere adds nothing. Fails:
 * BQ_MEMORY, BQ_LIMIT. */
int bq_source_files_add(struct bq_source_files *files, const char *path);

/* The file of that name in the folder of that watch, or NULL. */
const struct bq_source_file *bq_source_files_find(const struct bq_source_files *files, int watch,
                                                  const char *name);

/* The watch is gone, and those it was for have none. */
void bq_source_files_lose(struct bq_source_files *files, int watch);

void bq_source_files_release(struct bq_source_files *files);

#endif
