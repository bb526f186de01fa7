/*
 * test_run.h: `barq-server test`: busted over an application's specs, with barq.testing at hand.
 */
#ifndef BQ_TEST_RUN_H
#define BQ_TEST_RUN_H

#include <stdbool.h>

/* Runs the specs of a file or folder (NULL: of the usual folders). Gives: whether all are well;
 * if not, standard output or standard error says why. */
bool bq_test_run(const char *specs);

#endif
