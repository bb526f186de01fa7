/*
 * rc.h: the return codes of fallible functions, one list for every room.
 *
 * A fallible function returns int: BQ_OK or one of the negative values below.
 */
#ifndef BQ_BASE_RC_H
#define BQ_BASE_RC_H

enum bq_rc {
    BQ_OK = 0,
    BQ_AGAIN = -1,     /* nothing to do now; try when the descriptor is ready */
    BQ_EOF = -2,       /* the peer has ended its side */
    BQ_MEMORY = -3,    /* an allocation failed */
    BQ_SYSTEM = -4,    /* a system call failed; errno says why */
    BQ_INVALID = -5,   /* the input breaks its grammar */
    BQ_LIMIT = -6,     /* a configured limit is exceeded */
    BQ_NOT_FOUND = -7, /* no such thing */
    BQ_CONFLICT = -8,  /* it is there already */
};

/* The code as a lower-case phrase for messages, never NULL. */
const char *bq_rc_text(int rc);

#endif
