/*
 * docs_ui.h: the files of the docs page, as the build put them into the server.
 *
 * Their bytes come from an npm package (docs-ui/, cmake/DocsUi.cmake); the pages and routes around
 * them are lua/barq/docs.lua. A build without them has an empty table.
 */
#ifndef BQ_DOCS_UI_H
#define BQ_DOCS_UI_H

#include "vm/lua.h"

#include <stddef.h>

/* The list ends with a NULL name. */
struct bq_docs_file {
    const char *name;   /* "start.js" */
    const char *hashed; /* "start-0123456789ab.js": the name changes with the content */
    const char *type;   /* for Content-Type */
    const unsigned char *bytes;
    size_t n;
    const unsigned char *gzip; /* the same, compressed */
    size_t gzip_n;
};
extern const struct bq_docs_file bq_docs_files[];

/* Pushes the module barq.docs.core. Raises: on memory exhaustion. */
int bq_docs_ui_open(lua_State *L);

#endif
