/* router_match_test.c: which route answers a path, by every rule, and against the naive
 * router on random tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rc.h"
#include "naive_router.h"

#include <stdio.h>

#define NOT_FOUND   (-(int)BQ_MATCH_NOT_FOUND)
#define WRONG_VERB  (-(int)BQ_MATCH_METHOD)
#define BAD_REQUEST (-(int)BQ_MATCH_INVALID)

struct fixture {
    struct bq_router *router;
    struct bq_arena arena;
    struct bq_match match;
    uint32_t count;
};

static void add(struct fixture *f, enum bq_method method, const char *pattern)
{
    char error[256];
    uint32_t other;
    int rc = bq_router_add(f->router, method, bq_str_cstr(pattern), f->count++, &other, error);
    if (rc != BQ_OK)
        fail_msg("%s: %s", bq_rc_text(rc), error);
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    f->router = bq_router_new();
    bq_arena_init(&f->arena, NULL, 0);
    *state = f;
    return f->router ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bq_router_free(f->router);
    bq_arena_release(&f->arena);
    test_free(f);
    return 0;
}

/* The route's number, or a result other than FOUND, negated. */
static int match_str(struct fixture *f, enum bq_method method, bq_str path)
{
    enum bq_match_result result = bq_router_match(f->router, method, path, &f->arena, &f->match);
    return result == BQ_MATCH_FOUND ? (int)f->match.route : -(int)result;
}

static int match(struct fixture *f, enum bq_method method, const char *path)
{
    return match_str(f, method, bq_str_cstr(path));
}

static int get(struct fixture *f, const char *path)
{
    return match(f, BQ_GET, path);
}

/* Routes of GET, numbered as given, and frozen. */
static struct fixture *serve(void **state, size_t n, const char *const *patterns)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < n; i++)
        add(f, BQ_GET, patterns[i]);
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    return f;
}
#define SERVE(state, ...)                                                       \
    serve((state), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
          (const char *const[]){__VA_ARGS__})

static void assert_param(const struct fixture *f, size_t i, const char *want)
{
    assert_true(i < f->match.param_count);
    assert_int_equal(f->match.params[i].value.n, strlen(want));
    assert_memory_equal(f->match.params[i].value.p, want, strlen(want));
}

static void static_segment_beats_parameter(void **state)
{
    struct fixture *f = SERVE(state, "/items/{id}", "/items/new");
    assert_int_equal(get(f, "/items/new"), 1);
    assert_int_equal(f->match.param_count, 0);
    assert_int_equal(get(f, "/items/newer"), 0);
    assert_param(f, 0, "newer");
    assert_int_equal(get(f, "/items/ne"), 0);
    assert_int_equal(get(f, "/items"), NOT_FOUND);
}

static void static_segment_beats_converter(void **state)
{
    struct fixture *f = SERVE(state, "/y/{n:int}", "/y/2024");
    assert_int_equal(get(f, "/y/2024"), 1);
    assert_int_equal(get(f, "/y/2025"), 0);
    assert_int_equal(f->match.params[0].number, 2025);
}

static void converters_are_tried_int_uuid_slug(void **state)
{
    struct fixture *f = SERVE(state, "/{p*}", "/{x}", "/{x:slug}", "/{x:uuid}", "/{x:int}");
    assert_int_equal(get(f, "/12"), 4);
    assert_int_equal(f->match.params[0].converter, BQ_CONV_INT);
    assert_int_equal(f->match.params[0].number, 12);
    assert_int_equal(get(f, "/123e4567-e89b-12d3-a456-426614174000"), 3);
    assert_int_equal(f->match.params[0].converter, BQ_CONV_UUID);
    assert_int_equal(get(f, "/hello-1"), 2);
    assert_int_equal(f->match.params[0].converter, BQ_CONV_SLUG);
    assert_int_equal(get(f, "/hello+1"), 1);
    assert_int_equal(f->match.params[0].converter, BQ_CONV_ANY);
    assert_int_equal(get(f, "/12/13"), 0);
    assert_int_equal(f->match.params[0].converter, BQ_CONV_REST);
    assert_param(f, 0, "12/13");
}

