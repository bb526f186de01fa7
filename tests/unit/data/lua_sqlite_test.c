/* lua_sqlite_test.c: barq.sqlite as the application sees it, with and without tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "data/lua_sqlite.h"
#include "vm/lua_task.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char directory[32];
    char path[64];
    struct bq_loop *loop;
    struct bq_vm *vm;
    lua_State *L;
};

static void run(lua_State *L, const char *code)
{
    if (luaL_loadbuffer(L, code, strlen(code), "=app.lua") || lua_pcall(L, 0, 0, 0))
        fail_msg("%s\n%s", code, lua_tostring(L, -1));
}

/* check(text, fn, …) wants that text in the error that is raised, and gives the error. */
static const char prelude[] =
    "sqlite = dofile(ROOT .. '/lua/barq/sqlite.lua')\n"
    "function check(text, fn, ...)\n"
    "  local ok, err = pcall(fn, ...)\n"
    "  assert(not ok, 'did not raise')\n"
    "  if not tostring(err):find(text, 1, true) then error('raised ' .. tostring(err), 2) end\n"
    "  return err\n"
    "end\n"
    "SLOW = 'with recursive c(n) as (select 1 union all select n + 1 from c where n < %d) '\n"
    "  .. 'select count(*) as n from c'\n"
    "db = sqlite.open(PATH)\n"
    "db:exec('create table if not exists a (id integer primary key, v, w)')\n"
    "null = NULL\n";

static void open_sqlite(lua_State *L, const char *path)
{
    int top = lua_gettop(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    bq_sqlite_open_module(L, NULL);
    assert_int_equal(lua_gettop(L), top + 3);
    lua_setfield(L, -2, "barq.sqlite.core");
    lua_pushliteral(L, BARQ_SOURCE_DIR);
    lua_setglobal(L, "ROOT");
    lua_pushstring(L, path);
    lua_setglobal(L, "PATH");
    lua_pushlightuserdata(L, NULL);
    lua_setglobal(L, "NULL");
    lua_settop(L, top);
    run(L, prelude);
}

static void open_state(struct fixture *f)
{
    f->loop = bq_loop_new();
    f->vm = bq_vm_new(f->loop, 0);
    f->L = f->vm->L;
    lua_pushcfunction(f->L, bq_task_sleep);
    lua_setglobal(f->L, "sleep");
    open_sqlite(f->L, f->path);
}

static void close_state(struct fixture *f)
{
    bq_vm_free(f->vm);
    bq_loop_free(f->loop);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->directory, sizeof f->directory, "/tmp/barq-sqlite-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/t.db", f->directory);
    open_state(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct fixture *f = *state;
    char path[80];
    close_state(f);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
        unlink(path);
    }
    int rc = rmdir(f->directory);
    free(f);
    return rc;
}

struct ended {
    int done, errors, dropped;
};

static void count_end(struct bq_task *task, enum bq_task_end end)
{
    struct ended *ended = task->arg;
    ended->done++;
    ended->dropped += end == BQ_TASK_DROPPED;
    if (end == BQ_TASK_ERROR) {
        ended->errors++;
        lua_getglobal(task->L, "tostring");
        lua_insert(task->L, -2);
        lua_pcall(task->L, 1, 1, 0);
        lua_setglobal(task->L, "last_error");
    }
}

static void start(struct fixture *f, const char *code, struct ended *ended)
{
    struct bq_task *task = bq_task_take(f->vm);
    assert_int_equal(luaL_loadbuffer(task->L, code, strlen(code), "=app.lua"), 0);
    bq_task_start(task, 0, count_end, ended);
}

