/* nearest.h: how far apart two names are, for "did you mean". */
#ifndef BQ_NEAREST_H
#define BQ_NEAREST_H

#include "base/str.h"

/* Keeps the best of the names offered to it. */
struct bq_nearest {
    bq_str wanted;
    const char *best; /* NULL: none is near */
    unsigned distance;
};

/* Names further away than a third of the wanted one's length are no help. */
void bq_nearest_init(struct bq_nearest *n, bq_str wanted);
void bq_nearest_offer(struct bq_nearest *n, const char *name);

#endif
