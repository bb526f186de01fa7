/* shared_test.c: the store against its contract, a naive model, failing memory and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/shared.h"
#include "data/stripe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic uint64_t clock_ms;

static uint64_t test_clock(void)
{
    return clock_ms;
}

struct fixture {
    struct bq_stores *stores;
    struct bq_store *s;
    struct bq_buf buf;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->stores = bq_stores_new();
    clock_ms = 1000;
    bq_stores_set_clock(f->stores, test_clock);
    if (bq_stores_open(f->stores, BQ_STR("test"), 1 << 20, &f->s) != BQ_OK)
        return -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bq_stores_free(f->stores);
    bq_buf_release(&f->buf);
    free(f);
    return 0;
}

static int get(struct fixture *f, bq_str key, uint64_t *version)
{
    bq_buf_reset(&f->buf);
    return bq_store_get(f->s, key, &f->buf, version);
}

#define assert_value(f, key, text)                                   \
    do {                                                             \
        assert_int_equal(get(f, BQ_STR(key), NULL), BQ_OK);          \
        assert_true(bq_str_eq(bq_buf_str(&(f)->buf), BQ_STR(text))); \
    } while (0)
#define assert_absent(f, key) assert_int_equal(get(f, BQ_STR(key), NULL), BQ_NOT_FOUND)

static void set_gives_back_what_was_stored(void **state)
{
    struct fixture *f = *state;
    assert_absent(f, "k");
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), BQ_STR("one"), 0), BQ_OK);
    assert_value(f, "k", "one");
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), BQ_STR("two"), 0), BQ_OK);
    assert_value(f, "k", "two");
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), BQ_STR("much longer than two"), 0), BQ_OK);
    assert_value(f, "k", "much longer than two");
    assert_int_equal(bq_store_counts(f->s).entries, 1);
}

static void empty_keys_and_values_and_nul_bytes_are_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_store_set(f->s, BQ_STR(""), BQ_STR(""), 0), BQ_OK);
    assert_int_equal(bq_store_set(f->s, BQ_STR("a\0b"), BQ_STR("x\0y"), 0), BQ_OK);
    assert_value(f, "", "");
    assert_value(f, "a\0b", "x\0y");
    assert_absent(f, "a");
}

static void get_appends_to_the_buffer(void **state)
{
    struct fixture *f = *state;
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("b"), 0);
    bq_buf_append(&f->buf, BQ_STR("a"));
    assert_int_equal(bq_store_get(f->s, BQ_STR("k"), &f->buf, NULL), BQ_OK);
    assert_true(bq_str_eq(bq_buf_str(&f->buf), BQ_STR("ab")));
}

static void add_stores_only_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_store_add(f->s, BQ_STR("k"), BQ_STR("1"), 0), BQ_OK);
    assert_int_equal(bq_store_add(f->s, BQ_STR("k"), BQ_STR("2"), 0), BQ_CONFLICT);
    assert_value(f, "k", "1");
}

static void delete_says_whether_it_was_there(void **state)
{
    struct fixture *f = *state;
    assert_false(bq_store_delete(f->s, BQ_STR("k")));
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("1"), 0);
    assert_true(bq_store_delete(f->s, BQ_STR("k")));
    assert_false(bq_store_delete(f->s, BQ_STR("k")));
    assert_absent(f, "k");
}

static void replace_needs_the_version_it_read(void **state)
{
    struct fixture *f = *state;
    uint64_t version = 0;
    bq_str k = BQ_STR("k");
    assert_int_equal(bq_store_replace(f->s, k, 7, BQ_STR("x"), 0), BQ_CONFLICT);
    assert_int_equal(bq_store_replace(f->s, k, 0, BQ_STR("1"), 0), BQ_OK);
    assert_int_equal(bq_store_replace(f->s, k, 0, BQ_STR("2"), 0), BQ_CONFLICT);
    assert_int_equal(get(f, k, &version), BQ_OK);
    assert_int_equal(bq_store_replace(f->s, k, version, BQ_STR("2"), 0), BQ_OK);
    assert_int_equal(bq_store_replace(f->s, k, version, BQ_STR("3"), 0), BQ_CONFLICT);
    assert_value(f, "k", "2");
    get(f, k, &version);
    assert_int_equal(bq_store_replace(f->s, k, version, bq_str_of(NULL, 0), 0), BQ_OK);
    assert_absent(f, "k");
    assert_int_equal(bq_store_replace(f->s, k, 0, bq_str_of(NULL, 0), 0), BQ_OK);
}

static void versions_never_repeat_even_after_deletion(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0, after = 0;
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("1"), 0);
    get(f, BQ_STR("k"), &before);
    bq_store_delete(f->s, BQ_STR("k"));
    bq_store_add(f->s, BQ_STR("k"), BQ_STR("1"), 0);
    get(f, BQ_STR("k"), &after);
    assert_true(after > before);
    bq_store_clear(f->s);
    bq_store_add(f->s, BQ_STR("k"), BQ_STR("1"), 0);
    get(f, BQ_STR("k"), &before);
    assert_true(before > after);
    assert_int_equal(bq_store_replace(f->s, BQ_STR("k"), after, BQ_STR("x"), 0), BQ_CONFLICT);
}

static void incr_starts_from_init_and_adds(void **state)
{
    struct fixture *f = *state;
    double sum;
    assert_int_equal(bq_store_incr(f->s, BQ_STR("n"), 1, 10, 0, &sum), BQ_OK);
    assert_true(sum == 11);
    assert_int_equal(bq_store_incr(f->s, BQ_STR("n"), -0.5, 10, 0, &sum), BQ_OK);
    assert_true(sum == 10.5);
    get(f, BQ_STR("n"), NULL);
    assert_int_equal(bq_buf_size(&f->buf), 9);
    assert_int_equal(f->buf.data[0], BQ_STORE_NUMBER);
}

static void incr_refuses_what_is_no_number(void **state)
{
    struct fixture *f = *state;
    double sum;
    bq_store_set(f->s, BQ_STR("s"), BQ_STR("n1234567"), 0);
    assert_int_equal(bq_store_incr(f->s, BQ_STR("s"), 1, 0, 0, &sum), BQ_INVALID);
    bq_store_set(f->s, BQ_STR("s"), BQ_STR("s12345678"), 0);
    assert_int_equal(bq_store_incr(f->s, BQ_STR("s"), 1, 0, 0, &sum), BQ_INVALID);
    assert_value(f, "s", "s12345678");
    assert_int_equal(bq_store_incr(f->s, BQ_STR("n"), 1e308, 1e308, 0, &sum), BQ_INVALID);
    assert_absent(f, "n");
}

static void entries_expire_at_their_time(void **state)
{
    struct fixture *f = *state;
    int64_t left;
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("1"), 100);
    bq_store_set(f->s, BQ_STR("ever"), BQ_STR("1"), 0);
    clock_ms += 99;
    assert_int_equal(bq_store_ttl(f->s, BQ_STR("k"), &left), BQ_OK);
    assert_int_equal(left, 1);
    assert_value(f, "k", "1");
    clock_ms += 1;
    assert_absent(f, "k");
    assert_int_equal(bq_store_ttl(f->s, BQ_STR("k"), &left), BQ_NOT_FOUND);
    assert_int_equal(bq_store_ttl(f->s, BQ_STR("ever"), &left), BQ_OK);
    assert_int_equal(left, -1);
    assert_int_equal(bq_store_add(f->s, BQ_STR("k"), BQ_STR("2"), 0), BQ_OK);
    assert_int_equal(bq_store_counts(f->s).expired, 1);
}

static void a_huge_ttl_is_for_ever(void **state)
{
    struct fixture *f = *state;
    int64_t left;
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("1"), UINT64_MAX - 5);
    assert_int_equal(bq_store_ttl(f->s, BQ_STR("k"), &left), BQ_OK);
    assert_int_equal(left, -1);
}

static void writes_treat_the_expiry_as_documented(void **state)
{
    struct fixture *f = *state;
    uint64_t version = 0;
    int64_t left;
    double sum;
    bq_str k = BQ_STR("k");
    bq_store_incr(f->s, k, 1, 0, 100, &sum);
    bq_store_incr(f->s, k, 1, 0, 900, &sum);
    bq_store_ttl(f->s, k, &left);
    assert_int_equal(left, 100);
    get(f, k, &version);
    assert_int_equal(bq_store_replace(f->s, k, version, BQ_STR("x"), BQ_STORE_TTL_KEEP), BQ_OK);
    bq_store_ttl(f->s, k, &left);
    assert_int_equal(left, 100);
    get(f, k, &version);
    assert_int_equal(bq_store_replace(f->s, k, version, BQ_STR("x"), 700), BQ_OK);
    bq_store_ttl(f->s, k, &left);
    assert_int_equal(left, 700);
    bq_store_set(f->s, k, BQ_STR("x"), 0);
    bq_store_ttl(f->s, k, &left);
    assert_int_equal(left, -1);
}

static void writes_sweep_what_has_expired(void **state)
{
    (void)state;
    struct bq_stripe s;
    assert_int_equal(bq_stripe_init(&s, 65536, test_clock), BQ_OK);
    for (uint32_t i = 0; i < 200; i++)
        bq_stripe_put(&s, NULL, bq_str_of((char *)&i, 4), i, BQ_STR("x"), clock_ms + 10);
    clock_ms += 10;
    /* 200 buckets, two with each write to a key that is there. */
    for (uint32_t i = 0; i < 101; i++)
        bq_stripe_put(&s, bq_stripe_find(&s, BQ_STR("k"), 1), BQ_STR("k"), 1, BQ_STR("x"), 0);
    assert_int_equal(s.entries, 1);
    assert_int_equal(s.expired, 200);
    bq_stripe_release(&s);
}

