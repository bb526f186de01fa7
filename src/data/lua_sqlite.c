/*
 * lua_sqlite.c: databases, transactions and operations as Lua sees them.
 *
 * A statement that is quick is one call: start gives its result. One that is not becomes an
 * operation, a userdata: wait suspends the task until it is done, result gives what came of it.
 * While it is under way the registry keeps it, since a helper thread works in it.
 *
 * Mistakes and SQLite's errors are returned as tables { code, message, sql }; sqlite.lua raises
 * them, at the line of the application.
 */
#include "data/lua_sqlite.h"

#include "base/rc.h"
#include "data/lua_sqlite_values.h"
#include "data/sqlite_pool.h"
#include "vm/lua_task.h"
#include "vm/outward.h"
#include "vm/task.h"

#define DB_TYPE "barq.sqlite.db"
#define TX_TYPE "barq.sqlite.tx"
#define OP_TYPE "barq.sqlite.op"

#define KEPT_BYTES_MAX ((size_t)256 << 10) /* buffers that are larger are not kept */

/* What is wanted of a statement. */
enum want { WANT_ROWS = 1, WANT_ROW, WANT_CHANGES, WANT_CURSOR };

struct tx;

struct db {
    struct bq_sqlite_pool *pool; /* NULL: it could not be made */
    struct op *spare;            /* for the next statement; spare_ref keeps it */
    int spare_ref;
    bool nulls;     /* rows have barq.null for NULL */
    struct tx *own; /* the open transaction that belongs to a task, or NULL */
};

/* Its environment is a table that keeps its database [1] and its task's coroutine [2]: as long as
 * a dropped task's transaction is there, no other coroutine has the address of its own. */
struct tx {
    struct bq_sqlite_hold hold;
    struct bq_task_guard guard; /* its task's, which may be dropped */
    struct db *db;
    const void *owner; /* the coroutine whose statements are in it, or NULL */
};

struct op {
    struct bq_sqlite_op sql; /* the first member: told gets its address */
    struct bq_vm *vm;
    struct bq_task *task;
    int ref; /* while it is under way */
    enum want want;
    bool busy; /* as the spare */
    bool nulls;
    bool direct; /* its rows go to the server as they are (vm/rows.h) */
    struct bq_rows rows;
    size_t rows_read; /* as a cursor */
};

/* --- types --- */

static void *test_type(lua_State *L, int index, const char *type)
{
    void *p = lua_touserdata(L, index);
    if (!p || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, type);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? p : NULL;
}

static struct op *check_op(lua_State *L, int index)
{
    return luaL_checkudata(L, index, OP_TYPE);
}

/* The coroutine that stands for who runs now; NULL for whatever runs outside of tasks. */
static const void *who_runs(lua_State *L)
{
    const struct bq_vm *vm = bq_vm_of(L);
    return vm && vm->running ? vm->running->L : NULL;
}

/* A database, and the transaction that its statements now belong to; or a transaction. NULL for any
 * other value, and for what is collected (another finaliser may still see it). */
static struct db *find_target(lua_State *L, int index, struct tx **tx)
{
    struct db *db = test_type(L, index, DB_TYPE);
    if (!db) {
        *tx = test_type(L, index, TX_TYPE);
        return *tx && (*tx)->hold.pool && (*tx)->db->pool ? (*tx)->db : NULL;
    }
    *tx = db->own && db->own->hold.seat && db->own->owner == who_runs(L) ? db->own : NULL;
    return db->pool ? db : NULL;
}

static struct db *check_target(lua_State *L, int index, struct tx **tx)
{
    struct db *db = find_target(L, index, tx);
    if (!db) {
        luaL_where(L, 2);
        lua_pushfstring(L,
                        "barq.sqlite: an open database or transaction expected, got %s: "
                        "call methods with a colon, db:query(sql)",
                        luaL_typename(L, index));
        lua_concat(L, 2);
        lua_error(L);
    }
    return db;
}

/* --- operations --- */

static void told(struct bq_sqlite_op *sql)
{
    struct op *op = (struct op *)sql;
    luaL_unref(op->vm->L, LUA_REGISTRYINDEX, op->ref);
    op->ref = LUA_NOREF;
    if (op->sql.state == BQ_SQLITE_DONE)
        bq_task_wake(op->task, 0);
}

static void leave(void *arg)
{
    struct op *op = arg;
    if (!bq_sqlite_op_leave(&op->sql))
        return;
    luaL_unref(op->vm->L, LUA_REGISTRYINDEX, op->ref);
    op->ref = LUA_NOREF;
}

