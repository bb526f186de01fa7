/*
 * sqlite.c: the only file that sees SQLite.
 *
 * Two handlers make a statement harmless to others: the progress handler ends one that is to be
 * quick and is not, or that nobody wants any more; the busy handler waits for locks, but never on
 * behalf of a quick one. A read that was ended can be run again elsewhere, for it has changed
 * nothing.
 */
#include "data/sqlite.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/sqlite_codes.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define PROGRESS_STEPS 1000    /* of SQLite's machine between two looks: some 20 us */
#define QUICK_NS       1000000 /* what a quick statement may take */
#define QUICK_LOOKS    5       /* but so much is always quick: the machine may have been busy */
#define OVERRUNS_MAX   3
#define SKIPS          32 /* tries that are saved after one in vain */
#define BUSY_NS_MIN    100000
#define BUSY_NS_MAX    5000000

_Static_assert(BQ_SQLITE_BUSY == SQLITE_BUSY && BQ_SQLITE_NOMEM == SQLITE_NOMEM &&
                   BQ_SQLITE_INTERRUPT == SQLITE_INTERRUPT && BQ_SQLITE_TOOBIG == SQLITE_TOOBIG &&
                   BQ_SQLITE_MISUSE == SQLITE_MISUSE,
               "our names are SQLite's numbers");

struct statement {
    uint64_t hash, used;
    bq_str sql; /* on the heap */
    sqlite3_stmt *stmt;
    bool reads;             /* and may therefore be quick */
    unsigned char skips;    /* it was not: so often, it is not tried again */
    unsigned char overruns; /* how often in a row it was quick in steps, but not in time */
};

struct bq_sqlite {
    sqlite3 *handle;
    struct bq_sqlite_options options;
    bool reader;
    struct bq_sqlite_call *call; /* the one that runs */
    enum bq_sqlite_how how;
    uint64_t began_ns, busy_ns; /* when it began to run, and to wait for a lock */
    unsigned looks;             /* of the progress handler, since it began */
    uint64_t uses;
    size_t statement_count;
    struct statement *statements; /* options.statements_max */
    char path[];
};

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
    const struct timespec ts = {0, (long)ns};
    nanosleep(&ts, NULL);
}

/* --- calls and their errors --- */

void bq_sqlite_call_reset(struct bq_sqlite_call *call)
{
    bq_buf_reset(&call->params);
    bq_buf_reset(&call->names);
    bq_buf_reset(&call->rows);
    bq_buf_reset(&call->message);
    call->sql = BQ_STR("");
    call->param_count = call->columns = 0;
    call->named = call->script = call->one = false;
    call->row_count = 0;
    call->changes = call->last_id = 0;
    call->code = 0;
    atomic_store_explicit(&call->stop, false, memory_order_relaxed);
}

void bq_sqlite_call_release(struct bq_sqlite_call *call)
{
    bq_buf_release(&call->params);
    bq_buf_release(&call->names);
    bq_buf_release(&call->rows);
    bq_buf_release(&call->message);
}

int bq_sqlite_fail(struct bq_sqlite_call *call, int code, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    call->code = code;
    bq_buf_reset(&call->message);
    bq_buf_append(&call->message, bq_str_cstr(text));
    return BQ_INVALID;
}

/* What SQLite says about its last call on this connection. */
static int fail_as_told(struct bq_sqlite *c, struct bq_sqlite_call *call)
{
    call->code = c->handle ? sqlite3_extended_errcode(c->handle) : SQLITE_NOMEM;
    const char *text = c->handle ? sqlite3_errmsg(c->handle) : "out of memory";
    bq_buf_reset(&call->message);
    bq_buf_append(&call->message, bq_str_cstr(text));
    return BQ_INVALID;
}

static int fail_memory(struct bq_sqlite_call *call)
{
    return bq_sqlite_fail(call, SQLITE_NOMEM, "out of memory");
}

static const char *name_of(int code)
{
    switch (code) {
#define X(name)         \
    case SQLITE_##name: \
        return "SQLITE_" #name;
        BQ_SQLITE_CODES(X)
#undef X
    default:
        return NULL;
    }
}

const char *bq_sqlite_code_name(int code)
{
    const char *name = name_of(code);
    if (!name)
        name = name_of(code & 0xff);
    return name ? name : "SQLITE_UNKNOWN";
}

/* --- opening and closing --- */