static void turn_until(struct fixture *f, struct ended *ended, int done)
{
    for (int i = 0; i < 3000 && ended->done < done; i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(ended->done, done);
}

/* Until Lua code has set the global of that name. */
static void turn_until_set(struct fixture *f, const char *name)
{
    bool set = false;
    for (int i = 0; i < 3000 && !set; i++) {
        bq_loop_run_once(f->loop, 1);
        lua_getglobal(f->L, name);
        set = lua_toboolean(f->L, -1);
        lua_pop(f->L, 1);
    }
    assert_true(set);
}

static void expect_no_errors(struct fixture *f, const struct ended *ended)
{
    lua_getglobal(f->L, "last_error");
    if (ended->errors)
        fail_msg("%s", lua_tostring(f->L, -1));
    lua_pop(f->L, 1);
}

/* Each test runs twice: while loading, where statements block, and as a task. */
static void run_both(struct fixture *f, const char *code)
{
    struct ended ended = {0};
    run(f->L, code);
    run(f->L, "db:exec('delete from a')");
    start(f, code, &ended);
    turn_until(f, &ended, 1);
    expect_no_errors(f, &ended);
}

#define LUA_TEST(name, code)       \
    static void name(void **state) \
    {                              \
        run_both(*state, code);    \
    }

LUA_TEST(rows_are_tables_by_column,
         "assert(#db:query('select * from a') == 0 and db:one('select * from a') == nil)\n"
         "local changes, id = db:exec('insert into a (v, w) values (?, ?), (3, 4)', 1, 'two')\n"
         "assert(changes == 2 and id == 2)\n"
         "local rows = db:query('select * from a order by id')\n"
         "assert(#rows == 2 and rows[1].id == 1 and rows[1].v == 1 and rows[1].w == 'two')\n"
         "assert(db:one('select w from a where id = ?', 2).w == 4)\n"
         "local sum = 0\n"
         "for row in db:each('select id from a') do\n"
         "  sum = sum + row.id; db:exec('delete from a where id = ?', row.id)\n"
         "end\n"
         "assert(sum == 3 and db:one('select count(*) as n from a').n == 0)")

LUA_TEST(values_come_back_as_they_were_bound,
         "local function back(value)\n"
         "  local row = db:one('insert into a (v) values (?) returning v, typeof(v) as t', value)\n"
         "  return row.v, row.t\n"
         "end\n"
         "local function is(value, kind, expected)\n"
         "  local v, t = back(value)\n"
         "  assert(v == expected and t == kind, tostring(v) .. t)\n"
         "end\n"
         "is(5, 'integer', 5); is(-0.5, 'real', -0.5); is(1e300, 'real', 1e300)\n"
         "is(1/0, 'real', 1/0); is(true, 'integer', 1); is(false, 'integer', 0)\n"
         "is('a\\0\\195\\169', 'text', 'a\\0\\195\\169'); is('', 'text', '')\n"
         "is(sqlite.blob('\\255\\0'), 'blob', '\\255\\0'); is(sqlite.blob(''), 'blob', '')\n"
         "is(nil, 'null', nil); is(null, 'null', nil)\n"
         "is(2^53 - 1, 'integer', 2^53 - 1); is(2^53, 'integer', '9007199254740992')\n"
         "db:exec('create table if not exists big (n integer)')\n"
         "local row = db:one('insert into big values (?) returning n, typeof(n) as t',\n"
         "  '9223372036854775807')\n"
         "assert(row.n == '9223372036854775807' and row.t == 'integer')\n"
         "assert(db:one('select n from big where n = ?', '9223372036854775807'))\n"
         "local nulls = sqlite.open(':memory:', { nulls = true })\n"
         "assert(nulls:one('select null as n').n == null); nulls:close()")

LUA_TEST(parameters_have_positions_or_names,
         "assert(db:one('select ?2 || ?1 as s', 'a', 'b').s == 'ba')\n"
         "assert(db:one('select :x || @y || :x as s', { x = 'a', y = 'b' }).s == 'aba')\n"
         "assert(db:one('select :x is null as n', { x = null }).n == 1)\n"
         "check('the statement has 2 parameters, got 1', db.query, db, 'select ?, ?', 1)\n"
         "check('the statement has 0 parameters, got 1', db.query, db, 'select 1', 1)\n"
         "check('has no parameter :z', db.query, db, 'select :x', { x = 1, z = 2 })\n"
         "check('there is no value for :x', db.query, db, 'select :x, :z', { z = 2 })\n"
         "check('parameter 1 has no name', db.query, db, 'select ?, :z', { z = 2 })\n"
         "check('has their names as keys', db.query, db, 'select ?', { 1 })\n"
         "check('parameter 1 is a function', db.query, db, 'select ?', print)\n"
         "check('parameter 2 is a table', db.query, db, 'select ?, ?', 1, {})\n"
         "check('parameter :x is a table', db.query, db, 'select :x', { x = {} })\n"
         "check('parameter 1 is NaN', db.query, db, 'select ?', 0/0)\n"
         "check('bind bytes as barq.sqlite.blob(s)', db.query, db, 'select ?', '\\255')\n"
         "check('a statement is a string, not nil', db.query, db)")

LUA_TEST(
    errors_are_objects_that_blame_the_caller,
    "local err = check('app.lua:2: barq.sqlite: SQLITE_CONSTRAINT_PRIMARYKEY: UNIQUE', function()\n"
    "  db:exec('insert into a (id) values (1), (1)') end)\n"
    "assert(getmetatable(err) == sqlite.Error and err.code == 'SQLITE_CONSTRAINT_PRIMARYKEY')\n"
    "assert(err.sql == 'insert into a (id) values (1), (1)' and err.where == 'app.lua:2')\n"
    "check('app.lua:6: barq.sqlite: SQLITE_ERROR: no such column: x (in: select x)', function()\n"
    "  db:query('select x') end)\n"
    "check('app.lua:8: barq.sqlite: SQLITE_ERROR', function()\n"
    "  for _ in db:each('select x') do end end)\n"
    "check('app.lua:10: barq.sqlite: an open database or transaction expected', function()\n"
    "  local r = db.query('select 1') end)\n"
    "check('app.lua:12: barq.sqlite: tx takes a function, not nil', function()\n"
    "  db:tx() end)\n"
    "check('more than one statement', db.query, db, 'select 1; select 2')\n"
    "check('there is no statement in it', db.query, db, ' -- nothing')\n"
    "assert(db:exec(' -- nothing') == 0)\n"
    "assert(#db:query('select 1; -- that is all') == 1)\n"
    "check('SQLITE_CANTOPEN', sqlite.open, '/nonexistent/a.db')\n"
    "check('SQLITE_CANTOPEN', sqlite.open, PATH .. '.absent', { create = false })\n"
    "check('SQLITE_READONLY', function()\n"
    "  local ro = sqlite.open(PATH, { read_only = true }); ro:exec('delete from a') end)\n"
    "check('.open: unknown option \"wal\"; there is: busy_timeout,', sqlite.open, 'x', { wal = 1 "
    "})\n"
    "check('.open: readers is a whole number from 0 to 16', sqlite.open, 'x', { readers = 17 })\n"
    "check('.open: journal is one of', sqlite.open, 'x', { journal = 'x' })\n"
    "check('.open: the path is a string, not nil', sqlite.open)\n"
    "check('.blob: a string expected', sqlite.blob, 5)")

LUA_TEST(a_transaction_is_all_or_nothing,
         "local function count() return db:one('select count(*) as n from a').n end\n"
         "local a, b = db:tx(function(tx)\n"
         "  db:exec('insert into a (v) values (1)'); tx:exec('insert into a (v) values (2)')\n"
         "  assert(tx:one('select count(*) as n from a').n == 2 and count() == 2)\n"
         "  return 'x', nil\n"
         "end)\n"
         "assert(a == 'x' and b == nil and count() == 2)\n"
         "local err = {}\n"
         "local ok, got = pcall(db.tx, db, function() db:exec('delete from a') error(err) end)\n"
         "assert(not ok and got == err and count() == 2)\n"
         "db:tx(function(tx)\n"
         "  check('inner', tx.tx, tx, function() tx:exec('delete from a') error('inner') end)\n"
         "  db:tx(function() db:exec('delete from a where v = 1') end)\n"
         "end)\n"
         "assert(count() == 1)\n"
         "db:exec('pragma foreign_keys = on; create table if not exists c (p integer references '\n"
         "  .. 'a (id) deferrable initially deferred)')\n"
         "check('SQLITE_CONSTRAINT_FOREIGNKEY', db.tx, db, function()\n"
         "  db:exec('insert into c values (999)') end)\n"
         "assert(db:one('select count(*) as n from c').n == 0)\n"
         "check('cannot be left open', db.exec, db, 'begin')\n"
         "check('is over: an earlier error', db.tx, db, function()\n"
         "  pcall(db.exec, db, 'insert or rollback into a (id) select id from a')\n"
         "  db:exec('delete from a') end)\n"
         "assert(count() == 1)")

LUA_TEST(a_begun_transaction_is_an_object,
         "local tx = db:begin()\n"
         "tx:exec('insert into a (v) values (1)')\n"
         "assert(db:one('select count(*) as n from a').n == 0)\n"
         "tx:commit(); tx:rollback()\n"
         "check('the transaction is over', tx.commit, tx)\n"
         "check('the transaction is over', tx.exec, tx, 'delete from a')\n"
         "assert(db:one('select count(*) as n from a').n == 1)\n"
         "tx = db:begin(); tx:exec('delete from a'); tx:rollback()\n"
         "assert(db:one('select count(*) as n from a').n == 1)\n"
         "coroutine.wrap(function() db:begin():exec('delete from a') end)()\n"
         "collectgarbage(); collectgarbage()\n"
         "db:exec('insert into a (v) values (2)')\n"
         "assert(db:one('select count(*) as n from a').n == 2)")

LUA_TEST(a_closed_database_says_so,
         "local other = sqlite.open(PATH)\n"
         "local tx = other:begin(); tx:exec('delete from a')\n"
         "other:close(); other:close()\n"
         "check('the database is closed', other.query, other, 'select 1')\n"
         "check('the database is closed', other.tx, other, print)\n"
         "check('the database is closed', tx.exec, tx, 'select 1')\n"
         "db:exec('insert into a (v) values (1)')")

LUA_TEST(results_are_bounded,
         "local small = sqlite.open(':memory:', { result_bytes_max = 1024, statements = 1 })\n"
         "check('SQLITE_TOOBIG: the rows have more than 1024 bytes', small.query, small,\n"
         "  'select zeroblob(2000) as b')\n"
         "assert(#small:query('select 1') == 1); small:close()")

LUA_TEST(migrations_run_once_and_in_order,
         "db:exec('drop table if exists barq_migrations; drop table if exists m')\n"
         "local steps = { 'create table m (v); insert into m values (1)',\n"
         "  function(tx) tx:exec('update m set v = v + 1') end }\n"
         "assert(sqlite.migrate(db, steps) == 2 and sqlite.migrate(db, steps) == 0)\n"
         "assert(db:one('select v from m').v == 2)\n"
         "steps[3] = 'update m set v = 10; select broken'\n"
         "check('no such column', sqlite.migrate, db, steps)\n"
         "assert(db:one('select v from m').v == 2)\n"
         "steps[3] = 'update m set v = 10'\n"
         "assert(sqlite.migrate(db, steps) == 1 and db:one('select v from m').v == 10)\n"
         "steps[1] = 'create table other (v)'\n"
         "check('app.lua:13: barq.sqlite.migrate: migration 1 is not what was run', function()\n"
         "  sqlite.migrate(db, steps) end)\n"
         "check('step 2 is a string or a function, not number', sqlite.migrate, db, { 'x', 2 })")

LUA_TEST(a_coroutine_of_the_application_may_query,
         "local n = coroutine.wrap(function()\n"
         "  db:exec('insert into a (v) values (1)')\n"
         "  return db:one(SLOW:format(50000)).n\n"
         "end)()\n"
         "assert(n == 50000 and db:one('select count(*) as n from a').n == 1)")

static void a_bare_state_can_use_databases(void **state)
{
    struct fixture *f = *state;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    open_sqlite(L, f->path);
    run(L, "db:tx(function() db:exec('insert into a (v) values (1)') end)");
    run(L, "assert(db:one(SLOW:format(50000)).n == 50000)");
    lua_close(L);
    run(f->L, "assert(db:one('select v from a').v == 1)");
}

static void quick_reads_pass_slow_ones(void **state)
{
    struct fixture *f = *state;
    struct ended slow = {0}, quick = {0};
    run(f->L, "db:exec('insert into a (v) values (1)')");
    for (int i = 0; i < 4; i++) /* two run, two are queued */
        start(f, "assert(db:one(SLOW:format(300000)).n == 300000)", &slow);
    for (int i = 0; i < 50; i++)
        start(f, "assert(db:one('select v from a').v == 1)", &quick);
    assert_int_equal(quick.done, 50);
    assert_int_equal(slow.done, 0);
    start(f, "db:exec('insert into a (v) values (2)')", &quick);
    turn_until(f, &quick, 51);
    turn_until(f, &slow, 4);
    expect_no_errors(f, &slow);
    expect_no_errors(f, &quick);
}

static void transactions_of_tasks_take_turns(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    run(f->L, "db:exec('insert into a (id, v) values (1, 0)')");
    for (int i = 0; i < 10; i++)
        start(f,
              "db:tx(function(tx)\n"
              "  local v = db:one('select v from a where id = 1').v\n"
              "  sleep(0.001)\n"
              "  db:exec('update a set v = ? where id = 1', v + 1)\n"
              "end)",
              &ended);
    for (int i = 0; i < 10; i++)
        start(f, "db:exec('insert into a (v) values (7)')", &ended);
    turn_until(f, &ended, 20);
    expect_no_errors(f, &ended);
    run(f->L, "assert(db:one('select v from a where id = 1').v == 10)\n"
              "assert(db:one('select count(*) as n from a').n == 11)");
}

static void tasks_that_share_a_transaction_take_turns_in_it(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    run(f->L, "shared = db:begin()");
    for (int i = 0; i < 10; i++)
        start(f, "shared:exec('insert into a (v) values (1)'); shared:one(SLOW:format(20000))",
              &ended);
    turn_until(f, &ended, 10);
    expect_no_errors(f, &ended);
    run(f->L, "shared:commit(); assert(db:one('select count(*) as n from a').n == 10)");
}

static void waiting_for_the_others_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    run(f->L, "db:close(); db = sqlite.open(PATH, { wait = 0.02 }); tx = db:begin()");
    start(f, "db:exec('insert into a (v) values (1)')", &ended);
    start(f, "error(select(2, load(function() db:exec('delete from a') end)))", &ended);
    turn_until(f, &ended, 1);
    run(f->L, "assert(last_error:find('and this code cannot wait for it', 1, true), last_error)");
    turn_until(f, &ended, 2);
    assert_int_equal(ended.errors, 2);
    run(f->L, "assert(last_error:find('SQLITE_BUSY: waited 0.02 s', 1, true), last_error)\n"
              "tx:rollback()");
}

