/*
 * sqlite.h: one connection to an SQLite database: statements in, packed rows out. No Lua, no
 * threads of its own; one thread uses it at a time.
 *
 *   parameter: 'N' null │ 'I' int64 │ 'D' double │ ('T' text │ 'B' blob) length:u32 bytes
 *   named one: name_length:u32 name, then the parameter
 *   row:       a value for each column, written like a parameter
 *   names:     length:u32 bytes for each column
 *
 * Numbers are in the machine's byte order. Rows are packed, so that a thread which must not
 * touch the Lua state can run a statement.
 */
#ifndef BQ_DATA_SQLITE_H
#define BQ_DATA_SQLITE_H

#include "base/buf.h"

#include <stdatomic.h>
#include <stdint.h>

struct bq_sqlite;

enum bq_sqlite_journal {
    BQ_SQLITE_WAL,
    BQ_SQLITE_DELETE,
    BQ_SQLITE_TRUNCATE,
    BQ_SQLITE_PERSIST,
    BQ_SQLITE_MEMORY,
    BQ_SQLITE_OFF,
};

/* In SQLite's own numbering. */
enum bq_sqlite_synchronous {
    BQ_SQLITE_SYNC_OFF,
    BQ_SQLITE_SYNC_NORMAL,
    BQ_SQLITE_SYNC_FULL,
    BQ_SQLITE_SYNC_EXTRA,
};

struct bq_sqlite_options {
    enum bq_sqlite_journal journal;
    enum bq_sqlite_synchronous synchronous;
    bool read_only, create, foreign_keys;
    uint32_t busy_ms;        /* how long a statement waits for another process's or worker's lock */
    size_t statements_max;   /* prepared ones that are kept */
    size_t result_bytes_max; /* what one statement may read, packed */
};

/* One statement to run, and how it went. */
struct bq_sqlite_call {
    bq_str sql;
    struct bq_buf params;
    uint32_t param_count;
    bool named;       /* the parameters have names */
    bool script;      /* sql may be several statements, or none */
    bool one;         /* only the first row is wanted */
    atomic_bool stop; /* set by any thread: end soon, with an error */

    struct bq_buf names, rows;
    uint32_t columns;
    size_t row_count;
    int64_t changes, last_id; /* last_id: of the connection's last insert */
    int code;                 /* SQLite's extended result code, after BQ_INVALID */
    struct bq_buf message;
};

/* The buffers keep their memory; what was asked and answered is gone. */
void bq_sqlite_call_reset(struct bq_sqlite_call *call);
void bq_sqlite_call_release(struct bq_sqlite_call *call);

/* "SQLITE_CONSTRAINT_UNIQUE". Never NULL. */
const char *bq_sqlite_code_name(int code);

/* Whether the statement begins as one that reads. It may write nevertheless: "with … insert". */
bool bq_sqlite_seems_to_read(bq_str sql);

/* A connection that is opened when it is first used. A reader refuses to write, and leaves the
 * journal's mode as it is. Fails: NULL without memory. */
struct bq_sqlite *bq_sqlite_new(const char *path, const struct bq_sqlite_options *options,
                                bool reader);

/* Rolls back what is open, and closes the database; the next use would open it again. */
void bq_sqlite_close(struct bq_sqlite *c);

/* Closes. NULL is harmless. */
void bq_sqlite_free(struct bq_sqlite *c);

enum bq_sqlite_how {
    BQ_SQLITE_BLOCK, /* for as long as it takes */
    BQ_SQLITE_QUICK, /* reads only, for a millisecond, and no waiting for locks */
};

/* Runs call->sql. Gives: BQ_OK and the results.
 * Fails: BQ_INVALID and call->code and message; BQ_AGAIN (it is not quick; nothing has happened);
 * BQ_CONFLICT (it writes, and this is a reader). */
int bq_sqlite_run(struct bq_sqlite *c, struct bq_sqlite_call *call, enum bq_sqlite_how how);

/* Opens the database if it is not open yet. Fails like bq_sqlite_run. */
int bq_sqlite_open(struct bq_sqlite *c, struct bq_sqlite_call *call);

/* Whether a transaction is open. */
bool bq_sqlite_in_transaction(const struct bq_sqlite *c);

/* Ends an open transaction, if need be by closing the connection. */
void bq_sqlite_roll_back(struct bq_sqlite *c);

/* Marks the call as failed with a code of ours: BQ_SQLITE_MISUSE, …; gives BQ_INVALID. */
enum bq_sqlite_code {
    BQ_SQLITE_BUSY = 5,
    BQ_SQLITE_NOMEM = 7,
    BQ_SQLITE_INTERRUPT = 9,
    BQ_SQLITE_TOOBIG = 18,
    BQ_SQLITE_MISUSE = 21
};
int bq_sqlite_fail(struct bq_sqlite_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
