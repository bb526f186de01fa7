/* arena_test.c: alignment, growth, reset, cleanups, failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"

#include <stdalign.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

static void memory_is_aligned_for_any_type_and_does_not_overlap(void **state)
{
    (void)state;
    char first[301];
    struct bq_arena a;
    char *pieces[200];
    bq_arena_init(&a, first + 1, 300);
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = bq_arena_alloc(&a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal((unsigned char)pieces[i][k], i);
    bq_arena_release(&a);
}

static void what_fits_the_first_block_needs_no_heap(void **state)
{
    (void)state;
    alignas(max_align_t) char first[256];
    struct bq_arena a;
    bq_arena_init(&a, first, sizeof first);
    char *p = bq_arena_alloc(&a, 128), *q = bq_arena_alloc(&a, 128);
    assert_ptr_equal(p, first);
    assert_ptr_equal(q, first + 128);
    assert_null(a.blocks);
    assert_non_null(bq_arena_alloc(&a, 1));
    assert_non_null(a.blocks);
    bq_arena_reset(&a);
    assert_null(a.blocks);
    assert_ptr_equal(bq_arena_alloc(&a, 1), first);
    bq_arena_release(&a);
}

static void a_first_block_too_small_to_align_is_not_used(void **state)
{
    (void)state;
    alignas(max_align_t) char first[32];
    struct bq_arena a;
    for (size_t n = 0; n < 16; n++) {
        bq_arena_init(&a, first + 1, n);
        char *p = bq_arena_alloc(&a, 1);
        assert_true(p < first || p >= first + sizeof first);
        bq_arena_release(&a);
    }
}

static void a_large_piece_leaves_the_block_in_use_alone(void **state)
{
    (void)state;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    char *before = bq_arena_alloc(&a, 16);
    assert_non_null(bq_arena_alloc(&a, 100000));
    assert_ptr_equal(bq_arena_alloc(&a, 16), before + 16);
    bq_arena_release(&a);
}

static void a_size_that_overflows_is_no_memory(void **state)
{
    (void)state;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    for (size_t less = 0; less < 64; less++)
        assert_null(bq_arena_alloc(&a, SIZE_MAX - less));
    assert_null(bq_arena_alloc(&a, SIZE_MAX / 2));
    assert_non_null(bq_arena_alloc(&a, 1));
    bq_arena_release(&a);
}

static void a_copy_of_nothing_is_not_a_failure(void **state)
{
    (void)state;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    bq_str copy = bq_arena_dup(&a, bq_str_of(NULL, 0));
    assert_non_null(copy.p);
    assert_int_equal(copy.n, 0);
    copy = bq_arena_dup(&a, BQ_STR("a\0b"));
    assert_true(bq_str_eq(copy, BQ_STR("a\0b")));
    bq_arena_release(&a);
}

struct note {
    char *text;
    char c;
    struct bq_arena *arena;
};

static void write_note(void *arg)
{
    struct note *n = arg;
    n->text[strlen(n->text)] = n->c;
}

static void write_note_and_defer(void *arg)
{
    struct note *n = arg;
    static struct note late;
    late = (struct note){n->text, 'z', NULL};
    write_note(arg);
    assert_int_equal(bq_arena_defer(n->arena, write_note, &late), BQ_OK);
}

static void cleanups_run_once_and_in_reverse_order(void **state)
{
    (void)state;
    struct bq_arena a;
    char text[8] = "";
    bq_arena_init(&a, NULL, 0);
    struct note notes[] = {{text, 'a', NULL}, {text, 'b', &a}, {text, 'c', NULL}};
    assert_int_equal(bq_arena_defer(&a, write_note, &notes[0]), BQ_OK);
    assert_int_equal(bq_arena_defer(&a, write_note_and_defer, &notes[1]), BQ_OK);
    assert_int_equal(bq_arena_defer(&a, write_note, &notes[2]), BQ_OK);
    bq_arena_reset(&a);
    assert_string_equal(text, "cbza");
    bq_arena_release(&a);
    assert_string_equal(text, "cbza");
}

static void reset_gives_every_block_back(void **state)
{
    (void)state;
    struct bq_arena a;
    long before = bq_mem_live();
    bq_arena_init(&a, NULL, 0);
    for (size_t i = 1; i < 3000; i *= 2)
        assert_non_null(bq_arena_alloc(&a, i));
    bq_arena_reset(&a);
    assert_int_equal(bq_mem_live(), before);
    bq_arena_release(&a);
}

#ifdef BQ_FAULTS
static void no_memory_is_reported_and_the_arena_stays_usable(void **state)
{
    (void)state;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    assert_null(bq_arena_alloc(&a, 1));
    assert_null(bq_arena_alloc(&a, 100000));
    assert_null(bq_arena_dup(&a, BQ_STR("")).p);
    assert_int_equal(bq_arena_defer(&a, write_note, NULL), BQ_MEMORY);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_non_null(bq_arena_alloc(&a, 1));
    bq_arena_release(&a);
}
#endif

#if defined(__SANITIZE_ADDRESS__)
static void what_was_not_handed_out_is_poisoned(void **state)
{
    (void)state;
    alignas(max_align_t) char first[256];
    struct bq_arena a;
    bq_arena_init(&a, first, sizeof first);
    char *p = bq_arena_alloc(&a, 20);
    assert_false(__asan_address_is_poisoned(p + 19));
    assert_true(__asan_address_is_poisoned(p + 20));
    assert_true(__asan_address_is_poisoned(p + 32));
    char *large = bq_arena_alloc(&a, 5000);
    assert_false(__asan_address_is_poisoned(large + 4999));
    assert_true(__asan_address_is_poisoned(large + 5000));
    bq_arena_reset(&a);
    assert_true(__asan_address_is_poisoned(p));
    bq_arena_release(&a);
    assert_false(__asan_address_is_poisoned(first));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_for_any_type_and_does_not_overlap),
        cmocka_unit_test(what_fits_the_first_block_needs_no_heap),
        cmocka_unit_test(a_first_block_too_small_to_align_is_not_used),
        cmocka_unit_test(a_large_piece_leaves_the_block_in_use_alone),
        cmocka_unit_test(a_size_that_overflows_is_no_memory),
        cmocka_unit_test(a_copy_of_nothing_is_not_a_failure),
        cmocka_unit_test(cleanups_run_once_and_in_reverse_order),
        cmocka_unit_test(reset_gives_every_block_back),
#ifdef BQ_FAULTS
        cmocka_unit_test(no_memory_is_reported_and_the_arena_stays_usable),
#endif
#if defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(what_was_not_handed_out_is_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