static void segment_that_does_not_convert_is_no_match(void **state)
{
    struct fixture *f = SERVE(state, "/items/{id:int}");
    assert_int_equal(get(f, "/items/-3"), 0);
    assert_int_equal(f->match.params[0].number, -3);
    assert_int_equal(get(f, "/items/x"), NOT_FOUND);
    assert_int_equal(get(f, "/items/9007199254740992"), NOT_FOUND);
    assert_int_equal(get(f, "/items/"), NOT_FOUND);
}

static void earlier_segment_decides_rank_first(void **state)
{
    struct fixture *f = SERVE(state, "/{a}/x/y", "/s/{b}/{c}", "/s/{p*}");
    assert_int_equal(get(f, "/s/x/y"), 1);
    assert_int_equal(get(f, "/t/x/y"), 0);
    assert_int_equal(get(f, "/s/x/y/z"), 2);
}

static void dead_ends_are_left_again(void **state)
{
    struct fixture *f = SERVE(state, "/a/b/c/d", "/a/{x}/c/e", "/{y}/b/c/f", "/{z*}");
    assert_int_equal(get(f, "/a/b/c/d"), 0);
    assert_int_equal(get(f, "/a/b/c/e"), 1);
    assert_param(f, 0, "b");
    assert_int_equal(get(f, "/a/b/c/f"), 2);
    assert_int_equal(f->match.param_count, 1);
    assert_param(f, 0, "a");
    assert_int_equal(get(f, "/a/b/c/g"), 3);
    assert_int_equal(f->match.param_count, 1);
    assert_param(f, 0, "a/b/c/g");
}

static void parameters_of_a_dead_end_are_forgotten(void **state)
{
    struct fixture *f = SERVE(state, "/{a:int}/{b:int}/{c:int}/x", "/{d}/{e}");
    assert_int_equal(get(f, "/1/2"), 1);
    assert_int_equal(f->match.param_count, 2);
    assert_int_equal(f->match.params[0].converter, BQ_CONV_ANY);
    assert_param(f, 0, "1");
    assert_param(f, 1, "2");
}

static void method_is_searched_for_too(void **state)
{
    struct fixture *f = *state;
    add(f, BQ_POST, "/items/new");
    add(f, BQ_GET, "/items/{id}");
    add(f, BQ_DELETE, "/items/{id:slug}");
    add(f, BQ_PUT, "/{p*}");
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    assert_int_equal(get(f, "/items/new"), 1);
    assert_int_equal(match(f, BQ_POST, "/items/new"), 0);
    assert_int_equal(match(f, BQ_DELETE, "/items/new"), 2);
    assert_int_equal(match(f, BQ_PUT, "/items/new"), 3);
    assert_param(f, 0, "items/new");
    assert_int_equal(match(f, BQ_PATCH, "/items/new"), WRONG_VERB);
    assert_int_equal(f->match.allow, 1u << BQ_GET | 1u << BQ_HEAD | 1u << BQ_POST | 1u << BQ_PUT |
                                         1u << BQ_DELETE | 1u << BQ_OPTIONS);
    assert_int_equal(match(f, BQ_POST, "/items/old"), WRONG_VERB);
    assert_int_equal(f->match.allow, 1u << BQ_GET | 1u << BQ_HEAD | 1u << BQ_PUT | 1u << BQ_DELETE |
                                         1u << BQ_OPTIONS);
}

static void head_is_served_from_get(void **state)
{
    struct fixture *f = *state;
    add(f, BQ_GET, "/a");
    add(f, BQ_GET, "/b");
    add(f, BQ_HEAD, "/b");
    add(f, BQ_POST, "/c/new");
    add(f, BQ_GET, "/c/{id}");
    add(f, BQ_HEAD, "/d/{id}");
    add(f, BQ_GET, "/d/x");
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    assert_int_equal(match(f, BQ_HEAD, "/a"), 0);
    assert_int_equal(match(f, BQ_HEAD, "/b"), 2);
    assert_int_equal(match(f, BQ_HEAD, "/c/new"), 4);
    assert_int_equal(match(f, BQ_HEAD, "/d/x"), 6);
    assert_int_equal(match(f, BQ_HEAD, "/d/y"), 5);
    assert_int_equal(get(f, "/d/y"), WRONG_VERB);
    assert_int_equal(f->match.allow, 1u << BQ_HEAD | 1u << BQ_OPTIONS);
}

