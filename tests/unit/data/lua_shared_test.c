/* lua_shared_test.c: barq.shared as the application sees it, with and without tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/flight.h"
#include "data/lua_shared.h"
#include "vm/task.h"

#include <pthread.h>
#include <stdlib.h>

struct fixture {
    struct bq_stores *stores;
    struct bq_loop *loop;
    struct bq_vm *vm;
    lua_State *L;
};

static void run(lua_State *L, const char *code)
{
    if (luaL_loadbuffer(L, code, strlen(code), "=app.lua") || lua_pcall(L, 0, 0, 0))
        fail_msg("%s\n%s", code, lua_tostring(L, -1));
}

/* raises(fn, …) gives the error; check(text, fn, …) wants that text in it. */
static const char prelude[] =
    "shared = dofile(ROOT .. '/lua/barq/shared.lua')\n"
    "function check(text, fn, ...)\n"
    "  local ok, err = pcall(fn, ...)\n"
    "  assert(not ok, 'did not raise')\n"
    "  if not tostring(err):find(text, 1, true) then error('raised ' .. tostring(err), 2) end\n"
    "end\n"
    "s = shared('test', { bytes_max = 1024 * 1024 })\n";

static void open_shared(lua_State *L, struct bq_stores *stores)
{
    int top = lua_gettop(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    bq_shared_open(L, stores);
    assert_int_equal(lua_gettop(L), top + 3);
    lua_setfield(L, -2, "barq.shared.core");
    lua_pushliteral(L, BARQ_SOURCE_DIR);
    lua_setglobal(L, "ROOT");
    lua_settop(L, top);
    run(L, prelude);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->stores = bq_stores_new();
    f->loop = bq_loop_new();
    f->vm = bq_vm_new(f->loop, 0);
    f->L = f->vm->L;
    open_shared(f->L, f->stores);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bq_vm_free(f->vm);
    bq_loop_free(f->loop);
    bq_stores_free(f->stores);
    free(f);
    return 0;
}

#define LUA_TEST(name, code)        \
    static void name(void **state)  \
    {                               \
        struct fixture *f = *state; \
        run(f->L, code);            \
    }

LUA_TEST(get_gives_what_set_stored, "assert(s:get('k') == nil and s:get('k', 7) == 7)\n"
                                    "s:set('k', { a = { 1, 2 } })\n"
                                    "local v = s:get('k')\n"
                                    "assert(v.a[2] == 2); v.a[2] = 3\n"
                                    "assert(s:get('k').a[2] == 2)\n"
                                    "s:set('k', false); assert(s:get('k', true) == false)\n"
                                    "s:set('k', nil); assert(s:get('k') == nil and s:count() == 0)")

LUA_TEST(integers_are_keys_by_their_digits,
         "s:set(1, 'one'); assert(s:get('1') == 'one' and s:get(1) == 'one')\n"
         "s:set(2^53, 'big'); assert(s:get('9007199254740992') == 'big')\n"
         "s:set(-5, 'neg'); assert(s:get('-5') == 'neg')\n"
         "check('app.lua:5: barq.shared \"test\": the key 1.5', function()\n s:get(1.5) end)\n"
         "check('is not an integer', s.get, s, 0/0)\n"
         "check('is not an integer', s.get, s, 1/0)\n"
         "check('is not an integer', s.get, s, 2^54)")

LUA_TEST(add_and_delete_say_what_they_did,
         "assert(s:add('k', 1) == true and s:add('k', 2) == false and s:get('k') == 1)\n"
         "assert(s:delete('k') == true and s:delete('k') == false)\n"
         "check('nil cannot be added', s.add, s, 'k', nil)")

LUA_TEST(
    incr_counts,
    "assert(s:incr('n') == 1 and s:incr('n', 5) == 6 and s:incr('n', -0.5) == 5.5)\n"
    "assert(s:get('n') == 5.5)\n"
    "assert(s:incr('m', 1, { init = 10 }) == 11)\n"
    "s:set('n', 3); assert(s:incr('n') == 4)\n"
    "s:set('t', {}); check('\"t\" cannot be incremented: it is not a number', s.incr, s, 't')\n"
    "check('delta is a finite number', s.incr, s, 'n', 'x')\n"
    "check('delta is a finite number', s.incr, s, 'n', 0/0)\n"
    "check('init is a finite number', s.incr, s, 'n', 1, { init = {} })\n"
    "s:set('n', 1e308); check('the sum is not finite', s.incr, s, 'n', 1e308)")

LUA_TEST(ttl_is_in_seconds,
         "s:set('k', 1, { ttl = 100 }); local left = s:ttl('k')\n"
         "assert(left > 99 and left <= 100)\n"
         "s:set('k', 1); assert(s:ttl('k') == nil and s:ttl('absent') == nil)\n"
         "s:set('k', 1, { ttl = math.huge }); assert(s:ttl('k') == nil)\n"
         "s:incr('n', 1, { ttl = 0.0001 }); s:set('gone', 1, { ttl = 0.001 })\n"
         "local t = os.clock(); while os.clock() - t < 0.01 do end\n"
         "assert(s:get('gone') == nil and s:get('n') == nil and s:count() == 1)\n"
         "for _, bad in ipairs{ 0, -1, 0/0, 'x', {} } do\n"
         "  check('ttl is a number of seconds above 0', s.set, s, 'k', 1, { ttl = bad })\n"
         "  check('ttl is', s.add, s, 'new', 1, { ttl = bad })\n"
         "  check('ttl is', s.incr, s, 'new', 1, { ttl = bad })\n"
         "  check('ttl is', s.update, s, 'new', tostring, { ttl = bad })\n"
         "  check('ttl is', s.get_or, s, 'new', tostring, { ttl = bad })\n"
         "end\n"
         "assert(s:get('new') == nil)")

LUA_TEST(keys_are_sorted_and_bounded,
         "for _, k in ipairs{ 'b2', 'a', 'b10', 'b1' } do s:set(k, 1) end\n"
         "assert(table.concat(s:keys(), ' ') == 'a b1 b10 b2')\n"
         "assert(table.concat(s:keys('b'), ' ') == 'b1 b10 b2')\n"
         "assert(#s:keys('b', 2) == 2 and #s:keys('', 0) == 0 and #s:keys('c') == 0)\n"
         "check('prefix of keys', s.keys, s, 5)\n"
         "check('limit of keys', s.keys, s, '', -1)\n"
         "assert(s:count() == 4); s:clear(); assert(s:count() == 0)")

LUA_TEST(update_stores_what_the_function_returns,
         "assert(s:update('k', function(old) assert(old == nil) return { 1 } end)[1] == 1)\n"
         "assert(#s:update('k', function(old) old[2] = 2 return old end) == 2)\n"
         "assert(s:get('k')[2] == 2)\n"
         "check('boom', s.update, s, 'k', function() error('boom') end)\n"
         "assert(s:get('k')[2] == 2)\n"
         "assert(s:update('k', function() end) == nil and s:get('k') == nil)\n"
         "check('takes a function, not nil', s.update, s, 'k')")

LUA_TEST(update_keeps_the_expiry_unless_told,
         "s:set('k', 1, { ttl = 100 })\n"
         "s:update('k', function(n) return n + 1 end); assert(s:ttl('k') > 99)\n"
         "s:update('k', function(n) return n + 1 end, { ttl = 500 }); assert(s:ttl('k') > 499)\n"
         "s:update('k', function(n) return n + 1 end, { ttl = math.huge })\n"
         "assert(s:ttl('k') == nil and s:get('k') == 4)")

LUA_TEST(update_runs_again_when_the_key_changes_meanwhile,
         "local runs = 0\n"
         "local new = s:update('k', function(old)\n"
         "  runs = runs + 1\n"
         "  if runs < 4 then s:set('k', runs * 10) end\n"
         "  return (old or 0) + 1\n"
         "end)\n"
         "assert(runs == 4 and new == 31 and s:get('k') == 31)\n"
         "s:set('k', 1)\n"
         "assert(s:update('k', function(old)\n"
         "  if old == 1 then s:delete('k'); s:set('k', 2) end\n"
         "  return old * 10\n"
         "end) == 20)\n"
         "check('changed by others', s.update, s, 'k', function(n) s:incr('k') return n end)")

LUA_TEST(
    mistakes_are_blamed_on_the_line_that_made_them,
    "check('app.lua:2: barq.shared \"test\": a key is a string or an integer, not nil', "
    "function()\n"
    "  s:get(nil) end)\n"
    "check('app.lua:4: barq.shared \"test\": a key is', function()\n"
    "  s:set({}, 1) end)\n"
    "check('app.lua:6: barq.shared \"test\": the value for \"k\": a.b[3]: a function', function()\n"
    "  s:set('k', { a = { b = { 1, 2, print } } }) end)\n"
    "check('app.lua:8: barq.shared: unknown option \"tll\" of set; there is: ttl', function()\n"
    "  s:set('k', 1, { tll = 5 }) end)\n"
    "check('app.lua:10: barq.shared: a store expected, got string: call methods with', function()\n"
    "  s.get('k') end)\n"
    "check('app.lua:12: barq.shared: the options of set are a table', function()\n"
    "  s:set('k', 1, 5) end)\n"
    "check('app.lua:14: barq.shared \"test\": the value for \"k\": a function', function()\n"
    "  s:update('k', function() return print end) end)\n"
    "check('app.lua:16: barq.shared \"test\": the value for \"k\": a function', function()\n"
    "  s:get_or('k', function() return print end) end)\n"
    "check('the key has 1025 bytes, 1024 are allowed', s.get, s, ('k'):rep(1025))\n"
    "check('too large: this store takes', s.set, s, 'k', ('x'):rep(100000))\n"
    "check('a store expected, got userdata', s.get, io.stdout, 'k')\n"
    "assert(s:count() == 0)")

LUA_TEST(stores_are_opened_by_name,
         "assert(shared('test') == s and tostring(s) == 'barq.shared \"test\"')\n"
         "local other = shared('other'); other:set('k', 1); assert(s:get('k') == nil)\n"
         "shared('test', { bytes_max = 1024 * 1024 })\n"
         "check('app.lua:5: barq.shared \"test\": it is open already', function()\n"
         "  shared('test', { bytes_max = 2 ^ 22 }) end)\n"
         "check('the name of a store is a string, not nil', shared)\n"
         "check('unknown option \"size\"', shared, 'x', { size = 1 })\n"
         "for _, bad in ipairs{ 1, 'x', 1e6 + 0.5, 0/0, 1/0, -1 } do\n"
         "  check('bytes_max is a whole number', shared, 'x', { bytes_max = bad })\n"
         "end\n"
         "check('cannot be opened', shared, ('x'):rep(300))\n"
         "assert(getmetatable(s) == 'barq.shared')")

LUA_TEST(the_annotations_name_what_the_core_has,
         "local core, named = require('barq.shared.core'), {}\n"
         "local file = assert(io.open(ROOT .. '/lua/meta/shared.lua')):read('*a')\n"
         "for name in file:gmatch('\\nfunction core%.(%w+)') do named[name] = 'function' end\n"
         "for name in file:gmatch('%-%-%-@field (%w+)') do named[name] = true end\n"
         "for name in pairs(core) do assert(named[name], name); named[name] = nil end\n"
         "assert(next(named) == nil, next(named))")

/* The finaliser runs in the middle of unpacking, and uses the same store. */
LUA_TEST(a_finaliser_may_use_the_store,
         "local big = {}\n"
         "for i = 1, 500 do big[i] = { ('v' .. i):rep(5) } end\n"
         "s:set('big', big); s:set('other', ('z'):rep(40000))\n"
         "local ran = 0\n"
         "for round = 1, 60 do\n"
         "  for _ = 1, 20 do\n"
         "    getmetatable(newproxy(true)).__gc = function()\n"
         "      ran = ran + 1; assert(#s:get('other') == 40000); s:set('x', { ran })\n"
         "    end\n"
         "  end\n"
         "  local got = s:get('big')\n"
         "  for i = 1, 500 do assert(got[i][1] == ('v' .. i):rep(5)) end\n"
         "end\n"
         "collectgarbage(); assert(ran > 100)")

LUA_TEST(get_or_computes_once_while_loading,
         "local runs = 0\n"
         "local function compute(key) runs = runs + 1 return { key, runs } end\n"
         "assert(s:get_or('k', compute)[1] == 'k')\n"
         "assert(s:get_or('k', compute)[2] == 1 and runs == 1)\n"
         "assert(s:get_or('nothing', function() end) == nil)\n"
         "assert(s:get_or('nothing', compute, { ttl = 100 })[2] == 2 and s:ttl('nothing') > 99)\n"
         "local err = { 'an object' }\n"
         "local ok, got = pcall(s.get_or, s, 'e', function() error(err) end)\n"
         "assert(not ok and got == err)\n"
         "assert(s:get_or('e', compute)[2] == 3)\n"
         "check('the function that computes \"r\" asks for it itself', s.get_or, s, 'r',\n"
         "  function() return s:get_or('r', compute) end)\n"
         "assert(s:get_or('r', compute)[2] == 4)\n"
         "check('takes a function, not nil', s.get_or, s, 'k2')\n"
         "check('wait is a number', s.get_or, s, 'k2', compute, { wait = -1 })\n"
         "check('unknown option', s.get_or, s, 'k2', compute, { timeout = 1 })")

static void while_loading_nobody_can_wait(void **state)
{
    struct fixture *f = *state;
    struct bq_store *store;
    struct bq_flight *flight;
    struct bq_buf buf = BQ_BUF_INIT;
    bq_stores_open(f->stores, BQ_STR("test"), 0, &store);
    assert_int_equal(bq_flight_begin(store, BQ_STR("k"), f, &buf, &flight), BQ_NOT_FOUND);
    run(f->L, "check('\"k\" is being computed by another worker', s.get_or, s, 'k', tostring)");
    bq_flight_end(flight, false);
    run(f->L, "assert(s:get_or('k', tostring) == 'k')");
}

/* Without a vm, as in a bare interpreter. */
static void a_bare_state_can_use_stores(void **state)
{
    struct fixture *f = *state;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    open_shared(L, f->stores);
    run(L, "s:set('k', { 1 }); assert(s:get_or('k', error)[1] == 1)");
    run(f->L, "assert(s:get('k')[1] == 1)");
    lua_close(L);
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
        lua_pushvalue(task->L, -1);
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
    for (int i = 0; i < 500 && ended->done < done; i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(ended->done, done);
}

static const char compute_slowly[] =
    "runs = 0\n"
    "function slow(key) runs = runs + 1; sleep(0.02); return { key, runs } end\n"
    "function fail_first(key)\n"
    "  runs = runs + 1; local mine = runs; sleep(0.02)\n"
    "  if mine == 1 then error('the first fails', 0) end\n"
    "  return { key, mine }\n"
    "end\n"
    "function nothing() runs = runs + 1; sleep(0.02) end\n"
    "results = {}\n";

static void open_tasks(struct fixture *f)
{
    lua_pushcfunction(f->L, bq_task_sleep);
    lua_setglobal(f->L, "sleep");
    run(f->L, compute_slowly);
}

static void one_task_computes_and_the_others_wait(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    open_tasks(f);
    for (int i = 0; i < 10; i++)
        start(f, "local r = s:get_or('k', slow, { ttl = 60 }); results[#results + 1] = r", &ended);
    assert_int_equal(ended.done, 0);
    turn_until(f, &ended, 10);
    assert_int_equal(ended.errors, 0);
    run(f->L, "assert(runs == 1 and #results == 10)\n"
              "for _, r in ipairs(results) do assert(r[1] == 'k' and r[2] == 1) end\n"
              "assert(results[1] ~= results[2] and s:ttl('k') > 59)");
}

static void when_the_leader_fails_another_leads(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    open_tasks(f);
    for (int i = 0; i < 5; i++)
        start(f, "local r = s:get_or('k', fail_first); results[#results + 1] = r", &ended);
    turn_until(f, &ended, 5);
    assert_int_equal(ended.errors, 1);
    run(f->L, "assert(last_error == 'the first fails' and runs == 2 and #results == 4)\n"
              "for _, r in ipairs(results) do assert(r[2] == 2) end");
}

static void nil_goes_to_all_who_wait(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    open_tasks(f);
    for (int i = 0; i < 5; i++)
        start(f, "assert(s:get_or('k', nothing) == nil)", &ended);
    turn_until(f, &ended, 5);
    assert_int_equal(ended.errors, 0);
    run(f->L, "assert(runs == 1 and s:count() == 0)");
}

static void waiting_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0}, leader = {0};
    open_tasks(f);
    start(f, "s:get_or('k', function() sleep(1000) end)", &leader);
    start(f, "s:get_or('k', slow, { wait = 0.02 })", &ended);
    start(f, "s:get_or('k', slow, { wait = 0 })", &ended);
    turn_until(f, &ended, 2);
    assert_int_equal(ended.errors, 2);
    run(f->L, "assert(last_error:find('app.lua:1: barq.shared: waited for \"k\"', 1, true))\n"
              "assert(runs == 0)");
    assert_int_equal(leader.done, 0);
    /* Dropping the leader's task lets others lead again. */
    bq_vm_free(f->vm);
    f->vm = bq_vm_new(f->loop, 0);
    f->L = f->vm->L;
    open_shared(f->L, f->stores);
    run(f->L, "assert(s:get_or('k', tostring) == 'k')");
}