static int free_op(lua_State *L)
{
    struct op *op = lua_touserdata(L, 1);
    bq_sqlite_call_release(&op->sql.call);
    if (op->sql.pool)
        bq_sqlite_pool_unref(op->sql.pool);
    op->sql.pool = NULL;
    return 0;
}

/* Pushes it. */
static struct op *new_op(lua_State *L, struct db *db)
{
    struct op *op = lua_newuserdata(L, sizeof *op);
    memset(op, 0, sizeof *op);
    luaL_getmetatable(L, OP_TYPE);
    lua_setmetatable(L, -2);
    op->ref = LUA_NOREF;
    op->vm = bq_vm_of(L);
    op->nulls = db->nulls;
    op->sql.told = told;
    op->sql.pool = db->pool;
    bq_sqlite_pool_ref(db->pool);
    return op;
}

/* Pushes the spare, or another one that is the spare from now on: the old one belongs to a call
 * further up (this is a finaliser), or to one that ended in an error. */
static struct op *take_spare(lua_State *L, struct db *db)
{
    if (db->spare && !db->spare->busy) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, db->spare_ref);
    } else {
        struct op *op = new_op(L, db);
        lua_pushvalue(L, -1);
        if (db->spare)
            lua_rawseti(L, LUA_REGISTRYINDEX, db->spare_ref);
        else
            db->spare_ref = luaL_ref(L, LUA_REGISTRYINDEX);
        db->spare = op;
    }
    db->spare->busy = true;
    return db->spare;
}

static void keep_small(struct bq_buf *buf)
{
    if (buf->cap > KEPT_BYTES_MAX)
        bq_buf_release(buf);
}

static void give_spare(struct op *op)
{
    keep_small(&op->sql.call.rows);
    keep_small(&op->sql.call.params);
    op->busy = false;
}

/* The operation on the stack is Lua's from now on. */
static void part_with_spare(lua_State *L, struct db *db, const struct op *op)
{
    if (db->spare != op)
        return;
    luaL_unref(L, LUA_REGISTRYINDEX, db->spare_ref);
    db->spare_ref = LUA_NOREF;
    db->spare = NULL;
}

/* --- results --- */

static void push_buffer(lua_State *L, const struct bq_buf *buf)
{
    bq_str s = bq_buf_str(buf);
    lua_pushlstring(L, s.p, s.n);
}

/* Pushes { code, message, sql }. */
static void push_error(lua_State *L, const struct op *op)
{
    const struct bq_sqlite_call *call = &op->sql.call;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, bq_sqlite_code_name(call->code));
    lua_setfield(L, -2, "code");
    push_buffer(L, &call->message);
    lua_setfield(L, -2, "message");
    lua_pushlstring(L, call->sql.p, call->sql.n);
    lua_setfield(L, -2, "sql");
}

/* Pushes what was wanted of a call that succeeded, two values. */
static void push_wanted(lua_State *L, struct op *op)
{
    switch (op->want) {
    case WANT_CHANGES:
        bq_sqlite_push_integer(L, op->sql.call.changes);
        bq_sqlite_push_integer(L, op->sql.call.last_id);
        return;
    case WANT_ROWS:
        bq_sqlite_push_rows(L, &op->sql.call, op->nulls);
        break;
    case WANT_ROW:
        if (op->sql.call.row_count)
            bq_sqlite_push_row(L, &op->sql.call, bq_sqlite_push_names(L, &op->sql.call), op->nulls);
        else
            lua_pushnil(L);
        break;
    case WANT_CURSOR:
        lua_pushnil(L);
        break;
    }
    lua_pushnil(L);
}

static void push_tables(struct bq_rows *rows, lua_State *L)
{
    struct op *op = BQ_CONTAINER(rows, struct op, rows);
    push_wanted(L, op);
    lua_pop(L, 1);
    lua_insert(L, 1); /* the names that push_names left lay below */
    lua_settop(L, 1);
}

static void release_rows(struct bq_rows *rows)
{
    struct op *op = BQ_CONTAINER(rows, struct op, rows);
    if (op->busy)
        give_spare(op);
    else
        bq_sqlite_call_release(&op->sql.call);
}

/* Whether what the method returns is what the task returns: it was a tail call of the function that
 * the task runs, so that below the method (level 1) there is no other, and it wants rows. */
static bool is_direct(lua_State *L, const struct op *op)
{
    lua_Debug info;
    const struct bq_task *task = op->vm ? op->vm->running : NULL;
    return task && task->takes_rows && task->L == L &&
           (op->want == WANT_ROWS || op->want == WANT_ROW) && !lua_getstack(L, 2, &info);
}

