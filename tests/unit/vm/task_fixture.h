/*
 * task_fixture.h: a loop and a state whose Lua code has what lua_task.c gives, and tasks that note
 * their end.
 */
#ifndef BQ_TESTS_TASK_FIXTURE_H
#define BQ_TESTS_TASK_FIXTURE_H

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/cancel.h"
#include "vm/lua_task.h"
#include "vm/outward.h"

#include <string.h>

struct outcome {
    int ends;
    enum bq_task_end end;
    char text[512];
};

struct fixture {
    struct bq_loop *loop;
    struct bq_vm *vm;
};

static inline void note(struct bq_task *task, enum bq_task_end end)
{
    struct outcome *o = task->arg;
    o->ends++;
    o->end = end;
    o->text[0] = '\0';
    if (end != BQ_TASK_DROPPED && lua_isstring(task->L, -1))
        strncat(o->text, lua_tostring(task->L, -1), sizeof o->text - 1);
}

static inline int setup(void **state)
{
    static struct fixture f;
    f.loop = bq_loop_new();
    f.vm = bq_vm_new(f.loop, 64 << 20);
    lua_pushvalue(f.vm->L, LUA_GLOBALSINDEX);
    bq_task_open_functions(f.vm->L);
    lua_pop(f.vm->L, 1);
    *state = &f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    bq_vm_free(f->vm);
    bq_loop_free(f->loop);
    return bq_mem_live() == 0 ? 0 : -1;
}

static inline struct bq_task *load(struct fixture *f, const char *code, struct outcome *o)
{
    struct bq_task *task = bq_task_take(f->vm);
    assert_non_null(task);
    assert_int_equal(luaL_loadstring(task->L, code), 0);
    *o = (struct outcome){0};
    return task;
}

static inline struct bq_task *start(struct fixture *f, const char *code, struct outcome *o)
{
    struct bq_task *task = load(f, code, o);
    bq_task_start(task, 0, note, o);
    return task;
}

static inline void turn_until_ended(struct fixture *f, struct outcome *o)
{
    for (int i = 0; i < 2000 && !o->ends; i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(o->ends, 1);
}

/* A reference to a string, as an error that lasts. */
static inline int error_ref(struct fixture *f, const char *text)
{
    lua_pushstring(f->vm->L, text);
    return luaL_ref(f->vm->L, LUA_REGISTRYINDEX);
}

static inline void ends_with(struct fixture *f, struct outcome *o, enum bq_task_end end,
                             const char *part)
{
    turn_until_ended(f, o);
    assert_int_equal(o->end, end);
    if (!strstr(o->text, part))
        fail_msg("\"%s\" is not in: %s", part, o->text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
