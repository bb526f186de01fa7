/* router_test.c: adding routes, conflicts, freezing, and the real route tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "http/tree.h"

#include <stdio.h>
#include <stdlib.h>

static struct bq_router *new_router(void)
{
    struct bq_router *r = bq_router_new();
    assert_non_null(r);
    return r;
}

static void add(struct bq_router *r, enum bq_method method, const char *pattern, uint32_t route)
{
    char error[256];
    uint32_t other = 0;
    int rc = bq_router_add(r, method, bq_str_cstr(pattern), route, &other, error);
    if (rc != BQ_OK)
        fail_msg("%s: %s", bq_rc_text(rc), error);
}

static void assert_conflict(const char *pattern, const char *other_pattern, bool want)
{
    struct bq_router *r = new_router();
    char error[256] = "", message[300];
    uint32_t other = BQ_TREE_NONE;
    add(r, BQ_GET, other_pattern, 7);
    int rc = bq_router_add(r, BQ_GET, bq_str_cstr(pattern), 8, &other, error);
    assert_int_equal(rc, want ? BQ_CONFLICT : BQ_OK);
    if (want) {
        snprintf(message, sizeof message, "\"%s\" matches the same paths as \"%s\"", pattern,
                 other_pattern);
        assert_string_equal(error, message);
        assert_int_equal(other, 7);
    }
    bq_router_free(r);
}

static void same_pattern_twice_conflicts(void **state)
{
    (void)state;
    assert_conflict("/", "/", true);
    assert_conflict("/items", "/items", true);
    assert_conflict("/items/{id}/x", "/items/{id}/x", true);
}

static void names_do_not_tell_patterns_apart(void **state)
{
    (void)state;
    assert_conflict("/items/{name}", "/items/{id}", true);
    assert_conflict("/items/{n:int}", "/items/{id:int}", true);
    assert_conflict("/f/{rest*}", "/f/{path*}", true);
    assert_conflict("/{a}/x/{b}", "/{b}/x/{a}", true);
}

static void different_rank_is_no_conflict(void **state)
{
    (void)state;
    assert_conflict("/items/{id}", "/items/new", false);
    assert_conflict("/items/{id}", "/items/{id:int}", false);
    assert_conflict("/items/{id:uuid}", "/items/{id:int}", false);
    assert_conflict("/items/{id:slug}", "/items/{id:int}", false);
    assert_conflict("/items/{id*}", "/items/{id}", false);
    assert_conflict("/items/", "/items", false);
    assert_conflict("/items//", "/items/", false);
    assert_conflict("/Items", "/items", false);
}

static void conflicts_are_per_method(void **state)
{
    struct bq_router *r = new_router();
    char error[256];
    uint32_t other = 99;
    (void)state;
    for (int m = 0; m < BQ_METHOD_COUNT; m++)
        add(r, (enum bq_method)m, "/items/{id}", (uint32_t)m);
    for (int m = 0; m < BQ_METHOD_COUNT; m++) {
        assert_int_equal(
            bq_router_add(r, (enum bq_method)m, BQ_STR("/items/{x}"), 50, &other, error),
            BQ_CONFLICT);
        assert_int_equal(other, m);
    }
    bq_router_free(r);
}

static void refused_routes_change_nothing(void **state)
{
    struct bq_router *r = new_router();
    struct bq_match m;
    char error[256];
    uint32_t other;
    (void)state;
    add(r, BQ_GET, "/items/{id}", 1);
    assert_int_equal(bq_router_add(r, BQ_GET, BQ_STR("/items/{x}"), 2, &other, error), BQ_CONFLICT);
    assert_int_equal(bq_router_add(r, BQ_GET, BQ_STR("/other/{id:itn}"), 3, &other, error),
                     BQ_INVALID);
    assert_string_equal(error, "\"/other/{id:itn}\", position 12: unknown converter \"itn\", did "
                               "you mean \"int\"?");
    assert_int_equal(bq_router_freeze(r), BQ_OK);
    assert_int_equal(bq_router_match(r, BQ_GET, BQ_STR("/items/5"), NULL, &m), BQ_MATCH_FOUND);
    assert_int_equal(m.route, 1);
    assert_int_equal(bq_router_match(r, BQ_GET, BQ_STR("/other/5"), NULL, &m), BQ_MATCH_NOT_FOUND);
    bq_router_free(r);
}

static void conflict_of_long_patterns_fits_the_message(void **state)
{
    static char pattern[BQ_ROUTE_BYTES_MAX];
    struct bq_router *r = new_router();
    char error[256];
    uint32_t other;
    (void)state;
    memset(pattern, 'p', sizeof pattern);
    pattern[0] = '/';
    bq_str text = bq_str_of(pattern, sizeof pattern);
    assert_int_equal(bq_router_add(r, BQ_GET, text, 0, &other, error), BQ_OK);
    assert_int_equal(bq_router_add(r, BQ_GET, text, 1, &other, error), BQ_CONFLICT);
    assert_true(strlen(error) > 200 && strlen(error) < 256);
    assert_int_equal(bq_router_freeze(r), BQ_OK);
    struct bq_match m;
    assert_int_equal(bq_router_match(r, BQ_GET, text, NULL, &m), BQ_MATCH_FOUND);
    text.n--;
    assert_int_equal(bq_router_match(r, BQ_GET, text, NULL, &m), BQ_MATCH_NOT_FOUND);
    bq_router_free(r);
}

static void patterns_need_not_outlive_add(void **state)
{
    struct bq_router *r = new_router();
    struct bq_match m;
    char text[] = "/items/{id}/parts";
    (void)state;
    add(r, BQ_GET, text, 3);
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(bq_router_freeze(r), BQ_OK);
    assert_int_equal(bq_router_match(r, BQ_GET, BQ_STR("/items/1/parts"), NULL, &m),
                     BQ_MATCH_FOUND);
    assert_int_equal(m.route, 3);
    bq_router_free(r);
}

static void router_without_routes_matches_nothing(void **state)
{
    struct bq_router *r = new_router();
    struct bq_match m;
    (void)state;
    assert_int_equal(bq_router_freeze(r), BQ_OK);
    assert_int_equal(bq_router_match(r, BQ_GET, BQ_STR("/"), NULL, &m), BQ_MATCH_NOT_FOUND);
    assert_int_equal(bq_router_match(r, BQ_OPTIONS, BQ_STR("*"), NULL, &m), BQ_MATCH_NOT_FOUND);
    bq_router_free(r);
    bq_router_free(NULL);
}

static void order_of_adding_does_not_matter(void **state)
{
    static const char *const patterns[] = {"/a/b",        "/a/{x:int}", "/a/{x:uuid}",
                                           "/a/{x:slug}", "/a/{x}",     "/a/{x*}",
                                           "/abc",        "/ab",        "/a"};
    static const struct {
        const char *path;
        uint32_t route;
    } want[] = {{"/a/b", 0},   {"/a/1", 1},   {"/a/123e4567-e89b-12d3-a456-426614174000", 2},
                {"/a/s-1", 3}, {"/a/s+1", 4}, {"/a/b/c", 5},
                {"/abc", 6},   {"/ab", 7},    {"/a", 8}};
    enum { N = sizeof patterns / sizeof patterns[0] };
    (void)state;
    for (size_t turn = 0; turn < 2 * N; turn++) {
        struct bq_router *r = new_router();
        for (size_t i = 0; i < N; i++) {
            size_t at = turn < N ? (turn + i) % N : (2 * N - 1 - i + turn) % N;
            add(r, BQ_GET, patterns[at], (uint32_t)at);
        }
        assert_int_equal(bq_router_freeze(r), BQ_OK);
        for (size_t i = 0; i < N; i++) {
            struct bq_match m;
            assert_int_equal(bq_router_match(r, BQ_GET, bq_str_cstr(want[i].path), NULL, &m),
                             BQ_MATCH_FOUND);
            assert_int_equal(m.route, want[i].route);
        }
        bq_router_free(r);
    }
}

static void node_may_have_a_child_for_every_byte(void **state)
{
    struct bq_router *r = new_router();
    char path[] = "/-?";
    uint32_t routes = 0;
    (void)state;
    for (int c = '!'; c < 0x7f; c++)
        if (!strchr("/?#%{}.", c)) {
            path[2] = (char)c;
            add(r, BQ_GET, path, routes++);
        }
    assert_int_equal(bq_router_freeze(r), BQ_OK);
    for (int c = '!', route = 0; c < 0x7f; c++)
        if (!strchr("/?#%{}.", c)) {
            struct bq_match m;
            path[2] = (char)c;
            assert_int_equal(bq_router_match(r, BQ_GET, bq_str_cstr(path), NULL, &m),
                             BQ_MATCH_FOUND);
            assert_int_equal(m.route, route++);
        }
    bq_router_free(r);
}

/* The real tables: tests/data/routes.txt. */