/* False: there is no row where one is wanted, which is nil. */
static bool give_rows(struct op *op)
{
    const struct bq_sqlite_call *call = &op->sql.call;
    if (op->want == WANT_ROW && call->row_count == 0)
        return false;
    op->rows = (struct bq_rows){
        .names = bq_buf_str(&call->names),
        .cells = bq_buf_str(&call->rows),
        .columns = call->columns,
        .count = call->row_count,
        .one = op->want == WANT_ROW,
        .nulls = op->nulls,
        .push = push_tables,
        .release = release_rows,
    };
    op->vm->running->rows = &op->rows;
    return true;
}

/* next_row(op) → row, or nil at the end. A cursor is an operation that is done. */
static int l_next_row(lua_State *L)
{
    struct op *op = check_op(L, 1);
    if (op->rows_read >= op->sql.call.row_count) {
        bq_sqlite_call_release(&op->sql.call);
        return 0;
    }
    int names = bq_sqlite_push_names(L, &op->sql.call);
    bq_sqlite_push_row(L, &op->sql.call, names, op->nulls);
    op->rows_read++;
    return 1;
}

/* --- running --- */

static bool can_wait(lua_State *L, const struct bq_vm *vm)
{
    return vm && vm->running && lua_isyieldable(L);
}

/* A member of barq.all, whose caller has begun the transaction that op would wait for, and ends it
 * only after its members. */
static bool waits_forever(struct op *op, const struct bq_task *task)
{
    struct bq_sqlite_hold *hold = bq_sqlite_op_obstacle(&op->sql);
    return hold && bq_task_holds_up(task, BQ_CONTAINER(hold, struct tx, hold)->owner);
}

static void refuse_to_wait(struct bq_sqlite_op *sql)
{
    sql->rc = bq_sqlite_fail(&sql->call, BQ_SQLITE_MISUSE,
                             "a member of barq.all would wait here for the transaction that "
                             "barq.all was called in, which waits for its members: use what db:tx "
                             "gives its function, tx:exec(…), or call barq.all outside of it");
    sql->state = BQ_SQLITE_DONE;
}

/* wait(op): until it is done. Where nothing can wait, it runs here. */
static int l_wait(lua_State *L)
{
    struct op *op = check_op(L, 1);
    if (op->sql.state != BQ_SQLITE_NEW)
        return 0;
    if (!can_wait(L, op->vm)) {
        bq_sqlite_op_block(&op->sql);
        return 0;
    }
    struct bq_task *task = bq_task_running(L, "barq.sqlite");
    if (waits_forever(op, task)) {
        refuse_to_wait(&op->sql);
        return 0;
    }
    lua_pushvalue(L, 1);
    op->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    op->task = task;
    bq_sqlite_op_go(&op->sql);
    return bq_task_wait(L, task, leave, op);
}

/* result(op) → true, what was wanted │ false, error */
static int l_result(lua_State *L)
{
    struct op *op = check_op(L, 1);
    bool ok = op->sql.state == BQ_SQLITE_DONE && op->sql.rc == BQ_OK;
    lua_pushboolean(L, ok);
    if (!ok) {
        push_error(L, op);
        return 2;
    }
    if (op->direct && give_rows(op)) {
        lua_pushvalue(L, 1);
        lua_pushnil(L);
        return 3;
    }
    push_wanted(L, op);
    /* What push_names left lies below. */
    lua_pushboolean(L, true);
    lua_insert(L, -3);
    if (op->want != WANT_CURSOR)
        bq_sqlite_call_release(&op->sql.call); /* Lua does not know how much it holds */
    return 3;
}

/* The operation lies at index at; it is done. */
static int give_result(lua_State *L, struct db *db, struct op *op, int at)
{
    if (op->sql.rc != BQ_OK) {
        lua_pushboolean(L, false);
        push_error(L, op);
        give_spare(op);
        return 2;
    }
    if (op->want == WANT_CURSOR) {
        part_with_spare(L, db, op);
        lua_pushvalue(L, at);
        return 1;
    }
    if (op->direct && give_rows(op)) {
        lua_pushnil(L);
        lua_pushvalue(L, at);
        return 2;
    }
    push_wanted(L, op);
    lua_pushnil(L);
    lua_insert(L, -3);
    give_spare(op);
    return 3;
}

/* start(db or tx, want, sql, …) → nil, what was wanted │ false, error │ op: wait for it; with
 * WANT_CURSOR always that. */