static void an_expired_entry_is_absent_to_every_operation(void **state)
{
    struct fixture *f = *state;
    double sum;
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("1"), 10);
    clock_ms += 10;
    assert_int_equal(bq_store_counts(f->s).entries, 0);
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("1"), 10);
    clock_ms += 10;
    assert_false(bq_store_delete(f->s, BQ_STR("k")));
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("1"), 10);
    clock_ms += 10;
    assert_int_equal(bq_store_replace(f->s, BQ_STR("k"), 0, BQ_STR("2"), 10), BQ_OK);
    clock_ms += 10;
    assert_int_equal(bq_store_incr(f->s, BQ_STR("k"), 1, 5, 0, &sum), BQ_OK);
    assert_true(sum == 6);
}

static void limits_are_refused(void **state)
{
    struct fixture *f = *state;
    size_t max = bq_store_entry_bytes_max(f->s);
    char *big = calloc(1, max + 1);
    double sum;
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), BQ_STR("old"), 0), BQ_OK);
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), bq_str_of(big, max), 0), BQ_LIMIT);
    assert_value(f, "k", "old");
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), bq_str_of(big, max - 1), 0), BQ_OK);
    bq_str key = bq_str_of(big, BQ_STORE_KEY_BYTES_MAX + 1);
    assert_int_equal(bq_store_set(f->s, key, BQ_STR(""), 0), BQ_LIMIT);
    assert_int_equal(bq_store_add(f->s, key, BQ_STR(""), 0), BQ_LIMIT);
    assert_int_equal(bq_store_replace(f->s, key, 0, BQ_STR(""), 0), BQ_LIMIT);
    assert_int_equal(bq_store_incr(f->s, key, 1, 0, 0, &sum), BQ_LIMIT);
    key.n--;
    assert_int_equal(bq_store_set(f->s, key, BQ_STR(""), 0), BQ_OK);
    free(big);
}