/* A task that runs beside who has the first one's transaction, and is joined by it. */
static void nobody_waits_for_who_waits_for_it(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    run(f->L, "db:close(); db = sqlite.open(PATH)");
    struct bq_task *owner = bq_task_take(f->vm);
    luaL_loadstring(owner->L, "db:tx(function() begun = true; sleep(0.3) end)");
    bq_task_push_handle(f->L, owner);
    lua_pop(f->L, 1);
    double number = owner->handle;
    bq_task_start(owner, 0, count_end, &ended);
    turn_until_set(f, "begun");
    struct bq_task *member = bq_task_take(f->vm);
    luaL_loadstring(member->L, "db:exec('delete from a')");
    member->joiner = number;
    bq_task_start(member, 0, count_end, &ended);
    assert_int_equal(ended.done, 1); /* at once */
    run(f->L, "assert(last_error:find('a member of barq.all would wait', 1, true), last_error)");
    start(f, "db:exec('delete from a')", &ended); /* nobody joins this one */
    turn_until(f, &ended, 3);
    assert_int_equal(ended.errors, 1);
}

static void closing_ends_what_runs_and_waits(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    for (int i = 0; i < 4; i++)
        start(f, "db:one(SLOW:format(100000000))", &ended);
    start(f, "db:tx(function() begun = true; sleep(0.3); db:exec('delete from a') end)", &ended);
    turn_until_set(f, "begun");
    start(f, "db:close()", &ended);
    turn_until(f, &ended, 6);
    assert_int_equal(ended.errors, 5);
    run(f->L, "assert(last_error:find('the database is closed', 1, true), last_error)");
}

