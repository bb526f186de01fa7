/*
 * check.h: `barq-server check`: an application loaded to see everything that is wrong with it.
 *
 * It neither serves nor runs a hook. Where the start of the server would end at the first mistake,
 * this goes on.
 */
#ifndef BQ_CHECK_H
#define BQ_CHECK_H

#include "config.h"

#include <stdio.h>

/* Prints each problem as a line of its own, "app.lua:12: …", then how many there are. Takes: config
 * takes up barq.config. Gives: whether there is none. */
bool bq_check(const char *app_path, struct bq_config *config, FILE *out);

#endif