static void the_budget_is_never_exceeded(void **state)
{
    struct fixture *f = *state;
    char key[16], *value = calloc(1, 40000);
    unsigned seed = 1;
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(key, sizeof key, "%d", rand_r(&seed) % 9000);
        size_t size = i % 50 ? (size_t)(rand_r(&seed) % 40) : (size_t)(rand_r(&seed) % 40000);
        assert_int_equal(bq_store_set(f->s, bq_str_of(key, (size_t)n), bq_str_of(value, size), 0),
                         BQ_OK);
        if (i % 64 == 0)
            assert_true(bq_store_counts(f->s).bytes <= 1 << 20);
    }
    struct bq_store_counts counts = bq_store_counts(f->s);
    assert_true(counts.evictions > 0);
    assert_true(counts.bytes > 1 << 19);
    free(value);
}

static void deletion_gives_every_byte_back(void **state)
{
    struct fixture *f = *state;
    uint64_t empty = bq_store_counts(f->s).bytes;
    long live = bq_mem_live();
    char key[16];
    for (int i = 0; i < 3000; i++) {
        int n = snprintf(key, sizeof key, "%d", i);
        bq_store_set(f->s, bq_str_of(key, (size_t)n), bq_str_of(key, (size_t)(i % 7)), 0);
    }
    assert_true(bq_store_counts(f->s).bytes > empty + 3000 * sizeof(struct bq_entry));
    bq_store_clear(f->s);
    assert_int_equal(bq_store_counts(f->s).bytes, empty);
    assert_int_equal(bq_store_counts(f->s).entries, 0);
    assert_int_equal(bq_mem_live(), live);
}

