/*
 * command_line.h: what the words behind "barq-server" ask for.
 *
 *   barq-server [serve] app.lua [options]
 *   barq-server routes|check|openapi app.lua [options]
 *   barq-server test [specs]
 *   barq-server health [url] [options]
 *   barq-server reload [pid]
 *   barq-server new folder
 *   barq-server annotations [folder]
 *   barq-server --help | --version
 */
#ifndef BQ_COMMAND_LINE_H
#define BQ_COMMAND_LINE_H

#include "config.h"

#include <stdio.h>

enum bq_command {
    BQ_COMMAND_SERVE,
    BQ_COMMAND_ROUTES,
    BQ_COMMAND_CHECK,
    BQ_COMMAND_OPENAPI,
    BQ_COMMAND_TEST,
    BQ_COMMAND_HEALTH,
    BQ_COMMAND_RELOAD,
    BQ_COMMAND_NEW,
    BQ_COMMAND_ANNOTATIONS,
    BQ_COMMAND_HELP,
    BQ_COMMAND_VERSION,
};

struct bq_command_line {
    enum bq_command command;
    const char *app_path; /* points into argv; NULL for help and version. For test: the specs' file
                             or folder, or NULL; for health: the URL, or NULL; for reload: the
                             PID, or NULL; for new and annotations: the folder, or NULL */
    bool json;            /* for routes */
};

/* Options go into c. Fails: BQ_INVALID, BQ_MEMORY, and a sentence in error. */
int bq_command_line_parse(struct bq_command_line *line, struct bq_config *c, int argc,
                          char *const *argv, struct bq_config_error *error);

void bq_command_line_print_usage(FILE *out);
void bq_command_line_print_help(FILE *out);

#endif
