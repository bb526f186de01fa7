/* sqlite_test.c: one connection, without Lua and threads: results, errors, limits, quick reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/sqlite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct bq_sqlite_options defaults = {
    .journal = BQ_SQLITE_WAL,
    .synchronous = BQ_SQLITE_SYNC_NORMAL,
    .create = true,
    .foreign_keys = true,
    .busy_ms = 50,
    .statements_max = 4,
    .result_bytes_max = 1 << 20,
};

#define SLOW                                                                               \
    "with recursive c(n) as (select 1 union all select n + 1 from c where n < 100000000) " \
    "select count(*) as n from c"

struct fixture {
    char directory[32];
    char path[64];
    struct bq_sqlite *c;
    struct bq_sqlite_call call;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->directory, sizeof f->directory, "/tmp/barq-sqlite-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/t.db", f->directory);
    f->c = bq_sqlite_new(f->path, &defaults, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    struct fixture *f = *state;
    char path[80];
    bq_sqlite_free(f->c);
    bq_sqlite_call_release(&f->call);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
        unlink(path);
    }
    int rc = rmdir(f->directory);
    free(f);
    return rc;
}

static int run_on(struct bq_sqlite *c, struct fixture *f, const char *sql, enum bq_sqlite_how how)
{
    bq_sqlite_call_reset(&f->call);
    f->call.sql = bq_str_cstr(sql);
    f->call.script = true;
    return bq_sqlite_run(c, &f->call, how);
}

static int run(struct fixture *f, const char *sql)
{
    return run_on(f->c, f, sql, BQ_SQLITE_BLOCK);
}

static void expect_error(struct fixture *f, const char *code, const char *text)
{
    bq_buf_push(&f->call.message, '\0');
    assert_string_equal(bq_sqlite_code_name(f->call.code), code);
    if (!strstr(f->call.message.data, text))
        fail_msg("%s", f->call.message.data);
}

static int64_t integer_at(const struct fixture *f, size_t offset)
{
    int64_t i;
    assert_int_equal(f->call.rows.data[offset], 'I');
    memcpy(&i, f->call.rows.data + offset + 1, sizeof i);
    return i;
}

static void rows_and_names_are_packed(void **state)
{
    struct fixture *f = *state;
    static const char rows[] = "N"
                               "T\3\0\0\0a\0c"
                               "B\0\0\0\0";
    assert_int_equal(run(f, "select 7 as i, null as n, cast(x'610063' as text) as t, x'' as b"),
                     BQ_OK);
    assert_int_equal(f->call.columns, 4);
    assert_int_equal(f->call.row_count, 1);
    assert_int_equal(integer_at(f, 0), 7);
    assert_int_equal(bq_buf_size(&f->call.rows), 9 + sizeof rows - 1);
    assert_memory_equal(f->call.rows.data + 9, rows, sizeof rows - 1);
    assert_memory_equal(f->call.names.data, "\1\0\0\0i\1\0\0\0n", 10);
}

static void changes_and_the_last_id_are_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "create table a (id integer primary key, v)"), BQ_OK);
    assert_int_equal(run(f, "insert into a (v) values (1), (2), (3)"), BQ_OK);
    assert_int_equal(f->call.changes, 3);
    assert_int_equal(f->call.last_id, 3);
    assert_int_equal(run(f, "select * from a"), BQ_OK);
    assert_int_equal(f->call.changes, 0);
    assert_int_equal(run(f, "delete from a where id < 3; update a set v = 9; -- both"), BQ_OK);
    assert_int_equal(f->call.changes, 3);
}

static void errors_have_code_and_text(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "create table a (v unique)"), BQ_OK);
    assert_int_equal(run(f, "insert into a values (1), (1)"), BQ_INVALID);
    expect_error(f, "SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: a.v");
    assert_int_equal(run(f, "select \"misspelt\" from a"), BQ_INVALID);
    expect_error(f, "SQLITE_ERROR", "no such column");
    assert_int_equal(run(f, "select 1 from nowhere"), BQ_INVALID);
    expect_error(f, "SQLITE_ERROR", "no such table: nowhere");
    assert_int_equal(run(f, "select ?"), BQ_INVALID);
    expect_error(f, "SQLITE_MISUSE", "the statement has 1 parameter, got 0");
    assert_string_equal(bq_sqlite_code_name(12345678), "SQLITE_UNKNOWN");
    assert_string_equal(bq_sqlite_code_name(10 | (99 << 8)), "SQLITE_IOERR");
}

static void what_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->path, "w");
    for (int i = 0; i < 200; i++)
        fputs("this is text, not a database\n", file);
    fclose(file);
    bq_sqlite_call_reset(&f->call);
    assert_int_equal(bq_sqlite_open(f->c, &f->call), BQ_INVALID);
    expect_error(f, "SQLITE_NOTADB", "file is not a database");
}

static void a_slow_read_is_not_quick_and_a_quick_one_is(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "create table a (v); insert into a values (5)"), BQ_OK);
    assert_int_equal(run_on(f->c, f, "select v from a", BQ_SQLITE_QUICK), BQ_OK);
    assert_int_equal(integer_at(f, 0), 5);
    assert_int_equal(run_on(f->c, f, SLOW, BQ_SQLITE_QUICK), BQ_AGAIN);
    assert_int_equal(f->call.row_count, 0);
    assert_int_equal(run_on(f->c, f, "insert into a values (6)", BQ_SQLITE_QUICK), BQ_AGAIN);
    assert_int_equal(run_on(f->c, f, "select count(*) from a", BQ_SQLITE_QUICK), BQ_OK);
    assert_int_equal(integer_at(f, 0), 1);
}

static int count_quickly(struct fixture *f, int64_t n)
{
    bq_sqlite_call_reset(&f->call);
    f->call.sql = BQ_STR("with recursive c(n) as (select 1 union all select n + 1 from c "
                         "where n < ?) select count(*) from c");
    bq_buf_push(&f->call.params, 'I');
    bq_buf_append(&f->call.params, bq_str_of((const char *)&n, sizeof n));
    f->call.param_count = 1;
    return bq_sqlite_run(f->c, &f->call, BQ_SQLITE_QUICK);
}

static void a_statement_that_was_slow_is_tried_again_later(void **state)
{
    struct fixture *f = *state;
    int tries = 0;
    assert_int_equal(run(f, "select 1"), BQ_OK);
    assert_int_equal(count_quickly(f, 5), BQ_OK);
    assert_int_equal(count_quickly(f, 100000000), BQ_AGAIN);
    assert_int_equal(count_quickly(f, 5), BQ_AGAIN);
    while (count_quickly(f, 5) == BQ_AGAIN)
        assert_true(tries++ < 100);
    assert_int_equal(integer_at(f, 0), 5);
    assert_true(tries > 10);
}

static void a_reader_refuses_to_write(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "create table a (v)"), BQ_OK);
    struct bq_sqlite *reader = bq_sqlite_new(f->path, &defaults, true);
    assert_int_equal(
        run_on(reader, f, "with x as (select 1) insert into a select * from x", BQ_SQLITE_BLOCK),
        BQ_CONFLICT);
    assert_int_equal(run_on(reader, f, "select count(*) from a", BQ_SQLITE_QUICK), BQ_OK);
    assert_int_equal(integer_at(f, 0), 0);
    bq_sqlite_free(reader);
}

static void a_lock_is_waited_for_and_then_told_of(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "create table a (v)"), BQ_OK);
    assert_int_equal(run(f, "begin immediate"), BQ_OK);
    assert_true(bq_sqlite_in_transaction(f->c));
    struct bq_sqlite *other = bq_sqlite_new(f->path, &defaults, false);
    assert_int_equal(run_on(other, f, "insert into a values (1)", BQ_SQLITE_BLOCK), BQ_INVALID);
    expect_error(f, "SQLITE_BUSY", "database is locked");
    bq_sqlite_roll_back(f->c);
    assert_false(bq_sqlite_in_transaction(f->c));
    assert_int_equal(run_on(other, f, "insert into a values (1)", BQ_SQLITE_BLOCK), BQ_OK);
    bq_sqlite_free(other);
}

static void *stop_soon(void *arg)
{
    const struct timespec ts = {0, 20000000};
    nanosleep(&ts, NULL);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void another_thread_stops_a_statement(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    bq_sqlite_call_reset(&f->call);
    f->call.sql = BQ_STR(SLOW);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &f->call.stop), 0);
    assert_int_equal(bq_sqlite_run(f->c, &f->call, BQ_SQLITE_BLOCK), BQ_INVALID);
    expect_error(f, "SQLITE_INTERRUPT", "interrupted");
    pthread_join(thread, NULL);
    assert_int_equal(run(f, "select 1"), BQ_OK);
}

static void too_many_rows_are_refused_and_a_write_is_undone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "create table a (v)"), BQ_OK);
    bq_sqlite_call_reset(&f->call);
    f->call.sql = BQ_STR("insert into a values (zeroblob(900000)), (zeroblob(900000)) returning v");
    assert_int_equal(bq_sqlite_run(f->c, &f->call, BQ_SQLITE_BLOCK), BQ_INVALID);
    expect_error(f, "SQLITE_TOOBIG", "option result_bytes_max");
    assert_int_equal(run(f, "select count(*) from a"), BQ_OK);
    assert_int_equal(integer_at(f, 0), 0);
}

static void statements_are_dropped_when_there_are_many(void **state)
{
    struct fixture *f = *state;
    char sql[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(sql, sizeof sql, "select %d", i);
            assert_int_equal(run(f, sql), BQ_OK);
            assert_int_equal(integer_at(f, 0), i);
        }
    }
}

static void what_begins_as_a_read_is_recognised(void **state)
{
    (void)state;
    assert_true(bq_sqlite_seems_to_read(BQ_STR("select 1")));
    assert_true(bq_sqlite_seems_to_read(BQ_STR(" -- why\n /* and */ WITH x as (select 1)")));
    assert_true(bq_sqlite_seems_to_read(BQ_STR("values (1)")));
    assert_false(bq_sqlite_seems_to_read(BQ_STR("insert into a select 1")));
    assert_false(bq_sqlite_seems_to_read(BQ_STR("/* select 1")));
    assert_false(bq_sqlite_seems_to_read(BQ_STR("-- select 1")));
    assert_false(bq_sqlite_seems_to_read(BQ_STR("pragma user_version")));
    assert_false(bq_sqlite_seems_to_read(BQ_STR("")));
}