struct seen {
    char keys[4000];
    int count, max;
};

static bool see(void *arg, bq_str key)
{
    struct seen *seen = arg;
    char text[16] = "";
    memcpy(text, key.p, key.n);
    seen->keys[strtol(text + 1, NULL, 10)]++;
    return ++seen->count < seen->max;
}

static void each_gives_every_key_with_the_prefix_once(void **state)
{
    struct fixture *f = *state;
    static struct seen seen;
    char key[16];
    for (int i = 0; i < 4000; i++) {
        int n = snprintf(key, sizeof key, "%c%d", i % 2 ? 'a' : 'b', i);
        bq_store_set(f->s, bq_str_of(key, (size_t)n), BQ_STR(""), i % 4 == 1 ? 5 : 0);
    }
    clock_ms += 5;
    seen = (struct seen){.max = 100000};
    bq_store_each(f->s, BQ_STR("a"), see, &seen);
    assert_int_equal(seen.count, 1000);
    for (int i = 0; i < 4000; i++)
        assert_int_equal(seen.keys[i], i % 4 == 3);
    seen = (struct seen){.max = 5};
    bq_store_each(f->s, BQ_STR(""), see, &seen);
    assert_int_equal(seen.count, 5);
}

static void stores_are_found_by_name(void **state)
{
    struct fixture *f = *state;
    struct bq_store *other, *again;
    char name[BQ_STORE_NAME_BYTES_MAX + 1] = "";
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("other"), 0, &other), BQ_OK);
    assert_ptr_not_equal(other, f->s);
    assert_int_equal(bq_store_counts(other).bytes_max, BQ_STORE_BYTES_DEFAULT);
    assert_true(bq_str_eq(bq_store_name(other), BQ_STR("other")));
    assert_int_equal(bq_store_name(other).p[5], '\0');
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("test"), 0, &again), BQ_OK);
    assert_ptr_equal(again, f->s);
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("test"), 1 << 20, &again), BQ_OK);
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("test"), 1 << 21, &again), BQ_CONFLICT);
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("tiny"), BQ_STORE_BYTES_MIN - 1, &again),
                     BQ_LIMIT);
    assert_int_equal(bq_stores_open(f->stores, bq_str_of(name, sizeof name), 0, &again), BQ_LIMIT);
    bq_store_set(other, BQ_STR("k"), BQ_STR("1"), 0);
    assert_absent(f, "k");
}

static void the_number_of_stores_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct bq_store *s;
    char name[16];
    for (int i = 1; i < BQ_STORES_MAX; i++) {
        int n = snprintf(name, sizeof name, "%d", i);
        assert_int_equal(
            bq_stores_open(f->stores, bq_str_of(name, (size_t)n), BQ_STORE_BYTES_MIN, &s), BQ_OK);
    }
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("one more"), 0, &s), BQ_LIMIT);
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("7"), 0, &s), BQ_OK);
}

static void the_smallest_store_takes_its_largest_entry(void **state)
{
    struct fixture *f = *state;
    char *big = calloc(1, BQ_STORE_BYTES_MIN), key[16];
    assert_int_equal(bq_stores_open(f->stores, BQ_STR("tiny"), BQ_STORE_BYTES_MIN, &f->s), BQ_OK);
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(key, sizeof key, "%d", i);
        size_t size = i % 100 ? 0 : bq_store_entry_bytes_max(f->s) - (size_t)n;
        assert_int_equal(bq_store_set(f->s, bq_str_of(key, (size_t)n), bq_str_of(big, size), 0),
                         BQ_OK);
        assert_true(bq_store_counts(f->s).bytes <= BQ_STORE_BYTES_MIN);
    }
    free(big);
}

/* The naive model: an array of a few keys, their values' lengths and expiries. */
#define MODEL_KEYS 40
struct model {
    bool there;
    char value[64];
    size_t n;
    uint64_t expires;
};