static int on_progress(void *arg)
{
    struct bq_sqlite *c = arg;
    if (!c->call)
        return 0;
    if (atomic_load_explicit(&c->call->stop, memory_order_relaxed))
        return 1;
    return c->how == BQ_SQLITE_QUICK && ++c->looks > QUICK_LOOKS &&
           now_ns() - c->began_ns > QUICK_NS;
}

/* Whether to wait for a lock some more; waits. */
static bool wait_busy(struct bq_sqlite *c, int tries)
{
    if (!c->call || c->how == BQ_SQLITE_QUICK)
        return false;
    uint64_t now = now_ns(), pause = (uint64_t)BUSY_NS_MIN << (tries < 6 ? tries : 6);
    if (tries == 0)
        c->busy_ns = now;
    if (now - c->busy_ns >= (uint64_t)c->options.busy_ms * 1000000 ||
        atomic_load_explicit(&c->call->stop, memory_order_relaxed))
        return false;
    sleep_ns(pause < BUSY_NS_MAX ? pause : BUSY_NS_MAX);
    return true;
}

static int on_busy(void *arg, int tries)
{
    return wait_busy(arg, tries);
}

struct bq_sqlite *bq_sqlite_new(const char *path, const struct bq_sqlite_options *options,
                                bool reader)
{
    size_t n = strlen(path) + 1;
    struct bq_sqlite *c = bq_alloc_zero(sizeof *c + n);
    struct statement *statements = bq_alloc_zero(options->statements_max * sizeof *statements);
    if (!c || !statements) {
        bq_free(c);
        bq_free(statements);
        return NULL;
    }
    c->options = *options;
    c->reader = reader;
    c->statements = statements;
    memcpy(c->path, path, n);
    return c;
}

static void release_statement(struct statement *s)
{
    sqlite3_finalize(s->stmt);
    bq_free((char *)s->sql.p);
}

static void close_handle(struct bq_sqlite *c)
{
    for (size_t i = 0; i < c->statement_count; i++)
        release_statement(&c->statements[i]);
    c->statement_count = 0;
    int rc = sqlite3_close(c->handle);
    assert(rc == SQLITE_OK); /* every statement is finalised */
    (void)rc;
    c->handle = NULL;
}

void bq_sqlite_close(struct bq_sqlite *c)
{
    close_handle(c);
}

void bq_sqlite_free(struct bq_sqlite *c)
{
    if (!c)
        return;
    close_handle(c);
    bq_free(c->statements);
    bq_free(c);
}

/* A file's first WAL connections can meet in a way in which SQLite calls no busy handler. */
static int set_journal(struct bq_sqlite *c)
{
    static const char *const modes[] = {"wal", "delete", "truncate", "persist", "memory", "off"};
    char pragma[64];
    int rc, tries = 0;
    snprintf(pragma, sizeof pragma, "pragma journal_mode=%s", modes[c->options.journal]);
    do {
        rc = sqlite3_exec(c->handle, pragma, NULL, NULL, NULL);
    } while ((rc & 0xff) == SQLITE_BUSY && wait_busy(c, tries++));
    return rc;
}

static int configure(struct bq_sqlite *c)
{
    char pragmas[96];
    sqlite3_busy_handler(c->handle, on_busy, c);
    sqlite3_progress_handler(c->handle, PROGRESS_STEPS, on_progress, c);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* A misspelt "column" shall be an error, not a string. */
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    snprintf(pragmas, sizeof pragmas, "pragma foreign_keys=%d; pragma synchronous=%d",
             c->options.foreign_keys, (int)c->options.synchronous);
    int rc = sqlite3_exec(c->handle, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK && !c->reader && !c->options.read_only)
        rc = set_journal(c);
    /* Reads the file: what is no database is told of when it is opened. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->handle, "pragma schema_version", NULL, NULL, NULL);
    return rc;
}

static int open_handle(struct bq_sqlite *c, struct bq_sqlite_call *call)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (c->options.read_only)
        flags |= SQLITE_OPEN_READONLY;
    else
        flags |= SQLITE_OPEN_READWRITE | (c->options.create ? SQLITE_OPEN_CREATE : 0);
    int rc = sqlite3_open_v2(c->path, &c->handle, flags, NULL);
    if (rc == SQLITE_OK)
        rc = configure(c);
    if (rc == SQLITE_OK)
        return BQ_OK;
    fail_as_told(c, call);
    close_handle(c);
    return BQ_INVALID;
}

/* --- which statement --- */

/* Without blanks and comments at the start. */
static bq_str skip_blank(bq_str s)
{
    for (;;) {
        size_t n = 0;
        if (s.n && strchr(" \t\r\n\f;", s.p[0]) && s.p[0]) {
            n = 1;
        } else if (bq_str_starts(s, BQ_STR("--"))) {
            n = bq_str_find(s, '\n', 0);
        } else if (bq_str_starts(s, BQ_STR("/*"))) {
            const char *end = memmem(s.p + 2, s.n - 2, "*/", 2);
            n = end ? (size_t)(end + 2 - s.p) : s.n;
        }
        if (n == 0)
            return s;
        s = bq_str_of(s.p + n, s.n - n);
    }
}

bool bq_sqlite_seems_to_read(bq_str sql)
{
    static const char *const words[] = {"select", "values", "with"};
    sql = skip_blank(sql);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        bq_str word = bq_str_cstr(words[i]);
        if (sql.n > word.n && bq_str_eq_nocase(bq_str_of(sql.p, word.n), word))
            return true;
    }
    return false;
}

