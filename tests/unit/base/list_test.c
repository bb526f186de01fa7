/* list_test.c: the intrusive list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int number;
    struct bq_node node;
};

static int number_of(struct bq_node *n)
{
    return BQ_CONTAINER(n, struct item, node)->number;
}

static void nodes_are_taken_in_the_order_they_were_pushed(void **state)
{
    (void)state;
    struct bq_list l;
    struct item items[5] = {{0}};
    bq_list_init(&l);
    assert_true(bq_list_empty(&l));
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        bq_list_push(&l, &items[i].node);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(number_of(bq_list_peek(&l)), i);
        assert_int_equal(number_of(bq_list_take(&l)), i);
        assert_null(items[i].node.next);
    }
    assert_true(bq_list_empty(&l));
    assert_null(bq_list_peek(&l));
    assert_null(bq_list_take(&l));
}

static void what_was_pushed_to_the_front_is_taken_first(void **state)
{
    (void)state;
    struct bq_list l;
    struct item items[3] = {{0}, {1, {0}}, {2, {0}}};
    bq_list_init(&l);
    bq_list_push_front(&l, &items[1].node);
    bq_list_push_front(&l, &items[0].node);
    bq_list_push(&l, &items[2].node);
    for (int i = 0; i < 3; i++)
        assert_int_equal(number_of(bq_list_take(&l)), i);
    assert_true(bq_list_empty(&l));
}

static void a_node_is_removed_from_anywhere(void **state)
{
    (void)state;
    for (int gone = 0; gone < 3; gone++) {
        struct bq_list l;
        struct item items[3] = {{0}};
        items[1].number = 1;
        items[2].number = 2;
        bq_list_init(&l);
        for (int i = 0; i < 3; i++)
            bq_list_push(&l, &items[i].node);
        bq_list_remove(&items[gone].node);
        for (int i = 0; i < 3; i++)
            if (i != gone)
                assert_int_equal(number_of(bq_list_take(&l)), i);
        assert_true(bq_list_empty(&l));
    }
}

static void removing_a_node_that_is_in_no_list_is_harmless(void **state)
{
    (void)state;
    struct bq_list l;
    struct item item = {0};
    bq_list_init(&l);
    bq_list_remove(&item.node);
    bq_list_push(&l, &item.node);
    bq_list_remove(&item.node);
    bq_list_remove(&item.node);
    assert_true(bq_list_empty(&l));
    bq_list_push(&l, &item.node);
    assert_ptr_equal(bq_list_peek(&l), &item.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_taken_in_the_order_they_were_pushed),
        cmocka_unit_test(what_was_pushed_to_the_front_is_taken_first),
        cmocka_unit_test(a_node_is_removed_from_anywhere),
        cmocka_unit_test(removing_a_node_that_is_in_no_list_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