static bool model_live(struct model *m)
{
    if (m->there && m->expires && m->expires <= clock_ms)
        m->there = false;
    return m->there;
}

static void model_put(struct model *m, const char *value, size_t n, uint64_t ttl)
{
    m->there = true;
    m->n = n;
    memcpy(m->value, value, n);
    m->expires = ttl ? clock_ms + ttl : 0;
}

static void model_step(struct fixture *f, struct model *model, unsigned *seed)
{
    char key[8], value[64];
    int k = rand_r(seed) % MODEL_KEYS;
    struct model *m = &model[k];
    bq_str ks = bq_str_of(key, (size_t)snprintf(key, sizeof key, "k%d", k));
    size_t n = (size_t)(rand_r(seed) % 64);
    memset(value, rand_r(seed) % 256, sizeof value);
    bq_str v = bq_str_of(value, n);
    uint64_t ttl = rand_r(seed) % 2 ? 0 : (uint64_t)(1 + rand_r(seed) % 50), version = 0;
    clock_ms += (uint64_t)(rand_r(seed) % 3);
    bool live = model_live(m);
    switch (rand_r(seed) % 5) {
    case 0:
        assert_int_equal(bq_store_set(f->s, ks, v, ttl), BQ_OK);
        model_put(m, value, n, ttl);
        break;
    case 1:
        assert_int_equal(bq_store_add(f->s, ks, v, ttl), live ? BQ_CONFLICT : BQ_OK);
        if (!live)
            model_put(m, value, n, ttl);
        break;
    case 2:
        assert_int_equal(bq_store_delete(f->s, ks), live);
        m->there = false;
        break;
    case 3:
        get(f, ks, &version);
        assert_int_equal(version != 0, live);
        assert_int_equal(bq_store_replace(f->s, ks, version, v, ttl), BQ_OK);
        model_put(m, value, n, ttl);
        break;
    default:
        assert_int_equal(get(f, ks, NULL), live ? BQ_OK : BQ_NOT_FOUND);
        if (live)
            assert_true(bq_str_eq(bq_buf_str(&f->buf), bq_str_of(m->value, m->n)));
    }
}

static void random_operations_agree_with_a_naive_model(void **state)
{
    struct fixture *f = *state;
    struct model model[MODEL_KEYS] = {{0}};
    unsigned seed = 20;
    for (int i = 0; i < 50000; i++)
        model_step(f, model, &seed);
    uint64_t live = 0;
    for (int i = 0; i < MODEL_KEYS; i++)
        live += model_live(&model[i]);
    assert_int_equal(bq_store_counts(f->s).entries, live);
}

/* One stripe alone, where the order of use is total. */
static void what_was_used_longest_ago_is_evicted_first(void **state)
{
    (void)state;
    struct bq_stripe s;
    char value[1000] = "", key = 0;
    assert_int_equal(bq_stripe_init(&s, 8192, test_clock), BQ_OK);
    size_t free_bytes = s.bytes_max - s.bytes,
           cost = bq_stripe_cost(sizeof(struct bq_entry) + 1001);
    int fit = (int)(free_bytes / cost);
    for (key = 0; key < fit; key++)
        bq_stripe_put(&s, NULL, bq_str_of(&key, 1), (uint64_t)key, bq_str_of(value, 1000), 0);
    assert_int_equal(s.evictions, 0);
    key = 0;
    bq_stripe_touch(&s, bq_stripe_find(&s, bq_str_of(&key, 1), 0));
    key = (char)fit;
    bq_stripe_put(&s, NULL, bq_str_of(&key, 1), (uint64_t)key, bq_str_of(value, 1000), 0);
    assert_int_equal(s.evictions, 1);
    for (key = 0; key <= fit; key++)
        assert_int_equal(bq_stripe_find(&s, bq_str_of(&key, 1), (uint64_t)key) != NULL, key != 1);
    assert_true(s.bytes <= s.bytes_max);
    bq_stripe_release(&s);
}