static uint64_t hash_sql(bq_str sql)
{
    static const struct bq_hash_key key = {{0, 0}}; /* applications do not attack themselves */
    return bq_hash(&key, sql);
}

static struct statement *find_statement(struct bq_sqlite *c, bq_str sql, uint64_t hash)
{
    for (size_t i = 0; i < c->statement_count; i++) {
        struct statement *s = &c->statements[i];
        if (s->hash == hash && bq_str_eq(s->sql, sql)) {
            s->used = ++c->uses;
            return s;
        }
    }
    return NULL;
}

/* A place for one more; the one used longest ago goes. */
static struct statement *make_room(struct bq_sqlite *c)
{
    if (c->statement_count < c->options.statements_max)
        return &c->statements[c->statement_count++];
    struct statement *oldest = c->statements;
    for (size_t i = 1; i < c->statement_count; i++) {
        if (c->statements[i].used < oldest->used)
            oldest = &c->statements[i];
    }
    release_statement(oldest);
    return oldest;
}

/* NULL without a statement: call->code says whether that is an error. rest is what follows. */
static sqlite3_stmt *prepare(struct bq_sqlite *c, struct bq_sqlite_call *call, bq_str sql,
                             unsigned flags, bq_str *rest)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = sql.p;
    if (sql.n > INT32_MAX) {
        bq_sqlite_fail(call, SQLITE_TOOBIG, "the statement is too long");
        return NULL;
    }
    if (sqlite3_prepare_v3(c->handle, sql.p, (int)sql.n, flags, &stmt, &tail) != SQLITE_OK)
        fail_as_told(c, call);
    *rest = skip_blank(bq_str_of(tail, sql.n - (size_t)(tail - sql.p)));
    return stmt;
}

static struct statement *keep_statement(struct bq_sqlite *c, bq_str sql, uint64_t hash,
                                        sqlite3_stmt *stmt)
{
    char *copy = bq_alloc(sql.n);
    if (!copy) {
        sqlite3_finalize(stmt);
        return NULL;
    }
    memcpy(copy, sql.p, sql.n);
    struct statement *s = make_room(c);
    *s = (struct statement){
        .hash = hash,
        .used = ++c->uses,
        .sql = bq_str_of(copy, sql.n),
        .stmt = stmt,
        .reads = bq_sqlite_seems_to_read(sql) && sqlite3_stmt_readonly(stmt),
    };
    return s;
}

/* NULL and an error in call, or the statement, prepared. */
static struct statement *get_statement(struct bq_sqlite *c, struct bq_sqlite_call *call)
{
    uint64_t hash = hash_sql(call->sql);
    bq_str rest;
    struct statement *s = find_statement(c, call->sql, hash);
    if (s)
        return s;
    sqlite3_stmt *stmt = prepare(c, call, call->sql, SQLITE_PREPARE_PERSISTENT, &rest);
    if (stmt && rest.n == 0) {
        s = keep_statement(c, call->sql, hash, stmt);
        if (!s)
            fail_memory(call);
        return s;
    }
    sqlite3_finalize(stmt);
    if (!call->code && stmt)
        bq_sqlite_fail(
            call, SQLITE_MISUSE,
            "there is more than one statement: only exec without parameters runs several");
    else if (!call->code)
        bq_sqlite_fail(call, SQLITE_MISUSE, "there is no statement in it");
    return NULL;
}

/* --- parameters --- */

static uint32_t take_u32(const char **p)
{
    uint32_t n;
    memcpy(&n, *p, sizeof n);
    *p += sizeof n;
    return n;
}