static void options_is_left_to_the_caller_unless_routed(void **state)
{
    struct fixture *f = *state;
    add(f, BQ_GET, "/a");
    add(f, BQ_OPTIONS, "/b");
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    assert_int_equal(match(f, BQ_OPTIONS, "/a"), WRONG_VERB);
    assert_int_equal(f->match.allow, 1u << BQ_GET | 1u << BQ_HEAD | 1u << BQ_OPTIONS);
    assert_int_equal(match(f, BQ_OPTIONS, "/b"), 1);
    assert_int_equal(match(f, BQ_OPTIONS, "/c"), NOT_FOUND);
    assert_int_equal(match(f, BQ_OPTIONS, "*"), NOT_FOUND);
}

static void any_route_yields_to_a_method_of_its_own(void **state)
{
    struct fixture *f = *state;
    add(f, BQ_METHOD_OTHER, "/a");
    add(f, BQ_GET, "/a");
    add(f, BQ_POST, "/{x}");
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    assert_int_equal(get(f, "/a"), 1);
    assert_int_equal(match(f, BQ_HEAD, "/a"), 1);
    assert_int_equal(match(f, BQ_POST, "/a"), 0);
    assert_int_equal(match(f, BQ_OPTIONS, "/a"), 0);
    assert_int_equal(match(f, BQ_METHOD_OTHER, "/a"), 0);
}

static void unknown_methods_find_any_routes_only(void **state)
{
    struct fixture *f = *state;
    add(f, BQ_GET, "/a");
    add(f, BQ_METHOD_OTHER, "/{x:slug}");
    add(f, BQ_GET, "/b/c");
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    assert_int_equal(match(f, BQ_METHOD_OTHER, "/a"), 1);
    assert_int_equal(match(f, BQ_METHOD_OTHER, "/b/c"), WRONG_VERB);
    assert_int_equal(f->match.allow, 1u << BQ_GET | 1u << BQ_HEAD | 1u << BQ_OPTIONS);
    assert_int_equal(match(f, BQ_METHOD_OTHER, "/c/d"), NOT_FOUND);
}

static void names_may_differ_at_one_place(void **state)
{
    struct fixture *f = SERVE(state, "/u/{user}/a", "/u/{id}/b");
    assert_int_equal(get(f, "/u/7/a"), 0);
    assert_int_equal(get(f, "/u/7/b"), 1);
    assert_param(f, 0, "7");
}

static void trailing_slash_is_a_route_of_its_own(void **state)
{
    struct fixture *f = SERVE(state, "/a", "/b/", "/c/{x}", "/d/{x}/");
    assert_int_equal(get(f, "/a/"), NOT_FOUND);
    assert_int_equal(get(f, "/b"), NOT_FOUND);
    assert_int_equal(get(f, "/b/"), 1);
    assert_int_equal(get(f, "/c/1/"), NOT_FOUND);
    assert_int_equal(get(f, "/d/1"), NOT_FOUND);
    assert_int_equal(get(f, "/d/1/"), 3);
}

static void empty_segment_fits_only_one_spelt_so(void **state)
{
    struct fixture *f = SERVE(state, "/a/b", "/c//d", "/e/{x}/f", "/g/{p*}", "/");
    assert_int_equal(get(f, "//a/b"), NOT_FOUND);
    assert_int_equal(get(f, "/a//b"), NOT_FOUND);
    assert_int_equal(get(f, "/c//d"), 1);
    assert_int_equal(get(f, "/c/d"), NOT_FOUND);
    assert_int_equal(get(f, "/c/x/d"), NOT_FOUND);
    assert_int_equal(get(f, "/e//f"), NOT_FOUND);
    assert_int_equal(get(f, "/g/"), NOT_FOUND);
    assert_int_equal(get(f, "/g"), NOT_FOUND);
    assert_int_equal(get(f, "/g//a"), NOT_FOUND);
    assert_int_equal(get(f, "/g/a//b"), NOT_FOUND);
    assert_int_equal(get(f, "/g/a/"), NOT_FOUND);
    assert_int_equal(get(f, "/g/a/b"), 3);
    assert_int_equal(get(f, "/"), 4);
    assert_int_equal(get(f, "//"), NOT_FOUND);
}