static void colliding_hashes_keep_their_keys_apart(void **state)
{
    (void)state;
    struct bq_stripe s;
    assert_int_equal(bq_stripe_init(&s, 65536, test_clock), BQ_OK);
    for (char key = 0; key < 100; key++)
        assert_int_equal(bq_stripe_put(&s, NULL, bq_str_of(&key, 1), 42, bq_str_of(&key, 1), 0),
                         BQ_OK);
    for (char key = 0; key < 100; key++) {
        struct bq_entry *e = bq_stripe_find(&s, bq_str_of(&key, 1), 42);
        assert_non_null(e);
        assert_int_equal(bq_entry_value(e).p[0], key);
        if (key % 2)
            bq_stripe_drop(&s, e);
    }
    assert_int_equal(s.entries, 50);
    bq_stripe_release(&s);
}

static void growing_keeps_a_bucket_for_each_entry(void **state)
{
    (void)state;
    struct bq_stripe s;
    assert_int_equal(bq_stripe_init(&s, 4 << 20, test_clock), BQ_OK);
    uint64_t hash = 1;
    for (uint32_t i = 0; i < 20000; i++) {
        hash = hash * 6364136223846793005u + 1442695040888963407u;
        assert_int_equal(
            bq_stripe_put(&s, NULL, bq_str_of((char *)&i, 4), hash >> 8, bq_str_of("", 0), 0),
            BQ_OK);
        assert_true(s.buckets >= s.entries);
    }
    hash = 1;
    for (uint32_t i = 0; i < 20000; i++) {
        hash = hash * 6364136223846793005u + 1442695040888963407u;
        assert_non_null(bq_stripe_find(&s, bq_str_of((char *)&i, 4), hash >> 8));
    }
    bq_stripe_release(&s);
}

#ifdef BQ_FAULTS
static void opening_without_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    long live = bq_mem_live(), nth = 1;
    for (;; nth++) {
        struct bq_store *s;
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        struct bq_stores *stores = bq_stores_new();
        int rc = stores ? bq_stores_open(stores, BQ_STR("x"), 1 << 20, &s) : BQ_MEMORY;
        bool failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(rc, failed ? BQ_MEMORY : BQ_OK);
        bq_stores_free(stores);
        assert_int_equal(bq_mem_live(), live);
        if (!failed)
            break;
    }
    assert_true(nth > 32);
}

static void a_failed_write_leaves_the_old_value(void **state)
{
    struct fixture *f = *state;
    uint64_t version = 0;
    double sum;
    char text[200] = "";
    bq_store_set(f->s, BQ_STR("k"), BQ_STR("old"), 0);
    get(f, BQ_STR("k"), &version);
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    bq_str large = bq_str_of(text, sizeof text);
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), large, 0), BQ_MEMORY);
    assert_int_equal(bq_store_replace(f->s, BQ_STR("k"), version, large, 0), BQ_MEMORY);
    assert_int_equal(bq_store_add(f->s, BQ_STR("new"), BQ_STR("x"), 0), BQ_MEMORY);
    assert_int_equal(bq_store_incr(f->s, BQ_STR("n"), 1, 0, 0, &sum), BQ_MEMORY);
    struct bq_buf none = BQ_BUF_INIT;
    assert_int_equal(bq_store_get(f->s, BQ_STR("k"), &none, NULL), BQ_MEMORY);
    /* The same size goes into the same place. */
    assert_int_equal(bq_store_set(f->s, BQ_STR("k"), BQ_STR("new"), 0), BQ_OK);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_value(f, "k", "new");
    assert_absent(f, "n");
    assert_int_equal(bq_store_counts(f->s).entries, 1);
}

static void without_memory_for_buckets_entries_are_still_found(void **state)
{
    struct fixture *f = *state;
    char key[16];
    for (int i = 0; i < 3000; i++) {
        bq_str k = bq_str_of(key, (size_t)snprintf(key, sizeof key, "%d", i));
        bq_fault_arm(BQ_FAULT_alloc, 2, true); /* the entry gets its memory, the segment none */
        assert_int_equal(bq_store_set(f->s, k, k, 0), BQ_OK);
    }
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    for (int i = 0; i < 3000; i++) {
        bq_str k = bq_str_of(key, (size_t)snprintf(key, sizeof key, "%d", i));
        assert_int_equal(get(f, k, NULL), BQ_OK);
        assert_true(bq_str_eq(bq_buf_str(&f->buf), k));
    }
}
#endif

#define THREADS 4
#define ROUNDS  2000

struct racer {
    pthread_t thread;
    struct bq_store *s;
    int added;
    unsigned seed;
};