/* The bytes stay where they are until the statement is reset. */
static int bind_value(sqlite3_stmt *stmt, int index, const char **p)
{
    char kind = *(*p)++;
    int64_t i;
    double d;
    uint32_t n;
    switch (kind) {
    case 'I':
        memcpy(&i, *p, sizeof i);
        *p += sizeof i;
        return sqlite3_bind_int64(stmt, index, i);
    case 'D':
        memcpy(&d, *p, sizeof d);
        *p += sizeof d;
        return sqlite3_bind_double(stmt, index, d);
    case 'T':
    case 'B':
        n = take_u32(p);
        *p += n;
        return kind == 'T' ? sqlite3_bind_text64(stmt, index, *p - n, n, SQLITE_STATIC, SQLITE_UTF8)
                           : sqlite3_bind_blob64(stmt, index, *p - n, n, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(stmt, index);
    }
}

static int bind_positions(struct bq_sqlite *c, struct bq_sqlite_call *call, sqlite3_stmt *stmt)
{
    int wanted = sqlite3_bind_parameter_count(stmt);
    const char *p = call->params.data;
    if (call->param_count != (uint32_t)wanted)
        return bq_sqlite_fail(call, SQLITE_MISUSE, "the statement has %d parameter%s, got %u",
                              wanted, wanted == 1 ? "" : "s", (unsigned)call->param_count);
    for (int i = 1; i <= wanted; i++) {
        if (bind_value(stmt, i, &p) != SQLITE_OK)
            return fail_as_told(c, call);
    }
    return BQ_OK;
}

/* SQLite's names have their ":", "@" or "$". */
static int find_parameter(sqlite3_stmt *stmt, bq_str name)
{
    int count = sqlite3_bind_parameter_count(stmt);
    for (int i = 1; i <= count; i++) {
        const char *known = sqlite3_bind_parameter_name(stmt, i);
        if (known && known[0] != '?' && bq_str_eq(bq_str_cstr(known + 1), name))
            return i;
    }
    return 0;
}

/* Each name of the statement once, since names in a table are there once. */
static int check_all_named(struct bq_sqlite_call *call, sqlite3_stmt *stmt)
{
    int wanted = sqlite3_bind_parameter_count(stmt);
    if (call->param_count == (uint32_t)wanted)
        return BQ_OK;
    for (int i = 1; i <= wanted; i++) {
        const char *known = sqlite3_bind_parameter_name(stmt, i), *p = call->params.data;
        bool given = false;
        if (!known || known[0] == '?')
            return bq_sqlite_fail(call, SQLITE_MISUSE,
                                  "parameter %d has no name, and the values came by name", i);
        for (uint32_t left = call->param_count; left && !given; left--) {
            uint32_t n = take_u32(&p);
            given = bq_str_eq(bq_str_of(p, n), bq_str_cstr(known + 1));
            p += n;
            char kind = *p++;
            p += kind == 'I' || kind == 'D' ? 8 : 0;
            if (kind == 'T' || kind == 'B') {
                n = take_u32(&p);
                p += n;
            }
        }
        if (!given)
            return bq_sqlite_fail(call, SQLITE_MISUSE,
                                  "there is no value for %s; barq.null is NULL", known);
    }
    return BQ_OK;
}

static int bind_names(struct bq_sqlite *c, struct bq_sqlite_call *call, sqlite3_stmt *stmt)
{
    const char *p = call->params.data;
    for (uint32_t left = call->param_count; left; left--) {
        uint32_t n = take_u32(&p);
        bq_str name = bq_str_of(p, n);
        int index = find_parameter(stmt, name);
        p += n;
        if (index == 0)
            return bq_sqlite_fail(call, SQLITE_MISUSE, "the statement has no parameter :%.*s",
                                  BQ_STR_ARG(name));
        if (bind_value(stmt, index, &p) != SQLITE_OK)
            return fail_as_told(c, call);
    }
    return check_all_named(call, stmt);
}

/* --- rows --- */

/* Fails: BQ_MEMORY, also for bytes that SQLite had no memory to give. */
static int pack_bytes(struct bq_buf *out, char kind, const void *p, int n)
{
    uint32_t length = (uint32_t)n;
    if ((!p && n) || bq_buf_reserve(out, 1 + sizeof length + length) != BQ_OK)
        return BQ_MEMORY;
    char *to = out->data + out->len;
    *to++ = kind;
    memcpy(to, &length, sizeof length);
    if (n)
        memcpy(to + sizeof length, p, length);
    out->len += 1 + sizeof length + length;
    return BQ_OK;
}

static int pack_number(struct bq_buf *out, char kind, const void *p)
{
    char bytes[9] = {kind};
    memcpy(bytes + 1, p, 8);
    return bq_buf_append(out, bq_str_of(bytes, sizeof bytes));
}

/* A column's value is asked for once, since finding it takes SQLite longer than all the rest.
 * It may be looked at because its connection has no mutex and one thread at a time. */
static int pack_value(struct bq_buf *out, sqlite3_value *value)
{
    int64_t integer;
    double real;
    const void *bytes;
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        integer = sqlite3_value_int64(value);
        return pack_number(out, 'I', &integer);
    case SQLITE_FLOAT:
        real = sqlite3_value_double(value);
        return pack_number(out, 'D', &real);
    case SQLITE_TEXT:
        bytes = sqlite3_value_text(value);
        return bytes ? pack_bytes(out, 'T', bytes, sqlite3_value_bytes(value)) : BQ_MEMORY;
    case SQLITE_BLOB:
        bytes = sqlite3_value_blob(value); /* NULL when it is empty */
        return pack_bytes(out, 'B', bytes, sqlite3_value_bytes(value));
    default:
        return bq_buf_push(out, 'N');
    }
}