static void a_leader_that_cannot_store_tells_the_others(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    open_tasks(f);
    start(f, "s:get_or('k', function() sleep(0.01) return print end)", &ended);
    start(f, "results[1] = s:get_or('k', slow)", &ended);
    turn_until(f, &ended, 2);
    assert_int_equal(ended.errors, 1);
    run(f->L, "assert(last_error:find('a function cannot be stored') and results[1][2] == 1)");
}

static void where_a_task_cannot_wait_get_or_says_so(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0}, leader = {0};
    open_tasks(f);
    start(f, "s:get_or('k', slow)", &leader);
    start(f, "table.sort({2, 1}, function() s:get_or('k', slow) end)", &ended);
    assert_int_equal(ended.errors, 1);
    run(f->L, "assert(last_error:find('barq.shared:get_or: cannot wait inside a function'))");
    turn_until(f, &leader, 1);
}

static void a_dropped_waiter_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    struct bq_store *store;
    struct bq_flight *flight;
    struct bq_buf buf = BQ_BUF_INIT;
    bq_stores_open(f->stores, BQ_STR("test"), 0, &store);
    bq_flight_begin(store, BQ_STR("k"), f, &buf, &flight);
    start(f, "s:get_or('k', tostring)", &ended);
    start(f, "s:get_or('k', tostring)", &ended);
    assert_int_equal(ended.done, 0);
    bq_tasks_drop(f->vm);
    bq_flight_end(flight, false);
    for (int i = 0; i < 3; i++)
        bq_loop_run_once(f->loop, 0);
    assert_int_equal(ended.done, 2);
    assert_int_equal(ended.dropped, 2);
}