static void dot_segments_fit_nothing(void **state)
{
    static const char *const paths[] = {
        "/a/.",      "/a/..",       "/a/../b",       "/a/%2e",      "/a/%2E%2e",
        "/a/.%2e",   "/f/..",       "/f/a/../b",     "/f/%2e%2e/b", "/f/a/.",
        "/./a/x",    "/a/..%2Fx",   "/a/x%2f..",     "/f/x%2f../y", "/f/..%2f..%2fetc%2fpasswd",
        "/a/x/../y", "/%2e%2e/a/x", "/f/a/%2e%2e%2f"};
    struct fixture *f = SERVE(state, "/a/{x}", "/f/{p*}", "/{r*}");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(get(f, paths[i]), NOT_FOUND);
    assert_int_equal(get(f, "/a/..."), 0);
    assert_int_equal(get(f, "/a/.x"), 0);
    assert_int_equal(get(f, "/a/x."), 0);
    assert_int_equal(get(f, "/f/a.b/..c"), 1);
}

static void decoding_happens_once(void **state)
{
    struct fixture *f = SERVE(state, "/items/{id}", "/caf\xc3\xa9/a b", "/n/{n:int}");
    assert_int_equal(get(f, "/items/a%20b%3F%23"), 0);
    assert_param(f, 0, "a b?#");
    assert_int_equal(get(f, "/items/%2541"), 0);
    assert_param(f, 0, "%41");
    assert_int_equal(get(f, "/items/a+b"), 0);
    assert_param(f, 0, "a+b");
    assert_int_equal(get(f, "/it%65ms/%c3%A9"), 0);
    assert_param(f, 0, "\xc3\xa9");
    assert_int_equal(get(f, "/caf%C3%A9/a%20b"), 1);
    assert_int_equal(get(f, "/caf\xc3\xa9/a%20b"), 1);
    assert_int_equal(get(f, "/n/%34%32"), 2);
    assert_int_equal(f->match.params[0].number, 42);
}

static void encoded_slash_stays_inside_its_segment(void **state)
{
    struct fixture *f = SERVE(state, "/a/{x}", "/a/{x}/{y}", "/b/c", "/f/{p*}");
    assert_int_equal(get(f, "/a/x%2Fy"), 0);
    assert_param(f, 0, "x/y");
    assert_int_equal(get(f, "/a/x%2fy/z%2F"), 1);
    assert_param(f, 0, "x/y");
    assert_param(f, 1, "z/");
    assert_int_equal(get(f, "/b%2Fc"), NOT_FOUND);
    assert_int_equal(get(f, "%2Fb/c"), NOT_FOUND);
    assert_int_equal(get(f, "/f/a%2Fb/c"), 3);
    assert_param(f, 0, "a/b/c");
}

static void rest_holds_no_empty_piece_even_when_encoded(void **state)
{
    struct fixture *f = SERVE(state, "/f/{p*}");
    assert_int_equal(get(f, "/f/%2Fetc/passwd"), NOT_FOUND);
    assert_int_equal(get(f, "/f/a%2F/b"), NOT_FOUND);
    assert_int_equal(get(f, "/f/a%2F"), NOT_FOUND);
}

static void broken_encoding_is_invalid_wherever_it_is(void **state)
{
    static const char *const paths[] = {"/a/%",   "/a/%4",   "/a/%zz",    "/a/%4g/b", "/%",
                                        "/x/%-1", "/a/% 41", "/nowhere%", "/a/%%41"};
    struct fixture *f = SERVE(state, "/a/{x}");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(get(f, paths[i]), BAD_REQUEST);
}

static void nul_is_invalid_raw_and_encoded(void **state)
{
    struct fixture *f = SERVE(state, "/a/{x}", "/f/{p*}");
    assert_int_equal(get(f, "/a/x%00y"), BAD_REQUEST);
    assert_int_equal(get(f, "/f/%00"), BAD_REQUEST);
    assert_int_equal(match_str(f, BQ_GET, BQ_STR("/a/x\0y")), BAD_REQUEST);
    assert_int_equal(match_str(f, BQ_GET, BQ_STR("/f/x/\0y")), BAD_REQUEST);
    assert_int_equal(match_str(f, BQ_GET, BQ_STR("/zzz\0")), BAD_REQUEST);
}

