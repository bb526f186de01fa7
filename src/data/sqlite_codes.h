/*
 * sqlite_codes.h: the result codes of SQLite whose names errors carry; of an extended one that is
 * missing, the primary code's name is given.
 */
#ifndef BQ_DATA_SQLITE_CODES_H
#define BQ_DATA_SQLITE_CODES_H

/* clang-format 14 never comes to rest on a list of this length. */
/* clang-format off */
#define BQ_SQLITE_CODES(X) \
    X(ERROR) \
    X(INTERNAL) \
    X(PERM) \
    X(ABORT) \
    X(BUSY) \
    X(LOCKED) \
    X(NOMEM) \
    X(READONLY) \
    X(INTERRUPT) \
    X(IOERR) \
    X(CORRUPT) \
    X(NOTFOUND) \
    X(FULL) \
    X(CANTOPEN) \
    X(PROTOCOL) \
    X(SCHEMA) \
    X(TOOBIG) \
    X(CONSTRAINT) \
    X(MISMATCH) \
    X(MISUSE) \
    X(NOLFS) \
    X(AUTH) \
    X(RANGE) \
    X(NOTADB) \
    X(ABORT_ROLLBACK) \
    X(BUSY_RECOVERY) \
    X(BUSY_SNAPSHOT) \
    X(BUSY_TIMEOUT) \
    X(CANTOPEN_ISDIR) \
    X(CANTOPEN_FULLPATH) \
    X(CONSTRAINT_CHECK) \
    X(CONSTRAINT_COMMITHOOK) \
    X(CONSTRAINT_DATATYPE) \
    X(CONSTRAINT_FOREIGNKEY) \
    X(CONSTRAINT_FUNCTION) \
    X(CONSTRAINT_NOTNULL) \
    X(CONSTRAINT_PINNED) \
    X(CONSTRAINT_PRIMARYKEY) \
    X(CONSTRAINT_ROWID) \
    X(CONSTRAINT_TRIGGER) \
    X(CONSTRAINT_UNIQUE) \
    X(CONSTRAINT_VTAB) \
    X(CORRUPT_INDEX) \
    X(ERROR_MISSING_COLLSEQ) \
    X(ERROR_RETRY) \
    X(IOERR_FSYNC) \
    X(IOERR_NOMEM) \
    X(IOERR_READ) \
    X(IOERR_SHORT_READ) \
    X(IOERR_TRUNCATE) \
    X(IOERR_WRITE) \
    X(READONLY_CANTINIT) \
    X(READONLY_CANTLOCK) \
    X(READONLY_DBMOVED) \
    X(READONLY_DIRECTORY) \
    X(READONLY_RECOVERY) \
    X(READONLY_ROLLBACK)
/* clang-format on */

#endif