/* Workers with a Lua state and a loop each, as in the server. */
#define WORKERS 3

struct worker {
    pthread_t thread;
    struct bq_stores *stores;
    struct ended ended;
};

static const char race[] =
    "local function compute(key) s:incr('runs'); sleep(0.002); return { key } end\n"
    "local function add_one(n) return (n or 0) + 1 end\n"
    "for i = 1, 40 do\n"
    "  local key = 'key' .. i\n"
    "  assert(s:get_or(key, compute)[1] == key)\n"
    "  s:update('sum', add_one); s:incr('count')\n"
    "end\n";

static void *work(void *arg)
{
    struct worker *w = arg;
    struct fixture f = {.stores = w->stores, .loop = bq_loop_new()};
    f.vm = bq_vm_new(f.loop, 0);
    f.L = f.vm->L;
    open_shared(f.L, f.stores);
    open_tasks(&f);
    for (int i = 0; i < 4; i++)
        start(&f, race, &w->ended);
    for (int i = 0; i < 2000 && w->ended.done < 4; i++)
        bq_loop_run_once(f.loop, 10);
    bq_vm_free(f.vm);
    bq_loop_free(f.loop);
    return NULL;
}

static void of_all_workers_one_computes(void **state)
{
    struct fixture *f = *state;
    struct worker workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.stores = f->stores};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].ended.done, 4);
        assert_int_equal(workers[i].ended.errors + workers[i].ended.dropped, 0);
    }
    run(f->L, "assert(s:get('runs') == 40 and s:get('sum') == 480 and s:get('count') == 480)");
}

