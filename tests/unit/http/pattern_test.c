/* pattern_test.c: patterns taken apart, their mistakes, and paths built from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "http/router.h"

#include <stdio.h>

static void assert_str(bq_str have, const char *want)
{
    assert_int_equal(have.n, strlen(want));
    assert_memory_equal(have.p, want, have.n);
}

static struct bq_pattern parsed(const char *text)
{
    struct bq_pattern p;
    char error[256];
    int rc = bq_pattern_parse(&p, bq_str_cstr(text), error);
    if (rc != BQ_OK)
        fail_msg("%s", error);
    return p;
}

static void assert_refused(const char *text, const char *message)
{
    struct bq_pattern p;
    char error[256] = "";
    assert_int_equal(bq_pattern_parse(&p, bq_str_cstr(text), error), BQ_INVALID);
    assert_string_equal(error, message);
}

static void static_pattern_is_one_part(void **state)
{
    (void)state;
    static const char *const texts[] = {"/",     "/items",         "/a/b/", "//",
                                        "/a//b", "/caf\xc3\xa9 x", "/a*b:c"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bq_pattern p = parsed(texts[i]);
        assert_int_equal(p.count, 1);
        assert_false(p.parts[0].is_param);
        assert_str(p.parts[0].text, texts[i]);
    }
}

static void parts_come_by_turns(void **state)
{
    (void)state;
    struct bq_pattern p = parsed("/users/{user}/posts/{id:int}/raw/{path*}");
    assert_int_equal(p.count, 6);
    assert_str(p.parts[0].text, "/users/");
    assert_str(p.parts[1].text, "user");
    assert_int_equal(p.parts[1].converter, BQ_CONV_ANY);
    assert_str(p.parts[2].text, "/posts/");
    assert_str(p.parts[3].text, "id");
    assert_int_equal(p.parts[3].converter, BQ_CONV_INT);
    assert_str(p.parts[4].text, "/raw/");
    assert_str(p.parts[5].text, "path");
    assert_int_equal(p.parts[5].converter, BQ_CONV_REST);
    for (size_t i = 0; i < p.count; i++)
        assert_int_equal(p.parts[i].is_param, i % 2);
}

static void adjacent_parameters_keep_the_slash_between(void **state)
{
    (void)state;
    struct bq_pattern p = parsed("/{a:uuid}/{b:slug}/");
    assert_int_equal(p.count, 5);
    assert_int_equal(p.parts[1].converter, BQ_CONV_UUID);
    assert_str(p.parts[2].text, "/");
    assert_int_equal(p.parts[3].converter, BQ_CONV_SLUG);
    assert_str(p.parts[4].text, "/");
}

static void path_starts_with_a_slash(void **state)
{
    (void)state;
    assert_refused("", "\"\", position 1: a path starts with \"/\"");
    assert_refused("items", "\"items\", position 1: a path starts with \"/\"");
    assert_refused("{id}", "\"{id}\", position 1: a path starts with \"/\"");
}

static void parameter_is_a_whole_segment(void **state)
{
    (void)state;
    assert_refused("/items/x{id}",
                   "\"/items/x{id}\", position 8: a parameter must be a whole segment");
    assert_refused("/{id}.json", "\"/{id}.json\", position 2: a parameter must be a whole segment");
    assert_refused("/{a}{b}", "\"/{a}{b}\", position 2: a parameter must be a whole segment");
}

static void braces_are_balanced(void **state)
{
    (void)state;
    assert_refused("/a/{id", "\"/a/{id\", position 4: \"{\" without \"}\" in its segment");
    assert_refused("/a/id}", "\"/a/id}\", position 6: \"}\" without \"{\" in its segment");
    assert_refused("/a/}{", "\"/a/}{\", position 4: \"}\" without \"{\" in its segment");
    assert_refused("/{a/b}", "\"/{a/b}\", position 2: \"{\" without \"}\" in its segment");
    assert_refused("/{{a}", "\"/{{a}\", position 2: \"{\" inside of \"{\"");
    assert_refused("/{a}}", "\"/{a}}\", position 5: \"}\" without \"{\" in its segment");
}

static void unknown_converter_gets_the_nearest(void **state)
{
    (void)state;
    assert_refused("/items/{id:itn}", "\"/items/{id:itn}\", position 12: unknown converter "
                                      "\"itn\", did you mean \"int\"?");
    assert_refused("/{id:integer}", "\"/{id:integer}\", position 6: unknown converter "
                                    "\"integer\", did you mean \"int\"?");
    assert_refused("/{id:UUID}", "\"/{id:UUID}\", position 6: unknown converter \"UUID\", did you "
                                 "mean \"uuid\"?");
    assert_refused("/{id:guid}", "\"/{id:guid}\", position 6: unknown converter \"guid\", did you "
                                 "mean \"uuid\"?");
    assert_refused("/{id:slog}", "\"/{id:slog}\", position 6: unknown converter \"slog\", did you "
                                 "mean \"slug\"?");
    assert_refused("/{p:path}", "\"/{p:path}\", position 5: unknown converter \"path\", there are "
                                "int, uuid and slug");
    assert_refused("/{p:}", "\"/{p:}\", position 5: unknown converter \"\", there are int, uuid "
                            "and slug");
    assert_refused("/{p:averylongwordindeed}", "\"/{p:averylongwordindeed}\", position 5: unknown "
                                               "converter \"averylongwordindeed\", there are int, "
                                               "uuid and slug");
}

static void name_is_an_identifier_used_once(void **state)
{
    (void)state;
    assert_refused("/{}", "\"/{}\", position 3: \"\" is no parameter's name, it takes letters, "
                          "digits and \"_\"");
    assert_refused("/{1st}", "\"/{1st}\", position 3: \"1st\" is no parameter's name, it takes "
                             "letters, digits and \"_\"");
    assert_refused("/{a-b:int}", "\"/{a-b:int}\", position 3: \"a-b\" is no parameter's name, it "
                                 "takes letters, digits and \"_\"");
    assert_refused("/{*}", "\"/{*}\", position 3: \"\" is no parameter's name, it takes letters, "
                           "digits and \"_\"");
    assert_refused("/{a}/{b}/{a:int}",
                   "\"/{a}/{b}/{a:int}\", position 11: the name \"a\" is used twice");
    assert_int_equal(parsed("/{_a1}/{A_}").count, 4);
}

static void rest_comes_last(void **state)
{
    (void)state;
    assert_refused("/f/{p*}/x",
                   "\"/f/{p*}/x\", position 6: \"*\" takes the rest of a path, nothing can "
                   "follow it");
    assert_refused("/f/{p*}/", "\"/f/{p*}/\", position 6: \"*\" takes the rest of a path, nothing "
                               "can follow it");
}

static void dot_segments_are_refused(void **state)
{
    (void)state;
    assert_refused("/a/../b", "\"/a/../b\", position 4: a \"..\" segment can never match");
    assert_refused("/.", "\"/.\", position 2: a \".\" segment can never match");
    assert_int_equal(parsed("/.well-known/...").count, 1);
}

static void what_no_path_holds_is_refused(void **state)
{
    (void)state;
    assert_refused("/a?b=1", "\"/a?b=1\", position 3: \"?\" is no part of a path");
    assert_refused("/a#b", "\"/a#b\", position 3: \"#\" is no part of a path");
    assert_refused(
        "/a%20b", "\"/a%20b\", position 3: \"%\" in a pattern, write the decoded character itself");
    assert_refused("/a\tb", "\"/a\tb\", position 3: a control character (0x09)");
    assert_refused("/a\x7f", "\"/a\x7f\", position 3: a control character (0x7f)");
    assert_refused("/\xff", "\"/\xff\", position 2: not valid UTF-8");
}

static void nul_in_a_pattern_is_refused(void **state)
{
    struct bq_pattern p;
    char error[256];
    (void)state;
    assert_int_equal(bq_pattern_parse(&p, BQ_STR("/a\0b"), error), BQ_INVALID);
}

static void spellings_of_other_frameworks_are_explained(void **state)
{
    (void)state;
    assert_refused("/items/:id",
                   "\"/items/:id\", position 8: a parameter is written \"{id}\" here");
    assert_refused("/files/*",
                   "\"/files/*\", position 8: the rest of a path is written \"{name*}\"");
}

static void parameters_are_limited(void **state)
{
    char text[512] = "";
    size_t n = 0;
    (void)state;
    for (int i = 0; i < BQ_ROUTE_PARAMS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "/{p%d}", i);
    assert_int_equal(parsed(text).count, 2 * BQ_ROUTE_PARAMS_MAX);
    snprintf(text + n, sizeof text - n, "/x");
    assert_int_equal(parsed(text).count, 2 * BQ_ROUTE_PARAMS_MAX + 1);
    struct bq_pattern p;
    char error[256];
    snprintf(text + n, sizeof text - n, "/{last}");
    assert_int_equal(bq_pattern_parse(&p, bq_str_cstr(text), error), BQ_INVALID);
    assert_non_null(strstr(error, "position 88: more than 16 parameters"));
}

static void segments_and_bytes_are_limited(void **state)
{
    static char text[BQ_ROUTE_BYTES_MAX + 1];
    struct bq_pattern p;
    char error[256];
    (void)state;
    memset(text, '/', sizeof text);
    assert_int_equal(bq_pattern_parse(&p, bq_str_of(text, BQ_ROUTE_SEGMENTS_MAX), error), BQ_OK);
    assert_int_equal(bq_pattern_parse(&p, bq_str_of(text, BQ_ROUTE_SEGMENTS_MAX + 1), error),
                     BQ_INVALID);
    assert_non_null(strstr(error, "position 65: more than 64 segments"));
    memset(text + 1, 'a', sizeof text - 1);
    assert_int_equal(bq_pattern_parse(&p, bq_str_of(text, BQ_ROUTE_BYTES_MAX), error), BQ_OK);
    assert_int_equal(bq_pattern_parse(&p, bq_str_of(text, BQ_ROUTE_BYTES_MAX + 1), error),
                     BQ_INVALID);
    assert_non_null(strstr(error, "aaa...\", position 2049: longer than 2048 bytes"));
}

static void every_message_fits(void **state)
{
    static char text[1024];
    struct bq_pattern p;
    (void)state;
    for (size_t n = 0; n < 600; n++) {
        char error[256 + 1];
        memset(text, 'n', sizeof text);
        memcpy(text, "/{a:", 4);
        text[4 + n] = '}';
        error[256] = '!';
        assert_int_equal(bq_pattern_parse(&p, bq_str_of(text, 5 + n), error), BQ_INVALID);
        assert_true(strlen(error) < 256);
        assert_int_equal(error[256], '!');
        memcpy(text, "/{1n", 4);
        assert_int_equal(bq_pattern_parse(&p, bq_str_of(text, 5 + n), error), BQ_INVALID);
        assert_true(strlen(error) < 256);
    }
}

static void assert_builds(const char *pattern, const bq_str *values, size_t n, const char *want)
{
    struct bq_pattern p = parsed(pattern);
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_pattern_build(&out, &p, values, n), BQ_OK);
    assert_str(bq_buf_str(&out), want);
    bq_buf_release(&out);
}

static void assert_does_not_build(const char *pattern, bq_str value)
{
    struct bq_pattern p = parsed(pattern);
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_buf_append(&out, BQ_STR("kept")), BQ_OK);
    assert_int_equal(bq_pattern_build(&out, &p, &value, 1), BQ_INVALID);
    assert_str(bq_buf_str(&out), "kept");
    bq_buf_release(&out);
}

static void build_puts_values_in_order(void **state)
{
    const bq_str values[] = {BQ_STR("ann"), BQ_STR("-7"), BQ_STR("a/b/c.txt")};
    (void)state;
    assert_builds("/", NULL, 0, "/");
    assert_builds("/users/{user}/posts/{id:int}/raw/{path*}", values, 3,
                  "/users/ann/posts/-7/raw/a/b/c.txt");
}

static void build_encodes_what_would_end_a_segment(void **state)
{
    const bq_str values[] = {BQ_STR("a/b?c#d%e f+g:\xc3\xa9~"), BQ_STR("x y/z?/%2F")};
    (void)state;
    assert_builds("/{a}/{b*}", values, 2, "/a%2Fb%3Fc%23d%25e%20f%2Bg%3A%C3%A9~/x%20y/z%3F/%252F");
}

static void build_keeps_in_static_text_what_a_path_may_hold(void **state)
{
    const bq_str one = BQ_STR("1");
    (void)state;
    assert_builds("/v1/a b/\xc3\xa9/items:get@x;y=1,[]/{id}", &one, 1,
                  "/v1/a%20b/%C3%A9/items:get@x;y=1,%5B%5D/1");
}

static void build_refuses_values_that_would_not_match(void **state)
{
    (void)state;
    assert_does_not_build("/{id:int}", BQ_STR("x"));
    assert_does_not_build("/{id:uuid}", BQ_STR("12"));
    assert_does_not_build("/{id:slug}", BQ_STR("a.b"));
    assert_does_not_build("/{id}", BQ_STR(""));
    assert_does_not_build("/{id}", BQ_STR("."));
    assert_does_not_build("/{id}", BQ_STR(".."));
    assert_does_not_build("/{id}", BQ_STR("../x"));
    assert_does_not_build("/{id}", BQ_STR("a\0b"));
    assert_does_not_build("/{id}", BQ_STR("\xff"));
    assert_does_not_build("/{p*}", BQ_STR("a//b"));
    assert_does_not_build("/{p*}", BQ_STR("/a"));
    assert_does_not_build("/{p*}", BQ_STR("a/.."));
}

static void build_wants_a_value_for_each_parameter(void **state)
{
    const bq_str values[] = {BQ_STR("1"), BQ_STR("2"), BQ_STR("3")};
    struct bq_pattern p = parsed("/{a}/{b}");
    struct bq_buf out = BQ_BUF_INIT;
    (void)state;
    assert_int_equal(bq_pattern_build(&out, &p, values, 1), BQ_INVALID);
    assert_int_equal(bq_pattern_build(&out, &p, values, 3), BQ_INVALID);
    assert_int_equal(bq_buf_size(&out), 0);
    assert_int_equal(bq_pattern_build(&out, &p, values, 2), BQ_OK);
    assert_str(bq_buf_str(&out), "/1/2");
    bq_buf_release(&out);
}

#ifdef BQ_FAULTS
static void build_without_memory_leaves_the_buffer(void **state)
{
    static char wide[5000];
    const bq_str value = bq_str_of(memset(wide, ' ', sizeof wide), sizeof wide);
    struct bq_pattern p = parsed("/a/{b}");
    long live = bq_mem_live();
    bool done = false;
    (void)state;
    for (long nth = 1; !done; nth++) {
        struct bq_buf out = BQ_BUF_INIT;
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        int rc = bq_pattern_build(&out, &p, &value, 1);
        done = bq_fault_hits(BQ_FAULT_alloc) == 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(rc, done ? BQ_OK : BQ_MEMORY);
        assert_int_equal(bq_buf_size(&out), done ? 3 + 3 * sizeof wide : 0);
        bq_buf_release(&out);
        assert_true(nth < 20);
    }
    assert_int_equal(bq_mem_live(), live);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_pattern_is_one_part),
        cmocka_unit_test(parts_come_by_turns),
        cmocka_unit_test(adjacent_parameters_keep_the_slash_between),
        cmocka_unit_test(path_starts_with_a_slash),
        cmocka_unit_test(parameter_is_a_whole_segment),
        cmocka_unit_test(braces_are_balanced),
        cmocka_unit_test(unknown_converter_gets_the_nearest),
        cmocka_unit_test(name_is_an_identifier_used_once),
        cmocka_unit_test(rest_comes_last),
        cmocka_unit_test(dot_segments_are_refused),
        cmocka_unit_test(what_no_path_holds_is_refused),
        cmocka_unit_test(nul_in_a_pattern_is_refused),
        cmocka_unit_test(spellings_of_other_frameworks_are_explained),
        cmocka_unit_test(parameters_are_limited),
        cmocka_unit_test(segments_and_bytes_are_limited),
        cmocka_unit_test(every_message_fits),
        cmocka_unit_test(build_puts_values_in_order),
        cmocka_unit_test(build_encodes_what_would_end_a_segment),
        cmocka_unit_test(build_keeps_in_static_text_what_a_path_may_hold),
        cmocka_unit_test(build_refuses_values_that_would_not_match),
        cmocka_unit_test(build_wants_a_value_for_each_parameter),
#ifdef BQ_FAULTS
        cmocka_unit_test(build_without_memory_leaves_the_buffer),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
