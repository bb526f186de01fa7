/* source_files_test.c: a file has a name for each way in which it can be exchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "source_files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct bq_source_files files;
    char directory[64];
    size_t live;
};

static const char *below(const struct fixture *f, const char *name)
{
    static _Thread_local char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    return path;
}

static void write_file(const struct fixture *f, const char *name)
{
    FILE *file = fopen(below(f, name), "w");
    assert_non_null(file);
    fclose(file);
}

/* real/a.lua, linked.lua to it, and a link "folder" to its folder */
static int setup(void **state)
{
    struct fixture *f = bq_alloc_must(sizeof *f);
    *f = (struct fixture){.directory = "/tmp/barq-unit-XXXXXX"};
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(mkdir(below(f, "real"), 0700), 0);
    write_file(f, "real/a.lua");
    assert_int_equal(symlink("real/a.lua", below(f, "linked.lua")), 0);
    assert_int_equal(symlink("real", below(f, "folder")), 0);
    f->live = bq_mem_live();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"linked.lua", "folder", "real/a.lua"};
    struct fixture *f = *state;
    bq_source_files_release(&f->files);
    assert_int_equal(bq_mem_live(), f->live);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(below(f, names[i]));
    rmdir(below(f, "real"));
    rmdir(f->directory);
    bq_free(f);
    return 0;
}

static bool has(const struct fixture *f, const char *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s%s", f->directory, *folder ? "/" : "", folder);
    for (size_t i = 0; i < f->files.count; i++)
        if (strcmp(f->files.items[i].folder, path) == 0 &&
            strcmp(f->files.items[i].name, name) == 0)
            return true;
    return false;
}

static void a_plain_file_has_one_name(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(bq_source_files_add(&f->files, below(f, "real/a.lua")), BQ_OK);
    assert_int_equal(bq_source_files_add(&f->files, below(f, "real//./a.lua")), BQ_OK);
    assert_int_equal(f->files.count, 1);
    assert_true(has(f, "real", "a.lua"));
}

static void a_link_has_its_own_name_and_the_files(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_source_files_add(&f->files, below(f, "linked.lua")), BQ_OK);
    assert_int_equal(f->files.count, 2);
    assert_true(has(f, "", "linked.lua") && has(f, "real", "a.lua"));
}

static void a_link_on_the_way_has_a_name(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_source_files_add(&f->files, below(f, "folder/a.lua")), BQ_OK);
    assert_int_equal(f->files.count, 2);
    assert_true(has(f, "", "folder") && has(f, "real", "a.lua"));
}

static void what_leads_nowhere_has_no_name(void **state)
{
    struct fixture *f = *state;
    char longest[PATH_MAX + 10];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(bq_source_files_add(&f->files, below(f, "nowhere.lua")), BQ_OK);
    assert_int_equal(bq_source_files_add(&f->files, ""), BQ_OK);
    assert_int_equal(bq_source_files_add(&f->files, longest), BQ_OK);
    assert_int_equal(f->files.count, 0);
}

static void files_are_found_by_watch_and_name(void **state)
{
    struct fixture *f = *state;
    bq_source_files_add(&f->files, below(f, "linked.lua"));
    for (size_t i = 0; i < f->files.count; i++)
        f->files.items[i].watch = (int)i + 1;
    assert_ptr_equal(bq_source_files_find(&f->files, 1, "linked.lua"), &f->files.items[0]);
    assert_null(bq_source_files_find(&f->files, 2, "linked.lua"));
    bq_source_files_lose(&f->files, 1);
    assert_null(bq_source_files_find(&f->files, 1, "linked.lua"));
    assert_non_null(bq_source_files_find(&f->files, 2, "a.lua"));
}

#ifdef BQ_FAULTS
static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    int rc = BQ_MEMORY;
    for (long nth = 1; rc != BQ_OK && nth < 20; nth++) {
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        rc = bq_source_files_add(&f->files, below(f, "linked.lua"));
        assert_true(rc == BQ_OK || rc == BQ_MEMORY);
    }
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_int_equal(rc, BQ_OK);
    assert_int_equal(f->files.count, 2);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plain_file_has_one_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_has_its_own_name_and_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_on_the_way_has_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(what_leads_nowhere_has_no_name, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_found_by_watch_and_name, setup, teardown),
#ifdef BQ_FAULTS
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
