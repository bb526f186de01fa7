/*
 * project.h: the files that barq-server writes for people: a new project, and what an editor
 * wants to know of barq.
 */
#ifndef BQ_PROJECT_H
#define BQ_PROJECT_H

#include "config.h"

#include <stddef.h>

/* A file that the build put into the server; a list ends with a NULL path. */
struct bq_file {
    const char *path; /* below the project's folder */
    const unsigned char *bytes;
    size_t n;
};
extern const struct bq_file bq_project_files[]; /* templates/project; "{{name}}" is its name */
extern const struct bq_file bq_meta_files[];    /* lua/meta */

/* Makes a project in the folder, which may be there, and its annotations. Fails: BQ_INVALID (the
 * folder's name is no name, or a file is in the way: nothing is written), BQ_SYSTEM, BQ_MEMORY;
 * a sentence in error, and what was written is gone again. */
int bq_project_new(const char *folder, struct bq_config_error *error);

/* Writes barq's annotated modules below the folder, over those of an earlier version. Fails:
 * BQ_SYSTEM, BQ_MEMORY, and error. */
int bq_project_annotate(const char *folder, struct bq_config_error *error);

#endif