#define TABLES       4
#define TABLE_ROUTES 256

struct table {
    struct {
        enum bq_method method;
        char pattern[128];
    } routes[TABLE_ROUTES];
    size_t count;
};

static enum bq_method method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum bq_method)i;
    fail_msg("method \"%s\"", name);
    return BQ_METHOD_OTHER;
}

/* The first line names the source; every other comment begins a table. */
static struct table *read_tables(void)
{
    static struct table tables[TABLES];
    FILE *f = fopen(BARQ_SOURCE_DIR "/tests/data/routes.txt", "r");
    char line[256], method[16];
    int t = -2;
    assert_non_null(f);
    memset(tables, 0, sizeof tables);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') {
            assert_true(++t < TABLES);
            continue;
        }
        assert_true(t >= 0 && tables[t].count < TABLE_ROUTES);
        size_t i = tables[t].count++;
        assert_int_equal(sscanf(line, "%15s %127s", method, tables[t].routes[i].pattern), 2);
        tables[t].routes[i].method = method_of(method);
    }
    fclose(f);
    assert_int_equal(t, TABLES - 1);
    return tables;
}

static struct bq_router *table_router(const struct table *t)
{
    struct bq_router *r = new_router();
    for (size_t i = 0; i < t->count; i++)
        add(r, t->routes[i].method, t->routes[i].pattern, (uint32_t)i);
    assert_int_equal(bq_router_freeze(r), BQ_OK);
    return r;
}