static int pack_names(struct bq_sqlite_call *call, sqlite3_stmt *stmt)
{
    call->columns = (uint32_t)sqlite3_column_count(stmt);
    for (uint32_t i = 0; i < call->columns; i++) {
        const char *name = sqlite3_column_name(stmt, (int)i);
        if (!name)
            return BQ_MEMORY;
        uint32_t length = (uint32_t)strlen(name);
        bq_buf_append(&call->names, bq_str_of((const char *)&length, sizeof length));
        bq_buf_append(&call->names, bq_str_of(name, length));
    }
    return call->names.failed ? BQ_MEMORY : BQ_OK;
}

static int pack_row(struct bq_sqlite *c, struct bq_sqlite_call *call, sqlite3_stmt *stmt)
{
    if (call->one && call->row_count)
        return BQ_OK;
    if (call->row_count == 0 && pack_names(call, stmt) != BQ_OK)
        return fail_memory(call);
    for (uint32_t i = 0; i < call->columns; i++) {
        if (pack_value(&call->rows, sqlite3_column_value(stmt, (int)i)) != BQ_OK)
            return fail_memory(call);
    }
    call->row_count++;
    if (bq_buf_size(&call->rows) > c->options.result_bytes_max)
        return bq_sqlite_fail(call, SQLITE_TOOBIG,
                              "the rows have more than %zu bytes (option result_bytes_max): "
                              "select fewer at a time",
                              c->options.result_bytes_max);
    return BQ_OK;
}

/* A write whose rows cannot be given back shall not have happened: an interrupted one is rolled
 * back, with the transaction that it is in. */
static void undo(struct bq_sqlite *c, sqlite3_stmt *stmt)
{
    if (sqlite3_stmt_readonly(stmt))
        return;
    sqlite3_interrupt(c->handle);
    sqlite3_step(stmt);
}

/* --- running --- */

static int step_all(struct bq_sqlite *c, struct bq_sqlite_call *call, sqlite3_stmt *stmt)
{
    int64_t before = sqlite3_total_changes64(c->handle);
    bool reads = sqlite3_stmt_readonly(stmt);
    int rc, packed = BQ_OK;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        packed = pack_row(c, call, stmt);
        if (packed != BQ_OK || (reads && call->one))
            break;
    }
    if (packed != BQ_OK) {
        undo(c, stmt);
        sqlite3_reset(stmt);
        return packed;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        packed = fail_as_told(c, call);
    /* A commit that ends the statement may fail here. */
    if (sqlite3_reset(stmt) != SQLITE_OK && packed == BQ_OK)
        packed = fail_as_told(c, call);
    if (sqlite3_total_changes64(c->handle) != before)
        call->changes += sqlite3_changes64(c->handle);
    call->last_id = sqlite3_last_insert_rowid(c->handle);
    return packed;
}

static int run_bound(struct bq_sqlite *c, struct bq_sqlite_call *call, sqlite3_stmt *stmt)
{
    int rc = call->named ? bind_names(c, call, stmt) : bind_positions(c, call, stmt);
    if (rc == BQ_OK)
        rc = step_all(c, call, stmt);
    if (call->param_count)
        sqlite3_clear_bindings(stmt);
    return rc;
}