/* Everything that can be under way when a worker ends. */
static void dropped_tasks_leave_nothing(void **state)
{
    struct fixture *f = *state;
    for (int turns = 0; turns < 12; turns++) {
        struct ended ended = {0};
        for (int i = 0; i < 4; i++)
            start(f, "db:one(SLOW:format(100000000))", &ended);
        start(f, "db:tx(function() db:exec('insert into a (v) values (1)') sleep(9) end)", &ended);
        start(f, "db:tx(function() db:exec('insert into a (v) values (1)') sleep(9) end)", &ended);
        start(f, "db:exec('insert into a (v) values (1)')", &ended);
        for (int i = 0; i < turns; i++)
            bq_loop_run_once(f->loop, 1);
        int done = ended.done;
        bq_tasks_drop(f->vm);
        assert_int_equal(ended.dropped, 7 - done);
        run(f->L, "db:exec('delete from a'); assert(#db:query('select * from a') == 0)");
        for (int i = 0; i < 3; i++)
            bq_loop_run_once(f->loop, 0);
    }
}

static void a_state_may_be_freed_in_the_middle(void **state)
{
    struct fixture *f = *state;
    for (int turns = 0; turns < 6; turns++) {
        struct ended ended = {0};
        start(f, "db:one(SLOW:format(100000000))", &ended);
        start(f, "db:tx(function(tx) tx:exec('insert into a (v) values (1)') sleep(9) end)",
              &ended);
        start(f, "db:exec('insert into a (v) values (2)')", &ended); /* perhaps it is in time */
        for (int i = 0; i < turns; i++)
            bq_loop_run_once(f->loop, 1);
        close_state(f);
        assert_int_equal(ended.done, 3);
        open_state(f);
        run(f->L, "assert(db:one('select count(*) as n from a where v = 1').n == 0)");
    }
}

