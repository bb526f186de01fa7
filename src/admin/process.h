/* process.h: what the kernel says of this process. */
#ifndef BQ_ADMIN_PROCESS_H
#define BQ_ADMIN_PROCESS_H

#include "admin/snapshot.h"

/* What cannot be had is 0. */
void bq_process_look(struct bq_process_shown *out);

#endif