static void forget_results(struct bq_sqlite_call *call)
{
    bq_buf_reset(&call->names);
    bq_buf_reset(&call->rows);
    bq_buf_reset(&call->message);
    call->columns = 0;
    call->row_count = 0;
    call->code = 0;
}

/* Not being quick is no error of a quick run. */
static int again_if_ended(const struct bq_sqlite *c, struct bq_sqlite_call *call, int rc)
{
    int code = call->code & 0xff;
    if (rc != BQ_INVALID || c->how == BQ_SQLITE_BLOCK ||
        (code != SQLITE_INTERRUPT && code != SQLITE_BUSY))
        return rc;
    forget_results(call);
    return BQ_AGAIN;
}

static void note_speed(struct statement *s, uint64_t took_ns, bool ended)
{
    s->overruns = took_ns > QUICK_NS ? s->overruns + 1 : 0;
    if (ended || s->overruns >= OVERRUNS_MAX)
        s->skips = SKIPS;
}

/* Whether a quick run is worth trying. */
static bool may_be_quick(struct statement *s)
{
    if (s->reads && s->skips == 0)
        return true;
    s->skips -= s->skips > 0;
    return false;
}

static int run_one(struct bq_sqlite *c, struct bq_sqlite_call *call)
{
    struct statement *s = get_statement(c, call);
    bool quick = c->how == BQ_SQLITE_QUICK;
    if (!s)
        return BQ_INVALID;
    if (c->reader && !sqlite3_stmt_readonly(s->stmt))
        return BQ_CONFLICT;
    if (quick && !may_be_quick(s))
        return BQ_AGAIN;
    int rc = run_bound(c, call, s->stmt);
    if (quick)
        note_speed(s, now_ns() - c->began_ns, rc != BQ_OK && call->code == SQLITE_INTERRUPT);
    return rc;
}

static int run_script(struct bq_sqlite *c, struct bq_sqlite_call *call)
{
    bq_str rest = call->sql;
    int rc = BQ_OK;
    while (rc == BQ_OK && rest.n) {
        sqlite3_stmt *stmt = prepare(c, call, rest, 0, &rest);
        if (call->code)
            rc = BQ_INVALID;
        else if (stmt)
            rc = run_bound(c, call, stmt);
        sqlite3_finalize(stmt);
        bq_buf_reset(&call->names);
        bq_buf_reset(&call->rows);
        call->row_count = 0;
    }
    return rc;
}

/* One statement is kept prepared, several are not: a script seldom runs twice. */
static bool is_script(const struct bq_sqlite_call *call)
{
    if (!call->script || call->param_count)
        return false;
    size_t end = bq_str_find(call->sql, ';', 0);
    return skip_blank(call->sql).n == 0 ||
           (end < call->sql.n && skip_blank(bq_str_of(call->sql.p + end, call->sql.n - end)).n);
}

static void begin_call(struct bq_sqlite *c, struct bq_sqlite_call *call, enum bq_sqlite_how how)
{
    c->call = call;
    c->how = how;
    c->looks = 0;
}

int bq_sqlite_run(struct bq_sqlite *c, struct bq_sqlite_call *call, enum bq_sqlite_how how)
{
    begin_call(c, call, how);
    int rc = c->handle ? BQ_OK : open_handle(c, call);
    c->began_ns = now_ns(); /* opening is no part of the statement */
    if (rc == BQ_OK && is_script(call))
        rc = how == BQ_SQLITE_QUICK ? BQ_AGAIN : run_script(c, call);
    else if (rc == BQ_OK)
        rc = run_one(c, call);
    rc = again_if_ended(c, call, rc);
    c->call = NULL;
    return rc;
}

int bq_sqlite_open(struct bq_sqlite *c, struct bq_sqlite_call *call)
{
    begin_call(c, call, BQ_SQLITE_BLOCK);
    int rc = c->handle ? BQ_OK : open_handle(c, call);
    c->call = NULL;
    return rc;
}

bool bq_sqlite_in_transaction(const struct bq_sqlite *c)
{
    return c->handle && !sqlite3_get_autocommit(c->handle);
}

void bq_sqlite_roll_back(struct bq_sqlite *c)
{
    if (!bq_sqlite_in_transaction(c))
        return;
    sqlite3_exec(c->handle, "rollback", NULL, NULL, NULL);
    if (bq_sqlite_in_transaction(c))
        close_handle(c);
}