static int l_start(lua_State *L)
{
    struct tx *tx;
    int last = lua_gettop(L);
    struct db *db = check_target(L, 1, &tx);
    struct op *op = take_spare(L, db);
    int at = lua_gettop(L);
    struct bq_sqlite_call *call = &op->sql.call;
    bq_sqlite_op_init(&op->sql, db->pool, tx ? &tx->hold : NULL, BQ_SQLITE_STATEMENT);
    op->want = (enum want)lua_tointeger(L, 2);
    op->rows_read = 0;
    op->direct = is_direct(L, op);
    int rc;
    if (lua_type(L, 3) == LUA_TSTRING) {
        call->sql.p = lua_tolstring(L, 3, &call->sql.n);
        call->script = op->want == WANT_CHANGES;
        call->one = op->want == WANT_ROW;
        rc = bq_sqlite_pack_params(L, 4, last, call);
    } else {
        rc = bq_sqlite_fail(call, BQ_SQLITE_MISUSE, "a statement is a string, not %s",
                            luaL_typename(L, 3));
    }
    if (rc != BQ_OK) {
        op->sql.rc = rc;
        op->sql.state = BQ_SQLITE_DONE;
        return give_result(L, db, op, at);
    }
    if (bq_sqlite_op_try(&op->sql))
        return give_result(L, db, op, at);
    part_with_spare(L, db, op);
    lua_pushvalue(L, at);
    return 1;
}

/* --- transactions --- */

static int free_tx(lua_State *L)
{
    struct tx *tx = lua_touserdata(L, 1);
    if (!tx->hold.pool)
        return 0;
    bq_list_remove(&tx->guard.node);
    bq_sqlite_hold_abandon(&tx->hold);
    if (tx->db->own == tx)
        tx->db->own = NULL;
    bq_sqlite_pool_unref(tx->hold.pool);
    tx->hold.pool = NULL;
    return 0;
}

/* Pushes the environment of a transaction of the database at index 1. */
static void push_keeper(lua_State *L, const struct bq_vm *vm)
{
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    if (!vm || !vm->running)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->running->ref);
    lua_rawseti(L, -2, 2);
}

/* begin(db) → tx, op: it has begun when op is done */
static int l_begin(lua_State *L)
{
    struct tx *tx;
    struct db *db = check_target(L, 1, &tx);
    tx = lua_newuserdata(L, sizeof *tx);
    memset(tx, 0, sizeof *tx);
    luaL_getmetatable(L, TX_TYPE);
    lua_setmetatable(L, -2);
    push_keeper(L, bq_vm_of(L));
    lua_setfenv(L, -2);
    tx->db = db;
    bq_sqlite_hold_init(&tx->hold, db->pool);
    bq_sqlite_pool_ref(db->pool);
    struct op *op = new_op(L, db);
    bq_sqlite_op_init(&op->sql, db->pool, &tx->hold, BQ_SQLITE_BEGIN);
    op->want = WANT_CURSOR;
    if (!bq_sqlite_op_try(&op->sql))
        op->sql.call.sql = BQ_STR("begin immediate");
    return 2;
}

static void abandon(struct bq_task_guard *guard)
{
    bq_sqlite_hold_abandon(&BQ_CONTAINER(guard, struct tx, guard)->hold);
}

/* own(tx): the statements of the running task on the database itself are in it, too */
static int l_own(lua_State *L)
{
    struct tx *tx = luaL_checkudata(L, 1, TX_TYPE);
    struct bq_vm *vm = bq_vm_of(L);
    tx->owner = who_runs(L);
    tx->guard.fn = abandon;
    if (vm && vm->running)
        bq_list_push(&vm->running->guards, &tx->guard.node);
    tx->db->own = tx;
    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, 1);
    lua_getfenv(L, -1); /* the database's, which is weak */
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    return 0;
}

/* current(db or tx) → the transaction that a statement would be in now, or nil */
static int l_current(lua_State *L)
{
    struct tx *tx;
    check_target(L, 1, &tx);
    if (!tx)
        return 0;
    if (test_type(L, 1, TX_TYPE)) {
        lua_pushvalue(L, 1);
        return 1;
    }
    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, 1);
    return 1;
}

/* commit(tx) → op */
static int l_commit(lua_State *L)
{
    struct tx *tx;
    struct db *db = check_target(L, 1, &tx);
    if (!tx)
        return luaL_error(L, "barq.sqlite: a transaction expected, got a database");
    struct op *op = new_op(L, db);
    bq_sqlite_op_init(&op->sql, tx->hold.pool, &tx->hold, BQ_SQLITE_COMMIT);
    op->sql.call.sql = BQ_STR("commit");
    op->want = WANT_CURSOR;
    bq_sqlite_op_try(&op->sql); /* it may be over already */
    return 1;
}