/* Fills the i-th parameter with the i-th of these. */
static const bq_str fillings[] = {{"ann b", 5}, {"x/y", 3}, {"\xc3\xa9~", 3}, {"42", 2}};

static size_t fill(const char *pattern, struct bq_buf *out)
{
    struct bq_pattern p;
    char error[256];
    assert_int_equal(bq_pattern_parse(&p, bq_str_cstr(pattern), error), BQ_OK);
    assert_int_equal(bq_pattern_build(out, &p, fillings, p.count / 2), BQ_OK);
    return p.count / 2;
}

static void every_real_route_matches_itself(void **state)
{
    const struct table *tables = read_tables();
    size_t counts[] = {203, 13, 26, 157};
    (void)state;
    for (size_t t = 0; t < TABLES; t++) {
        struct bq_router *r = table_router(&tables[t]);
        assert_int_equal(tables[t].count, counts[t]);
        for (size_t i = 0; i < tables[t].count; i++) {
            struct bq_buf path = BQ_BUF_INIT;
            struct bq_arena a;
            struct bq_match m;
            bq_arena_init(&a, NULL, 0);
            size_t n = fill(tables[t].routes[i].pattern, &path);
            assert_int_equal(
                bq_router_match(r, tables[t].routes[i].method, bq_buf_str(&path), &a, &m),
                BQ_MATCH_FOUND);
            assert_int_equal(m.route, i);
            assert_int_equal(m.param_count, n);
            for (size_t k = 0; k < n; k++) {
                assert_int_equal(m.params[k].converter, BQ_CONV_ANY);
                assert_true(bq_str_eq(m.params[k].value, fillings[k]));
            }
            bq_arena_release(&a);
            bq_buf_release(&path);
        }
        bq_router_free(r);
    }
}

