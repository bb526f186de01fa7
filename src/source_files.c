/* source_files.c: a list that is looked through: it is for development, and changes are rare. */
#include "source_files.h"

#include "base/mem.h"
#include "base/rc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_known(const struct bq_source_files *files, const char *folder, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].name, name) == 0 && strcmp(files->items[i].folder, folder) == 0)
            return true;
    return false;
}

static char *copy_of(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = bq_alloc(n);
    return copy ? memcpy(copy, text, n) : NULL;
}

static int make_room(struct bq_source_files *files)
{
    if (files->count < files->room)
        return BQ_OK;
    if (files->count == BQ_SOURCE_FILES_MAX)
        return BQ_LIMIT;
    size_t room = files->room ? 2 * files->room : 64;
    struct bq_source_file *items = bq_realloc(files->items, room * sizeof *items);
    if (!items)
        return BQ_MEMORY;
    files->items = items;
    files->room = room;
    return BQ_OK;
}

static int add(struct bq_source_files *files, const char *folder, const char *name)
{
    if (is_known(files, folder, name))
        return BQ_OK;
    int rc = make_room(files);
    if (rc != BQ_OK)
        return rc;
    struct bq_source_file file = {copy_of(folder), copy_of(name), -1};
    if (!file.folder || !file.name) {
        bq_free(file.folder);
        bq_free(file.name);
        return BQ_MEMORY;
    }
    files->items[files->count++] = file;
    return BQ_OK;
}

/* The first n bytes of the path, which end in a name. */
static int add_name(struct bq_source_files *files, const char *path, size_t n)
{
    char start[PATH_MAX], folder[PATH_MAX];
    size_t at = n;
    while (at > 0 && path[at - 1] != '/')
        at--;
    snprintf(start, sizeof start, "%.*s", at ? (int)at : 1, at ? path : ".");
    if (!realpath(start, folder))
        return BQ_OK;
    snprintf(start, sizeof start, "%.*s", (int)(n - at), path + at);
    return add(files, folder, start);
}

static bool is_link(const char *path, size_t n)
{
    char start[PATH_MAX];
    struct stat st;
    snprintf(start, sizeof start, "%.*s", (int)n, path);
    return lstat(start, &st) == 0 && S_ISLNK(st.st_mode);
}

int bq_source_files_add(struct bq_source_files *files, const char *path)
{
    char real[PATH_MAX];
    size_t length = strlen(path);
    int rc = BQ_OK;
    if (length == 0 || length >= PATH_MAX || !realpath(path, real))
        return BQ_OK;
    for (size_t n = 1; rc == BQ_OK && n < length; n++)
        if (path[n] == '/' && path[n - 1] != '/' && is_link(path, n))
            rc = add_name(files, path, n);
    if (rc == BQ_OK)
        rc = add_name(files, path, length);
    return rc == BQ_OK ? add_name(files, real, strlen(real)) : rc;
}

const struct bq_source_file *bq_source_files_find(const struct bq_source_files *files, int watch,
                                                  const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].watch == watch && strcmp(files->items[i].name, name) == 0)
            return &files->items[i];
    return NULL;
}

void bq_source_files_lose(struct bq_source_files *files, int watch)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].watch == watch)
            files->items[i].watch = -1;
}

void bq_source_files_release(struct bq_source_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        bq_free(files->items[i].folder);
        bq_free(files->items[i].name);
    }
    bq_free(files->items);
    *files = (struct bq_source_files){.items = NULL};
}