/* roll_back(tx): if it is still open. Does not wait, so that a task that is cancelled can do it. */
static int l_roll_back(lua_State *L)
{
    struct tx *tx = luaL_checkudata(L, 1, TX_TYPE);
    bq_sqlite_hold_abandon(&tx->hold);
    tx->hold.broken = tx->hold.seat != NULL; /* it is over, and was not left */
    return 0;
}

/* --- databases --- */

static int close_db(lua_State *L)
{
    struct db *db = lua_touserdata(L, 1);
    if (!db->pool)
        return 0;
    bq_sqlite_pool_close(db->pool);
    bq_sqlite_pool_unref(db->pool);
    db->pool = NULL;
    return 0;
}

/* close(db): its memory stays until it is collected */
static int l_close(lua_State *L)
{
    struct tx *tx;
    bq_sqlite_pool_close(check_target(L, 1, &tx)->pool);
    return 0;
}

static double number_field(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    double d = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return d;
}

static bool flag_field(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* open(path, options) → db, op: it is open when op is done. The options are whole, and checked. */
static int l_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const struct bq_vm *vm = bq_vm_of(L); /* NULL in a bare interpreter */
    const struct bq_sqlite_options options = {
        .journal = (enum bq_sqlite_journal)number_field(L, "journal"),
        .synchronous = (enum bq_sqlite_synchronous)number_field(L, "synchronous"),
        .read_only = flag_field(L, "read_only"),
        .create = flag_field(L, "create"),
        .foreign_keys = flag_field(L, "foreign_keys"),
        .busy_ms = (uint32_t)(number_field(L, "busy_timeout") * 1000),
        .statements_max = (size_t)number_field(L, "statements"),
        .result_bytes_max = (size_t)number_field(L, "result_bytes_max"),
    };
    struct db *db = lua_newuserdata(L, sizeof *db);
    *db = (struct db){.spare_ref = LUA_NOREF, .nulls = flag_field(L, "nulls")};
    luaL_getmetatable(L, DB_TYPE);
    lua_setmetatable(L, -2);
    lua_newtable(L);
    luaL_getmetatable(L, DB_TYPE ".weak");
    lua_setmetatable(L, -2);
    lua_setfenv(L, -2);
    db->pool = bq_sqlite_pool_new(path, &options, (size_t)number_field(L, "readers"),
                                  (uint64_t)(number_field(L, "wait") * 1000), vm ? vm->loop : NULL);
    if (!db->pool)
        return luaL_error(L, "barq.sqlite.open: not enough memory");
    bq_sqlite_pool_set_tally(db->pool, lua_touserdata(L, lua_upvalueindex(1)));
    struct op *op = new_op(L, db);
    bq_sqlite_op_init(&op->sql, db->pool, NULL, BQ_SQLITE_OPEN);
    op->want = WANT_CURSOR;
    bq_sqlite_op_try(&op->sql);
    return 2;
}

/* --- the module --- */

static void make_type(lua_State *L, const char *type, lua_CFunction gc)
{
    luaL_newmetatable(L, type);
    lua_pushstring(L, "barq.sqlite");
    lua_setfield(L, -2, "__metatable");
    if (gc) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
}

/* Methods of a type are what sqlite.lua puts into core[name]. */
static void add_methods(lua_State *L, const char *name)
{
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
}

void bq_sqlite_open_module(lua_State *L, struct bq_sqlite_tally *tally)
{
    static const luaL_Reg functions[] = {
        {"begin", l_begin},         {"close", l_close},
        {"current", l_current},     {"commit", l_commit},
        {"roll_back", l_roll_back}, {"next_row", l_next_row},
        {"open", l_open},           {"own", l_own},
        {"result", l_result},       {"shield", bq_task_shield},
        {"start", l_start},         {"wait", l_wait},
    };
    lua_newtable(L);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushlightuserdata(L, tally); /* for l_open */
        lua_pushcclosure(L, functions[i].func, 1);
        lua_setfield(L, -2, functions[i].name);
    }
    if (bq_vm_of(L)) { /* in a bare state nothing waits */
        lua_getfield(L, -1, "wait");
        bq_task_wrap(L);
        lua_setfield(L, -2, "wait");
    }
    make_type(L, OP_TYPE, free_op);
    lua_pop(L, 1);
    luaL_newmetatable(L, DB_TYPE ".weak");
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_pop(L, 1);
    make_type(L, DB_TYPE, close_db);
    add_methods(L, "db_methods");
    make_type(L, TX_TYPE, free_tx);
    add_methods(L, "tx_methods");
    make_type(L, BQ_SQLITE_BLOB_TYPE, NULL);
    lua_setfield(L, -2, "blob_type");
}