/* In these tables a path that fills a pattern fits no other shape of pattern, so the
 * methods that it allows are those of the routes with the same shape. */
static uint32_t allowed(const struct table *t, const char *pattern)
{
    uint32_t allow = 1u << BQ_OPTIONS;
    for (size_t i = 0; i < t->count; i++) {
        const char *a = pattern, *b = t->routes[i].pattern;
        while (*a && *b && *a == *b) {
            if (*a == '{') {
                a += strcspn(a, "}");
                b += strcspn(b, "}");
            }
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0')
            allow |= 1u << t->routes[i].method;
    }
    return allow | (allow & 1u << BQ_GET ? 1u << BQ_HEAD : 0);
}

static void other_methods_of_real_routes_get_the_allow_mask(void **state)
{
    const struct table *tables = read_tables();
    (void)state;
    for (size_t t = 0; t < TABLES; t++) {
        struct bq_router *r = table_router(&tables[t]);
        for (size_t i = 0; i < tables[t].count; i++) {
            struct bq_buf path = BQ_BUF_INIT;
            struct bq_arena a;
            uint32_t allow = allowed(&tables[t], tables[t].routes[i].pattern);
            bq_arena_init(&a, NULL, 0);
            fill(tables[t].routes[i].pattern, &path);
            for (int m = 0; m < BQ_METHOD_COUNT; m++) {
                struct bq_match match;
                bool found = m != BQ_OPTIONS && m != BQ_METHOD_OTHER && (allow & 1u << m);
                enum bq_match_result result =
                    bq_router_match(r, (enum bq_method)m, bq_buf_str(&path), &a, &match);
                assert_int_equal(result, found ? BQ_MATCH_FOUND : BQ_MATCH_METHOD);
                if (!found)
                    assert_int_equal(match.allow, allow);
            }
            bq_arena_release(&a);
            bq_buf_release(&path);
        }
        bq_router_free(r);
    }
}

#ifdef BQ_FAULTS
/* new, add, freeze and match with the nth allocation failing; what failed is done again,
 * as the caller may. */
static bool live_through(long nth)
{
    static const char *const patterns[] = {"/a", "/abc", "/ab", "/a/{id:int}", "/a/{id}/x"};
    char error[256];
    uint32_t other;
    struct bq_arena a;
    struct bq_match m;
    int rc;
    bq_fault_arm(BQ_FAULT_alloc, nth, false);
    struct bq_router *r = bq_router_new();
    if (!r)
        r = new_router();
    for (uint32_t i = 0; i < 5; i++) {
        bq_str pattern = bq_str_cstr(patterns[i]);
        rc = bq_router_add(r, BQ_GET, pattern, i, &other, error);
        assert_true(rc == BQ_OK || rc == BQ_MEMORY);
        if (rc == BQ_MEMORY)
            assert_int_equal(bq_router_add(r, BQ_GET, pattern, i, &other, error), BQ_OK);
    }
    rc = bq_router_freeze(r);
    assert_true(rc == BQ_OK || rc == BQ_MEMORY);
    if (rc == BQ_MEMORY)
        assert_int_equal(bq_router_freeze(r), BQ_OK);
    bq_arena_init(&a, NULL, 0);
    enum bq_match_result result = bq_router_match(r, BQ_GET, BQ_STR("/a/%41/x"), &a, &m);
    if (result != BQ_MATCH_MEMORY) {
        assert_int_equal(result, BQ_MATCH_FOUND);
        assert_int_equal(m.route, 4);
    }
    assert_int_equal(bq_router_match(r, BQ_GET, BQ_STR("/a/7"), &a, &m), BQ_MATCH_FOUND);
    assert_int_equal(m.route, 3);
    bool failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    bq_arena_release(&a);
    bq_router_free(r);
    return failed;
}

static void every_allocation_may_fail(void **state)
{
    long live = bq_mem_live(), nth = 1;
    (void)state;
    while (live_through(nth)) {
        assert_int_equal(bq_mem_live(), live);
        assert_true(++nth < 100);
    }
    assert_true(nth > 4);
    assert_int_equal(bq_mem_live(), live);
}

/* Adding takes arena blocks now and then, so that a table must be large for every kind
 * of allocation in it to be the one that fails. */
static void large_table_survives_a_failure_anywhere(void **state)
{
    const struct table *t = &read_tables()[0];
    long live = bq_mem_live();
    bool failed = true;
    (void)state;
    for (long nth = 3; failed; nth++) {
        struct bq_router *r = new_router();
        char error[256];
        uint32_t other;
        size_t failures = 0;
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        for (size_t i = 0; i < t->count; i++) {
            bq_str pattern = bq_str_cstr(t->routes[i].pattern);
            int rc = bq_router_add(r, t->routes[i].method, pattern, (uint32_t)i, &other, error);
            failures += rc == BQ_MEMORY;
            if (rc == BQ_MEMORY)
                rc = bq_router_add(r, t->routes[i].method, pattern, (uint32_t)i, &other, error);
            assert_int_equal(rc, BQ_OK);
        }
        int rc = bq_router_freeze(r);
        failures += rc == BQ_MEMORY;
        if (rc == BQ_MEMORY)
            assert_int_equal(bq_router_freeze(r), BQ_OK);
        failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(failures, failed);
        struct bq_match m;
        assert_int_equal(bq_router_match(r, BQ_GET, BQ_STR("/repos/a/b/events"), NULL, &m),
                         BQ_MATCH_FOUND);
        assert_string_equal(t->routes[m.route].pattern, "/repos/{owner}/{repo}/events");
        bq_router_free(r);
        assert_true(nth < 100);
    }
    assert_int_equal(bq_mem_live(), live);
}
#endif

static void allow_is_written_in_a_fixed_order(void **state)
{
    static const struct {
        uint32_t allow;
        const char *text;
    } cases[] = {
        {0, ""},
        {1u << BQ_OPTIONS, "OPTIONS"},
        {1u << BQ_GET | 1u << BQ_HEAD | 1u << BQ_OPTIONS, "GET, HEAD, OPTIONS"},
        {0x7f, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bq_buf out = BQ_BUF_INIT;
        assert_int_equal(bq_buf_append(&out, BQ_STR("Allow: ")), BQ_OK);
        assert_int_equal(bq_allow_write(&out, cases[i].allow), BQ_OK);
        bq_str have = bq_buf_str(&out);
        assert_int_equal(have.n, 7 + strlen(cases[i].text));
        assert_memory_equal(have.p + 7, cases[i].text, have.n - 7);
        bq_buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_pattern_twice_conflicts),
        cmocka_unit_test(names_do_not_tell_patterns_apart),
        cmocka_unit_test(different_rank_is_no_conflict),
        cmocka_unit_test(conflicts_are_per_method),
        cmocka_unit_test(refused_routes_change_nothing),
        cmocka_unit_test(conflict_of_long_patterns_fits_the_message),
        cmocka_unit_test(patterns_need_not_outlive_add),
        cmocka_unit_test(router_without_routes_matches_nothing),
        cmocka_unit_test(order_of_adding_does_not_matter),
        cmocka_unit_test(node_may_have_a_child_for_every_byte),
        cmocka_unit_test(every_real_route_matches_itself),
        cmocka_unit_test(other_methods_of_real_routes_get_the_allow_mask),
#ifdef BQ_FAULTS
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(large_table_survives_a_failure_anywhere),
#endif
        cmocka_unit_test(allow_is_written_in_a_fixed_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
