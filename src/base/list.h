/*
 * list.h: an intrusive doubly linked list. A node is in at most one list; a
 * zeroed or removed node is in none.
 */
#ifndef BQ_BASE_LIST_H
#define BQ_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct bq_node {
    struct bq_node *prev, *next;
};

/* The head is a node of its own: a circle that starts and ends with it. */
struct bq_list {
    struct bq_node head;
};

/* The struct that holds this node as its given member. */
#define BQ_CONTAINER(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void bq_list_init(struct bq_list *l)
{
    l->head.prev = l->head.next = &l->head;
}

static inline bool bq_list_empty(const struct bq_list *l)
{
    return l->head.next == &l->head;
}

/* At the end. */
static inline void bq_list_push(struct bq_list *l, struct bq_node *n)
{
    assert(!n->next);
    n->prev = l->head.prev;
    n->next = &l->head;
    n->prev->next = n;
    l->head.prev = n;
}

/* At the front: the next to be taken. */
static inline void bq_list_push_front(struct bq_list *l, struct bq_node *n)
{
    assert(!n->next);
    n->prev = &l->head;
    n->next = l->head.next;
    n->next->prev = n;
    l->head.next = n;
}

/* Harmless for a node that is in no list. */
static inline void bq_list_remove(struct bq_node *n)
{
    if (!n->next)
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->prev = n->next = NULL;
}

/* The first node, or NULL. */
static inline struct bq_node *bq_list_peek(struct bq_list *l)
{
    return bq_list_empty(l) ? NULL : l->head.next;
}

/* The same, removed. */
static inline struct bq_node *bq_list_take(struct bq_list *l)
{
    struct bq_node *n = bq_list_peek(l);
    if (n)
        bq_list_remove(n);
    return n;
}

#endif