static void invalid_utf8_is_invalid_raw_and_encoded(void **state)
{
    struct fixture *f = SERVE(state, "/a/{x}", "/f/{p*}");
    assert_int_equal(get(f, "/a/%ff"), BAD_REQUEST);
    assert_int_equal(get(f, "/a/\xff"), BAD_REQUEST);
    assert_int_equal(get(f, "/a/%c0%af"), BAD_REQUEST);
    assert_int_equal(get(f, "/a/%ed%a0%80"), BAD_REQUEST);
    assert_int_equal(get(f, "/a/%c3/%a9"), BAD_REQUEST);
    assert_int_equal(get(f, "/f/x/\xc3"), BAD_REQUEST);
    assert_int_equal(get(f, "/a/%f0%9f%98%80"), 0);
    assert_param(f, 0, "\xf0\x9f\x98\x80");
}

static void what_is_no_path_matches_nothing(void **state)
{
    struct fixture *f = SERVE(state, "/", "/{x}", "/a/{p*}");
    assert_int_equal(get(f, ""), NOT_FOUND);
    assert_int_equal(get(f, "*"), NOT_FOUND);
    assert_int_equal(get(f, "a/b"), NOT_FOUND);
    assert_int_equal(get(f, "%2Fa"), NOT_FOUND);
    assert_int_equal(get(f, "%zz"), NOT_FOUND);
    assert_int_equal(match_str(f, BQ_GET, bq_str_of(NULL, 0)), NOT_FOUND);
}

static void path_without_percent_is_not_copied(void **state)
{
    struct fixture *f = SERVE(state, "/a/{x}", "/f/{p*}");
    static const char *const paths[] = {"/a/x", "/a/x.y", "/a/\xc3\xa9", "/f/a/b.c"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        enum bq_match_result result =
            bq_router_match(f->router, BQ_GET, bq_str_cstr(paths[i]), NULL, &f->match);
        assert_int_equal(result, BQ_MATCH_FOUND);
        assert_ptr_equal(f->match.params[0].value.p, paths[i] + 3);
    }
}

static void only_used_parameters_are_written(void **state)
{
    struct fixture *f = SERVE(state, "/a/{x}");
    memset(&f->match, 0x5a, sizeof f->match);
    struct bq_match before = f->match;
    assert_int_equal(get(f, "/a/x"), 0);
    assert_memory_equal(&f->match.params[1], &before.params[1],
                        sizeof before.params - sizeof before.params[0]);
}

static void as_many_parameters_as_allowed(void **state)
{
    struct fixture *f = SERVE(state, "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/"
                                     "{o}/{p*}");
    assert_int_equal(get(f, "/0/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"), 0);
    assert_int_equal(f->match.param_count, BQ_ROUTE_PARAMS_MAX);
    assert_param(f, 0, "0");
    assert_param(f, 14, "14");
    assert_param(f, 15, "15/16");
}

static void every_byte_of_a_static_run_counts(void **state)
{
    char path[] = "/abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
    struct fixture *f = *state;
    for (size_t n = 2; n < sizeof path; n++) {
        char error[256];
        uint32_t other;
        bq_router_free(f->router);
        f->router = bq_router_new();
        assert_int_equal(bq_router_add(f->router, BQ_GET, bq_str_of(path, n), 0, &other, error),
                         BQ_OK);
        assert_int_equal(bq_router_freeze(f->router), BQ_OK);
        assert_int_equal(match_str(f, BQ_GET, bq_str_of(path, n)), 0);
        for (size_t i = 0; i < n; i++) {
            path[i] ^= 1;
            assert_int_equal(match_str(f, BQ_GET, bq_str_of(path, n)), NOT_FOUND);
            path[i] ^= 1;
        }
    }
}

static void long_paths_of_slashes_end(void **state)
{
    static char path[16384];
    struct fixture *f = SERVE(state, "/", "//", "///{x}", "/{a}/{b}/{c}", "/a/{p*}");
    memset(path, '/', sizeof path);
    assert_int_equal(match_str(f, BQ_GET, bq_str_of(path, sizeof path)), NOT_FOUND);
    for (size_t i = 1; i < sizeof path; i += 2)
        path[i] = 'a';
    assert_int_equal(match_str(f, BQ_GET, bq_str_of(path, sizeof path)), 4);
    assert_int_equal(f->match.params[0].value.n, sizeof path - 3);
}