static void race_update(struct bq_store *s, struct bq_buf *buf)
{
    int rc;
    do {
        uint64_t version = 0;
        uint32_t n = 0;
        bq_buf_reset(buf);
        if (bq_store_get(s, BQ_STR("cas"), buf, &version) == BQ_OK)
            memcpy(&n, buf->data, sizeof n);
        n++;
        rc = bq_store_replace(s, BQ_STR("cas"), version, bq_str_of((char *)&n, sizeof n), 0);
    } while (rc == BQ_CONFLICT);
}

static void *race(void *arg)
{
    struct racer *r = arg;
    struct bq_buf buf = BQ_BUF_INIT;
    char key[16];
    double sum;
    for (int i = 0; i < ROUNDS; i++) {
        bq_store_incr(r->s, BQ_STR("sum"), 1, 0, 0, &sum);
        bq_str k = bq_str_of(key, (size_t)snprintf(key, sizeof key, "k%d", i));
        r->added += bq_store_add(r->s, k, BQ_STR("x"), 0) == BQ_OK;
        race_update(r->s, &buf);
        k.n = (size_t)snprintf(key, sizeof key, "t%d", rand_r(&r->seed) % 100);
        bq_store_set(r->s, k, k, (uint64_t)(rand_r(&r->seed) % 3));
        bq_buf_reset(&buf);
        if (bq_store_get(r->s, k, &buf, NULL) == BQ_OK && !bq_str_eq(bq_buf_str(&buf), k))
            r->added += 1000000;
        bq_store_delete(r->s, k);
        if (i % 200 == 0)
            bq_store_counts(r->s);
    }
    bq_buf_release(&buf);
    return NULL;
}

static void threads_lose_no_update(void **state)
{
    (void)state;
    struct bq_stores *stores = bq_stores_new();
    struct bq_store *s;
    struct racer racers[THREADS];
    struct bq_buf buf = BQ_BUF_INIT;
    double sum;
    uint32_t updates;
    int added = 0;
    assert_int_equal(bq_stores_open(stores, BQ_STR("race"), 0, &s), BQ_OK);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.s = s, .seed = (unsigned)i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        added += racers[i].added;
    }
    assert_int_equal(added, ROUNDS);
    bq_store_incr(s, BQ_STR("sum"), 0, 0, 0, &sum);
    assert_true(sum == THREADS * ROUNDS);
    assert_int_equal(bq_store_get(s, BQ_STR("cas"), &buf, NULL), BQ_OK);
    memcpy(&updates, buf.data, sizeof updates);
    assert_int_equal(updates, THREADS * ROUNDS);
    bq_buf_release(&buf);
    bq_stores_free(stores);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_gives_back_what_was_stored),
        TEST(empty_keys_and_values_and_nul_bytes_are_kept),
        TEST(get_appends_to_the_buffer),
        TEST(add_stores_only_once),
        TEST(delete_says_whether_it_was_there),
        TEST(replace_needs_the_version_it_read),
        TEST(versions_never_repeat_even_after_deletion),
        TEST(incr_starts_from_init_and_adds),
        TEST(incr_refuses_what_is_no_number),
        TEST(entries_expire_at_their_time),
        TEST(a_huge_ttl_is_for_ever),
        TEST(writes_treat_the_expiry_as_documented),
        cmocka_unit_test(writes_sweep_what_has_expired),
        TEST(an_expired_entry_is_absent_to_every_operation),
        TEST(limits_are_refused),
        TEST(the_budget_is_never_exceeded),
        TEST(deletion_gives_every_byte_back),
        TEST(each_gives_every_key_with_the_prefix_once),
        TEST(stores_are_found_by_name),
        TEST(the_number_of_stores_is_bounded),
        TEST(the_smallest_store_takes_its_largest_entry),
        TEST(random_operations_agree_with_a_naive_model),
        cmocka_unit_test(what_was_used_longest_ago_is_evicted_first),
        cmocka_unit_test(colliding_hashes_keep_their_keys_apart),
        cmocka_unit_test(growing_keeps_a_bucket_for_each_entry),
#ifdef BQ_FAULTS
        cmocka_unit_test(opening_without_memory_leaves_nothing_behind),
        TEST(a_failed_write_leaves_the_old_value),
        TEST(without_memory_for_buckets_entries_are_still_found),
#endif
        cmocka_unit_test(threads_lose_no_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