/* With each allocation failed in turn: an error, or the whole result; and nothing is kept. */
static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "create table a (v); insert into a values (1), ('two'), (x'03')"),
                     BQ_OK);
#ifdef BQ_FAULTS
    long live = bq_mem_live();
    bool failed = true;
    for (long nth = 1; failed; nth++) {
        struct bq_sqlite_call call = {.code = 0};
        bq_sqlite_call_reset(&call);
        assert_true(nth < 100);
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        struct bq_sqlite *c = bq_sqlite_new(f->path, &defaults, false);
        call.sql = BQ_STR("select v, v as again from a");
        int rc = c ? bq_sqlite_run(c, &call, BQ_SQLITE_BLOCK) : BQ_MEMORY;
        failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        if (rc == BQ_OK)
            assert_int_equal(call.row_count, 3);
        else if (c)
            assert_int_equal(call.code, BQ_SQLITE_NOMEM);
        bq_sqlite_free(c);
        bq_sqlite_call_release(&call);
        assert_int_equal(bq_mem_live(), live);
    }
#else
    skip();
#endif
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_and_names_are_packed),
        TEST(changes_and_the_last_id_are_told),
        TEST(errors_have_code_and_text),
        TEST(what_is_no_database_is_refused),
        TEST(a_slow_read_is_not_quick_and_a_quick_one_is),
        TEST(a_statement_that_was_slow_is_tried_again_later),
        TEST(a_reader_refuses_to_write),
        TEST(a_lock_is_waited_for_and_then_told_of),
        TEST(another_thread_stops_a_statement),
        TEST(too_many_rows_are_refused_and_a_write_is_undone),
        TEST(statements_are_dropped_when_there_are_many),
        TEST(what_begins_as_a_read_is_recognised),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