static void without_threads_the_worker_does_it_itself(void **state)
{
    struct fixture *f = *state;
#ifdef BQ_FAULTS
    struct ended ended = {0};
    bq_fault_arm(BQ_FAULT_thread, 1, true);
    start(f, "db:exec('insert into a (v) values (1)'); assert(db:one(SLOW:format(50000)))", &ended);
    start(f, "db:exec('insert into a (v) values (1)')", &ended);
    turn_until(f, &ended, 2);
    bq_fault_arm(BQ_FAULT_thread, 0, false);
    expect_no_errors(f, &ended);
    run(f->L, "assert(db:one('select count(*) as n from a').n == 2)");
#else
    (void)f;
    skip();
#endif
}

/* With each allocation of ours, then of Lua's, failed in turn: an error or the result. */
static void every_allocation_may_fail(void **state)
{
#ifdef BQ_FAULTS
    static const enum bq_fault_site sites[] = {BQ_FAULT_alloc, BQ_FAULT_lua_alloc};
    struct fixture *f = *state;
    run(f->L, "jit.off() -- which does not survive a refusal (vm/memory.h)\n"
              "function use()\n"
              "  local d = sqlite.open(PATH)\n"
              "  d:exec('insert into a (v) values (?)', 'x')\n"
              "  d:tx(function(tx) tx:exec('delete from a') end)\n"
              "  return #d:query('select 1 as a, ? as b', 'c') == 1\n"
              "end\n"
              "use()");
    for (size_t s = 0; s < 2; s++) {
        bool failed = true;
        for (long nth = 1; failed; nth++) {
            assert_true(nth < 500);
            lua_getglobal(f->L, "use");
            bq_fault_arm(sites[s], nth, false);
            int rc = lua_pcall(f->L, 0, 1, 0);
            failed = bq_fault_hits(sites[s]) > 0;
            bq_fault_arm(sites[s], 0, false);
            assert_true(rc == 0 || failed);
            lua_pop(f->L, 1);
            run(f->L, "collectgarbage(); collectgarbage()");
        }
    }
    run(f->L, "assert(use())");
#else
    (void)state;
    skip();
#endif
}