#ifdef BQ_FAULTS
static const char under_faults[] =
    "local value = { ('x'):rep(300), { a = { 1, 2, 3 } } }\n"
    "function attempt()\n"
    "  s:set('k', value); assert(s:get('k')[2].a[3] == 3)\n"
    "  s:update('k', function(old) old[3] = ('y'):rep(400) return old end)\n"
    "  s:add('new', value); s:incr('n'); s:keys()\n"
    "  assert(s:get_or('o', function() return value end)[1] == value[1])\n"
    "end\n";

static void failing_memory_is_an_error_and_no_more(void **state)
{
    struct fixture *f = *state;
    long nth = 1;
    run(f->L, under_faults);
    for (;; nth++) {
        run(f->L, "s:clear()");
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        lua_getglobal(f->L, "attempt");
        int rc = lua_pcall(f->L, 0, 0, 0);
        bool failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(rc != 0, failed);
        lua_settop(f->L, 0);
        if (!failed)
            break;
    }
    assert_true(nth > 4);
}

/* Lua's own memory: each allocation of one get and one set in turn. By the interpreter: this LuaJIT
 * does not survive an allocation that is refused inside code that it compiled (vm/memory.h). */
static void failing_lua_memory_leaves_the_store_usable(void **state)
{
    struct fixture *f = *state;
    luaJIT_setmode(f->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    run(f->L, under_faults);
    for (long nth = 1; nth < 2000; nth++) {
        bq_fault_arm(BQ_FAULT_lua_alloc, nth, false);
        lua_getglobal(f->L, "attempt");
        lua_pcall(f->L, 0, 0, 0);
        bool failed = bq_fault_hits(BQ_FAULT_lua_alloc) > 0;
        bq_fault_arm(BQ_FAULT_lua_alloc, 0, false);
        lua_settop(f->L, 0);
        lua_gc(f->L, LUA_GCCOLLECT, 0); /* a lead that was lost is ended */
        run(f->L, "s:clear(); attempt(); s:clear()");
        if (!failed)
            return;
    }
    fail_msg("more allocations than expected");
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get_gives_what_set_stored),
        TEST(integers_are_keys_by_their_digits),
        TEST(add_and_delete_say_what_they_did),
        TEST(incr_counts),
        TEST(ttl_is_in_seconds),
        TEST(keys_are_sorted_and_bounded),
        TEST(update_stores_what_the_function_returns),
        TEST(update_keeps_the_expiry_unless_told),
        TEST(update_runs_again_when_the_key_changes_meanwhile),
        TEST(mistakes_are_blamed_on_the_line_that_made_them),
        TEST(stores_are_opened_by_name),
        TEST(the_annotations_name_what_the_core_has),
        TEST(a_finaliser_may_use_the_store),
        TEST(get_or_computes_once_while_loading),
        TEST(while_loading_nobody_can_wait),
        TEST(a_bare_state_can_use_stores),
        TEST(one_task_computes_and_the_others_wait),
        TEST(when_the_leader_fails_another_leads),
        TEST(nil_goes_to_all_who_wait),
        TEST(waiting_is_bounded),
        TEST(a_leader_that_cannot_store_tells_the_others),
        TEST(where_a_task_cannot_wait_get_or_says_so),
        TEST(a_dropped_waiter_is_forgotten),
        TEST(of_all_workers_one_computes),
#ifdef BQ_FAULTS
        TEST(failing_memory_is_an_error_and_no_more),
        TEST(failing_lua_memory_leaves_the_store_usable),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
