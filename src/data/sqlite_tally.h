/* sqlite_tally.h: how many statements a worker has run; it alone counts, any thread may read. */
#ifndef BQ_DATA_SQLITE_TALLY_H
#define BQ_DATA_SQLITE_TALLY_H

#include "base/counter.h"

struct bq_sqlite_tally {
    struct bq_counter statements; /* parts of transactions too */
    struct bq_counter failed;
    struct bq_counter waited;    /* those that were not done at once: a helper thread did them */
    struct bq_counter waited_us; /* … which took so long in all, waiting for their turn included */
};

#endif