/* The same where statements wait; whatever fails, the writer's seat is free again. */
static void every_allocation_may_fail_in_a_task(void **state)
{
#ifdef BQ_FAULTS
    struct fixture *f = *state;
    bool failed = true;
    run(f->L, "function use()\n"
              "  db:tx(function(tx) tx:exec('insert into a (v) values (?)', 'x') sleep(0) end)\n"
              "  for row in db:each('delete from a returning v') do assert(row.v == 'x') end\n"
              "end\n");
    for (long nth = 1; failed; nth++) {
        struct ended ended = {0};
        struct bq_task *task = bq_task_take(f->vm);
        assert_true(nth < 500);
        lua_getglobal(task->L, "use");
        bq_fault_arm(BQ_FAULT_lua_alloc, nth, false);
        bq_task_start(task, 0, count_end, &ended);
        turn_until(f, &ended, 1);
        failed = bq_fault_hits(BQ_FAULT_lua_alloc) > 0;
        bq_fault_arm(BQ_FAULT_lua_alloc, 0, false);
        run(f->L, "collectgarbage(); collectgarbage(); db:exec('delete from a')");
    }
#else
    (void)state;
    skip();
#endif
}

/* Workers with a Lua state and a loop each, as in the server. */
#define WORKERS 3

struct worker {
    pthread_t thread;
    struct fixture f;
    struct ended ended;
};

