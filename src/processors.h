/*
 * processors.h: how many processors this process may use.
 *
 * A container is usually given a share of a big machine not by processors but by time: with
 * --cpus=2 it sees 64, and is stopped for the rest of each tenth of a second once its threads have
 * used up two processors' worth. More workers than that only use it up sooner.
 */
#ifndef BQ_PROCESSORS_H
#define BQ_PROCESSORS_H

#include "base/str.h"

/* Those that the thread may run on, or fewer if its control group has less time; from 1 to most. */
unsigned bq_processors_count(unsigned most);

/* How many the text of cpu.max (cgroup v2) amounts to, rounded up: "150000 100000" is 2. Gives
 * most where there is no limit, or the text is something else. */
unsigned bq_processors_of_quota(bq_str text, unsigned most);

#endif
