/* project_test.c: what is written for people, and that nothing of theirs is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "project.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char root[64]; /* temporary, empty */
    char folder[128];
    struct bq_config_error error;
};

static void run(const char *command, const char *root)
{
    char line[256];
    snprintf(line, sizeof line, "%s %s", command, root);
    assert_int_equal(system(line), 0);
}

static int setup(void **state)
{
    struct place *p = bq_alloc_must(sizeof *p);
    snprintf(p->root, sizeof p->root, "/tmp/barq-project-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(p->folder, sizeof p->folder, "%s/myapp", p->root);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
#ifdef BQ_FAULTS
    bq_fault_arm(BQ_FAULT_write, 0, false);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
#endif
    run("rm -rf", p->root);
    bq_free(p);
    return 0;
}

static bool is_there(const struct place *p, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", p->root, name);
    return access(path, F_OK) == 0;
}

static void write_text(const struct place *p, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", p->root, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void has_text(const struct place *p, const char *name, const char *wanted)
{
    static char text[65536];
    char path[256];
    snprintf(path, sizeof path, "%s/%s", p->root, name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    assert_non_null(strstr(text, wanted));
    assert_null(strstr(text, "{{"));
}

static void a_project_has_its_name_in_its_files(void **state)
{
    struct place *p = *state;
    assert_int_equal(bq_project_new(p->folder, &p->error), BQ_OK);
    has_text(p, "myapp/app.lua", "title = \"myapp\"");
    has_text(p, "myapp/README.md", "# myapp\n");
    has_text(p, "myapp/tests/app_spec.lua", "Hello from myapp!");
    has_text(p, "myapp/Dockerfile", "FROM barq\nCOPY . /app\n");
    has_text(p, "myapp/.luarc.json", "\".barq\"");
    has_text(p, "myapp/.gitignore", "/.barq/");
    has_text(p, "myapp/.luacheckrc", "stds.barq");
    has_text(p, "myapp/.barq/barq/group.lua", "---@class barq.RouteSpec");
    has_text(p, "myapp/.barq/barq.lua", "---@class barq.Request");
}

static void a_folder_that_is_there_is_filled(void **state)
{
    struct place *p = *state;
    char path[192];
    snprintf(path, sizeof path, "%s/a//b_1.c-d/", p->root);
    assert_int_equal(bq_project_new(path, &p->error), BQ_OK);
    has_text(p, "a/b_1.c-d/app.lua", "title = \"b_1.c-d\"");
    assert_int_equal(mkdir(p->folder, 0777), 0);
    write_text(p, "myapp/notes.txt", "mine");
    assert_int_equal(bq_project_new(p->folder, &p->error), BQ_OK);
    has_text(p, "myapp/app.lua", "myapp");
    has_text(p, "myapp/notes.txt", "mine");
}

static void nothing_is_overwritten(void **state)
{
    struct place *p = *state;
    assert_int_equal(mkdir(p->folder, 0777), 0);
    write_text(p, "myapp/app.lua", "mine");
    write_text(p, "myapp/README.md", "mine, too");
    assert_int_equal(bq_project_new(p->folder, &p->error), BQ_INVALID);
    assert_non_null(strstr(p->error.text, "nothing is overwritten: "));
    assert_non_null(strstr(p->error.text, "app.lua"));
    assert_non_null(strstr(p->error.text, "README.md"));
    has_text(p, "myapp/app.lua", "mine");
    assert_false(is_there(p, "myapp/Dockerfile"));
    assert_false(is_there(p, "myapp/.barq"));
}

static void a_link_to_nothing_is_in_the_way_too(void **state)
{
    struct place *p = *state;
    char path[192];
    assert_int_equal(mkdir(p->folder, 0777), 0);
    snprintf(path, sizeof path, "%s/app.lua", p->folder);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
    assert_int_equal(bq_project_new(p->folder, &p->error), BQ_INVALID);
}

static void a_name_is_one_for_lua_and_containers(void **state)
{
    struct place *p = *state;
    static const char *const names[] = {"my app", ".hidden", "-rf", "a\"b", "ä", "a{{name}}"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[192];
        snprintf(path, sizeof path, "%s/%s", p->root, names[i]);
        assert_int_equal(bq_project_new(path, &p->error), BQ_INVALID);
        assert_non_null(strstr(p->error.text, "is no name for a project"));
        assert_false(is_there(p, names[i]));
    }
    char path[192];
    snprintf(path, sizeof path, "%s/%065d", p->root, 1);
    assert_int_equal(bq_project_new(path, &p->error), BQ_INVALID);
    assert_int_equal(bq_project_new("", &p->error), BQ_INVALID);
    assert_int_equal(bq_project_new("/", &p->error), BQ_INVALID);
}

static void what_cannot_be_written_is_named(void **state)
{
    struct place *p = *state;
    write_text(p, "file", "");
    char path[192];
    snprintf(path, sizeof path, "%s/file/myapp", p->root);
    assert_int_equal(bq_project_new(path, &p->error), BQ_SYSTEM);
    assert_non_null(strstr(p->error.text, "/file"));
    assert_non_null(strstr(p->error.text, "Not a directory"));
}

static void annotations_replace_those_of_an_earlier_version(void **state)
{
    struct place *p = *state;
    assert_int_equal(bq_project_annotate(p->folder, &p->error), BQ_OK);
    write_text(p, "myapp/barq/group.lua", "old {{name}}");
    write_text(p, "myapp/mine.lua", "mine");
    assert_int_equal(bq_project_annotate(p->folder, &p->error), BQ_OK);
    has_text(p, "myapp/barq/group.lua", "---@class barq.RouteSpec");
    has_text(p, "myapp/mine.lua", "mine");
}

#ifdef BQ_FAULTS
/* Whichever write or allocation fails: no half of a project is left. */
static void what_was_written_goes_again(void **state)
{
    struct place *p = *state;
    const enum bq_fault_site sites[] = {BQ_FAULT_write, BQ_FAULT_alloc};
    for (size_t i = 0; i < 2; i++) {
        int rc = BQ_SYSTEM;
        for (long nth = 1; rc != BQ_OK && nth < 1000; nth++) {
            bq_fault_arm(sites[i], nth, false);
            rc = bq_project_new(p->folder, &p->error);
            bq_fault_arm(sites[i], 0, false);
            assert_int_equal(is_there(p, "myapp"), rc == BQ_OK);
        }
        assert_int_equal(rc, BQ_OK);
        run("rm -r", p->folder);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_project_has_its_name_in_its_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_is_there_is_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_overwritten, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_to_nothing_is_in_the_way_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_is_one_for_lua_and_containers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(annotations_replace_those_of_an_earlier_version, setup,
                                        teardown),
#ifdef BQ_FAULTS
        cmocka_unit_test_setup_teardown(what_was_written_goes_again, setup, teardown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