/* 2^32 paths through the patterns, were nodes visited once for each way to them. */
static void backtracking_is_bounded_by_the_tree(void **state)
{
    struct fixture *f = *state;
    char pattern[BQ_ROUTE_BYTES_MAX], path[256] = "";
    for (uint32_t bits = 0; bits < 256; bits++) {
        size_t n = 0;
        for (int i = 0; i < 8; i++)
            n += (size_t)snprintf(pattern + n, sizeof pattern - n, "/{p%d%s}", i,
                                  bits >> i & 1 ? ":slug" : "");
        snprintf(pattern + n, sizeof pattern - n, "/end");
        add(f, BQ_GET, pattern);
    }
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    for (int i = 0; i < 8; i++)
        strncat(path, "/a", sizeof path - 1 - strlen(path));
    strncat(path, "/no", sizeof path - 1 - strlen(path));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(get(f, path), NOT_FOUND);
}

static void deepest_pattern_has_a_branch_at_every_segment(void **state)
{
    struct fixture *f = *state;
    char text[2 * BQ_ROUTE_SEGMENTS_MAX] = "", deep[sizeof text + 16];
    size_t n = 0;
    for (int i = 0; i < BQ_ROUTE_SEGMENTS_MAX - 1; i++) {
        snprintf(deep, sizeof deep, "%s/{x:int}", text);
        add(f, BQ_GET, deep);
        n += (size_t)snprintf(text + n, sizeof text - n, "/s");
    }
    snprintf(deep, sizeof deep, "%s/{x}", text);
    add(f, BQ_GET, deep);
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
    snprintf(deep, sizeof deep, "%s/end", text);
    assert_int_equal(get(f, deep), BQ_ROUTE_SEGMENTS_MAX - 1);
    snprintf(deep, sizeof deep, "%s/end/more", text);
    assert_int_equal(get(f, deep), NOT_FOUND);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static const char *pick(uint32_t *seed, const char *const *from, size_t n)
{
    return from[next_random(seed) % n];
}

/* A random table in both routers; the patterns' text is in store. */
static void random_table(struct fixture *f, struct naive_router *naive, uint32_t *seed,
                         char store[NAIVE_ROUTES][128])
{
    static const char *const segments[] = {"a",       "ab",  "abc",      "b",      "1",
                                           "",        "{}",  "{}",       "{:int}", "{:slug}",
                                           "{:uuid}", "x.y", "\xc3\xa9", "a b"};
    naive->count = 0;
    for (uint32_t i = 0; i < NAIVE_ROUTES / 2; i++) {
        char error[256];
        uint32_t other;
        size_t n = 0, depth = 1 + next_random(seed) % 4;
        for (size_t d = 0; d < depth; d++) {
            const char *s = pick(seed, segments, sizeof segments / sizeof segments[0]);
            n += s[0] == '{' ? (size_t)snprintf(store[i] + n, 128 - n, "/{p%zu%s", d, s + 1)
                             : (size_t)snprintf(store[i] + n, 128 - n, "/%s", s);
        }
        if (next_random(seed) % 6 == 0)
            snprintf(store[i] + n, 128 - n, "/{rest*}");
        enum bq_method method = (enum bq_method)(next_random(seed) % BQ_METHOD_COUNT);
        bq_str pattern = bq_str_cstr(store[i]);
        int rc = bq_router_add(f->router, method, pattern, i, &other, error);
        assert_true(rc == BQ_OK || rc == BQ_CONFLICT);
        if (rc == BQ_OK)
            naive->routes[naive->count++] = (struct naive_route){method, pattern, i};
    }
    assert_int_equal(bq_router_freeze(f->router), BQ_OK);
}

static void agrees_with_the_naive_router(void **state)
{
    static const char *const segments[] = {
        "a",     "ab",       "abc", "abcd",   "b",
        "1",     "-20",      "",    "..",     "%2e",
        "a%2Fb", "%61",      "x.y", "~",      "%c3%a9",
        "a%20b", "\xc3\xa9", "%2F", "a%2f..", "123e4567-e89b-12d3-a456-426614174000",
        "%",     "\xff",     "%00"};
    static char store[NAIVE_ROUTES][128];
    static struct naive_router naive;
    static struct naive_match want;
    struct fixture *f = *state;
    uint32_t seed = 20240229;
    size_t found = 0, refused = 0;
    for (int table = 0; table < 150; table++) {
        random_table(f, &naive, &seed, store);
        for (int i = 0; i < 200; i++) {
            char path[512] = "";
            size_t n = 0, depth = 1 + next_random(&seed) % 5;
            /* The broken ones stand last and are rare. */
            size_t kinds = sizeof segments / sizeof segments[0] - (next_random(&seed) % 8 ? 3 : 0);
            for (size_t d = 0; d < depth; d++)
                n += (size_t)snprintf(path + n, sizeof path - n, "/%s",
                                      pick(&seed, segments, kinds));
            enum bq_method method = (enum bq_method)(next_random(&seed) % BQ_METHOD_COUNT);
            enum bq_match_result result =
                bq_router_match(f->router, method, bq_str_cstr(path), &f->arena, &f->match);
            naive_find(&naive, method, bq_str_cstr(path), &want);
            if (!naive_agrees(&want, result, &f->match))
                fail_msg("table %d, method %d, path %s: %d, naive %d", table, method, path, result,
                         want.result);
            found += result == BQ_MATCH_FOUND;
            refused += result == BQ_MATCH_METHOD;
        }
        bq_arena_reset(&f->arena);
        bq_router_free(f->router);
        f->router = bq_router_new();
        assert_non_null(f->router);
    }
    assert_true(found > 1000 && refused > 1000);
}

static void built_paths_match_with_the_same_values(void **state)
{
    static const char *const patterns[] = {"/u/{a}/x/{b}", "/n/{i:int}/{s:slug}", "/f/{a}/{p*}",
                                           "/\xc3\xa9 :@/{a}"};
    static const char *const values[] = {"a",   "a/b",   "/",    "%2F", "\xc3\xa9", "a.b", "-7",
                                         "x_y", "a b+c", "?#[]", "...", "a\\..\\b", "~",   ";v=1"};
    enum { N = sizeof values / sizeof values[0] };
    struct fixture *f = serve(state, sizeof patterns / sizeof patterns[0], patterns);
    size_t built = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0] * N * N; i++) {
        const bq_str pair[] = {bq_str_cstr(values[i % N]), bq_str_cstr(values[i / N % N])};
        struct bq_buf path = BQ_BUF_INIT;
        struct bq_pattern p;
        char error[256];
        assert_int_equal(bq_pattern_parse(&p, bq_str_cstr(patterns[i / N / N]), error), BQ_OK);
        if (bq_pattern_build(&path, &p, pair, p.count / 2) == BQ_OK) {
            assert_int_equal(match_str(f, BQ_GET, bq_buf_str(&path)), i / N / N);
            assert_int_equal(f->match.param_count, p.count / 2);
            for (size_t k = 0; k < p.count / 2; k++)
                assert_true(bq_str_eq(f->match.params[k].value, pair[k]));
            built++;
        }
        bq_buf_release(&path);
    }
    assert_true(built > 2 * N * N);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(static_segment_beats_parameter),
        TEST(static_segment_beats_converter),
        TEST(converters_are_tried_int_uuid_slug),
        TEST(segment_that_does_not_convert_is_no_match),
        TEST(earlier_segment_decides_rank_first),
        TEST(dead_ends_are_left_again),
        TEST(parameters_of_a_dead_end_are_forgotten),
        TEST(method_is_searched_for_too),
        TEST(head_is_served_from_get),
        TEST(options_is_left_to_the_caller_unless_routed),
        TEST(any_route_yields_to_a_method_of_its_own),
        TEST(unknown_methods_find_any_routes_only),
        TEST(names_may_differ_at_one_place),
        TEST(trailing_slash_is_a_route_of_its_own),
        TEST(empty_segment_fits_only_one_spelt_so),
        TEST(dot_segments_fit_nothing),
        TEST(decoding_happens_once),
        TEST(encoded_slash_stays_inside_its_segment),
        TEST(rest_holds_no_empty_piece_even_when_encoded),
        TEST(broken_encoding_is_invalid_wherever_it_is),
        TEST(nul_is_invalid_raw_and_encoded),
        TEST(invalid_utf8_is_invalid_raw_and_encoded),
        TEST(what_is_no_path_matches_nothing),
        TEST(path_without_percent_is_not_copied),
        TEST(only_used_parameters_are_written),
        TEST(as_many_parameters_as_allowed),
        TEST(every_byte_of_a_static_run_counts),
        TEST(long_paths_of_slashes_end),
        TEST(backtracking_is_bounded_by_the_tree),
        TEST(deepest_pattern_has_a_branch_at_every_segment),
        TEST(agrees_with_the_naive_router),
        TEST(built_paths_match_with_the_same_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