static const char race[] =
    "sqlite.migrate(db, { 'create table n (v integer)', 'insert into n values (0)' })\n"
    "for _ = 1, 20 do\n"
    "  db:tx(function()\n"
    "    db:exec('update n set v = ?', db:one('select v from n').v + 1)\n"
    "  end)\n"
    "  db:exec('insert into a (v) values (1)')\n"
    "end\n";

static void *work(void *arg)
{
    struct worker *w = arg;
    open_state(&w->f);
    for (int i = 0; i < 3; i++)
        start(&w->f, race, &w->ended);
    for (int i = 0; i < 6000 && w->ended.done < 3; i++)
        bq_loop_run_once(w->f.loop, 10);
    if (w->ended.errors) {
        lua_getglobal(w->f.L, "last_error");
        print_message("%s\n", lua_tostring(w->f.L, -1));
    }
    close_state(&w->f);
    return NULL;
}

static void workers_migrate_once_and_lose_no_update(void **state)
{
    struct fixture *f = *state;
    struct worker workers[WORKERS] = {0};
    for (int i = 0; i < WORKERS; i++) {
        workers[i].f = *f;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].ended.done, 3);
        assert_int_equal(workers[i].ended.errors, 0);
    }
    run(f->L, "assert(#db:query('select v from n') == 1)\n"
              "assert(db:one('select v from n').v == 180)\n"
              "assert(db:one('select count(*) as n from a').n == 180)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_tables_by_column),
        TEST(values_come_back_as_they_were_bound),
        TEST(parameters_have_positions_or_names),
        TEST(errors_are_objects_that_blame_the_caller),
        TEST(a_transaction_is_all_or_nothing),
        TEST(a_begun_transaction_is_an_object),
        TEST(a_closed_database_says_so),
        TEST(results_are_bounded),
        TEST(migrations_run_once_and_in_order),
        TEST(a_coroutine_of_the_application_may_query),
        TEST(a_bare_state_can_use_databases),
        TEST(quick_reads_pass_slow_ones),
        TEST(transactions_of_tasks_take_turns),
        TEST(tasks_that_share_a_transaction_take_turns_in_it),
        TEST(waiting_for_the_others_is_bounded),
        TEST(nobody_waits_for_who_waits_for_it),
        TEST(closing_ends_what_runs_and_waits),
        TEST(dropped_tasks_leave_nothing),
        TEST(a_state_may_be_freed_in_the_middle),
        TEST(without_threads_the_worker_does_it_itself),
        TEST(every_allocation_may_fail),
        TEST(every_allocation_may_fail_in_a_task),
        TEST(workers_migrate_once_and_lose_no_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
