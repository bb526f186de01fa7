/*
 * router.c: the route tree while it grows, and its freezing.
 *
 * Adding walks a linked radix tree in an arena, splitting static runs where
 * patterns part; freezing lays it out for router_match.c (tree.h says how) and
 * drops the arena. A route that is refused leaves at most nodes without a leaf,
 * which match nothing.
 */
#include "base/mem.h"
#include "base/rc.h"
#include "http/tree.h"

#include <assert.h>
#include <stdio.h>

#define CONVERTER_COUNT (BQ_CONV_REST + 1)

static const enum bq_converter rank[] = {BQ_CONV_INT, BQ_CONV_UUID, BQ_CONV_SLUG, BQ_CONV_ANY,
                                         BQ_CONV_REST};

struct growing_leaf {
    uint32_t route[BQ_METHOD_COUNT]; /* BQ_METHOD_OTHER: the "any" route */
    bq_str pattern[BQ_METHOD_COUNT];
};

struct growing_node {
    bq_str text; /* the static run that leads here; empty at the root and for a parameter */
    struct growing_node *next; /* sibling; siblings are sorted by their first byte */
    struct growing_node *children;
    struct growing_node *params[CONVERTER_COUNT];
    struct growing_leaf *leaf;
};

struct bq_router {
    struct bq_tree tree;   /* first: bq_router_tree */
    struct bq_arena arena; /* the growing tree and its patterns, until freeze */
    struct growing_node *root;
    size_t node_count, leaf_count, text_bytes; /* bounds for the frozen tree */
    void *block;                               /* the frozen tree's memory; NULL until freeze */
};
_Static_assert(offsetof(struct bq_router, tree) == 0, "bq_router_tree");

static struct growing_node *new_node(struct bq_router *r, bq_str text)
{
    struct growing_node *node = bq_arena_alloc(&r->arena, sizeof *node);
    if (node) {
        *node = (struct growing_node){.text = text};
        r->node_count++;
    }
    return node;
}

struct bq_router *bq_router_new(void)
{
    struct bq_router *r = bq_alloc_zero(sizeof *r);
    if (!r)
        return NULL;
    bq_arena_init(&r->arena, NULL, 0);
    r->root = new_node(r, BQ_STR(""));
    if (!r->root) {
        bq_router_free(r);
        return NULL;
    }
    return r;
}

void bq_router_free(struct bq_router *r)
{
    if (!r)
        return;
    bq_arena_release(&r->arena);
    bq_free(r->block);
    bq_free(r);
}

/* The link that holds the child with this first byte, or that would. */
static struct growing_node **find_link(struct growing_node *node, char first)
{
    struct growing_node **link = &node->children;
    while (*link && (unsigned char)(*link)->text.p[0] < (unsigned char)first)
        link = &(*link)->next;
    return link;
}

static size_t common_prefix(bq_str a, bq_str b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* Puts a node for the first n bytes of *link's run above it. */
static bool split(struct bq_router *r, struct growing_node **link, size_t n)
{
    struct growing_node *lower = *link;
    struct growing_node *upper = new_node(r, bq_str_of(lower->text.p, n));
    if (!upper)
        return false;
    upper->next = lower->next;
    upper->children = lower;
    lower->next = NULL;
    lower->text = bq_str_of(lower->text.p + n, lower->text.n - n);
    *link = upper;
    return true;
}

/* The node that text leads to from node, made where it is missing, or NULL. */
static struct growing_node *grow_static(struct bq_router *r, struct growing_node *node, bq_str text)
{
    while (text.n) {
        struct growing_node **link = find_link(node, text.p[0]), *child = *link;
        if (!child || child->text.p[0] != text.p[0]) {
            node = new_node(r, text);
            if (!node)
                return NULL;
            r->text_bytes += text.n;
            node->next = child;
            *link = node;
            return node;
        }
        size_t n = common_prefix(child->text, text);
        if (n < child->text.n && !split(r, link, n))
            return NULL;
        node = *link;
        text = bq_str_of(text.p + n, text.n - n);
    }
    return node;
}

static struct growing_node *grow_pattern(struct bq_router *r, const struct bq_pattern *p)
{
    struct growing_node *node = r->root;
    for (size_t i = 0; node && i < p->count; i++) {
        const struct bq_pattern_part *part = &p->parts[i];
        if (!part->is_param) {
            node = grow_static(r, node, part->text);
            continue;
        }
        struct growing_node **param = &node->params[part->converter];
        if (!*param)
            *param = new_node(r, BQ_STR(""));
        node = *param;
    }
    return node;
}

static struct growing_leaf *grow_leaf(struct bq_router *r, struct growing_node *node)
{
    if (!node->leaf) {
        node->leaf = bq_arena_alloc(&r->arena, sizeof *node->leaf);
        if (!node->leaf)
            return NULL;
        for (size_t i = 0; i < BQ_METHOD_COUNT; i++)
            node->leaf->route[i] = BQ_TREE_NONE;
        r->leaf_count++;
    }
    return node->leaf;
}

int bq_router_add(struct bq_router *r, enum bq_method method, bq_str pattern, uint32_t route,
                  uint32_t *other, char error[static 256])
{
    struct bq_pattern parsed;
    assert(!r->block && route != BQ_TREE_NONE);
    /* The nodes' runs are views of this copy. */
    bq_str text = bq_arena_dup(&r->arena, pattern);
    if (!text.p)
        return BQ_MEMORY;
    int rc = bq_pattern_parse(&parsed, text, error);
    if (rc != BQ_OK)
        return rc;
    struct growing_node *node = grow_pattern(r, &parsed);
    struct growing_leaf *leaf = node ? grow_leaf(r, node) : NULL;
    if (!leaf)
        return BQ_MEMORY;
    if (leaf->route[method] != BQ_TREE_NONE) {
        bq_str earlier = leaf->pattern[method];
        *other = leaf->route[method];
        snprintf(error, 256, "\"%.*s\" matches the same paths as \"%.*s\"",
                 (int)(text.n < 100 ? text.n : 100), text.p,
                 (int)(earlier.n < 100 ? earlier.n : 100), earlier.p);
        return BQ_CONFLICT;
    }
    leaf->route[method] = route;
    leaf->pattern[method] = text;
    return BQ_OK;
}

/* The frozen tree while it is written. The queue holds the growing node of each
 * frozen one, so that it is the breadth-first order. */
struct layout {
    struct bq_tree_node *nodes;
    struct bq_tree_leaf *leaves;
    unsigned char *first;
    char *text;
    const struct growing_node **queue;
    uint32_t node_count, leaf_count, text_bytes;
};

/* A parameter (or the root) that only leads into one static run is one with it. No
 * parameter follows directly: there is a slash between. */
static const struct growing_node *merged(const struct growing_node *node)
{
    bool single = node->children && !node->children->next;
    return single && !node->leaf ? node->children : node;
}

static void enqueue(struct layout *l, const struct growing_node *node, enum bq_converter converter)
{
    l->nodes[l->node_count].converter = converter & 0xf;
    l->queue[l->node_count++] = node;
}

static uint32_t lay_leaf(struct layout *l, const struct growing_leaf *from)
{
    struct bq_tree_leaf *to = &l->leaves[l->leaf_count];
    to->allow = 1u << BQ_OPTIONS;
    for (size_t m = 0; m < BQ_METHOD_COUNT; m++) {
        uint32_t route = from->route[m];
        if (route == BQ_TREE_NONE && m == BQ_HEAD)
            route = from->route[BQ_GET];
        if (route == BQ_TREE_NONE)
            route = from->route[BQ_METHOD_OTHER];
        to->route[m] = route;
        if (route != BQ_TREE_NONE && m != BQ_METHOD_OTHER)
            to->allow |= 1u << m;
    }
    return l->leaf_count++;
}

static void lay_node(struct layout *l, uint32_t index)
{
    const struct growing_node *from = l->queue[index];
    struct bq_tree_node *to = &l->nodes[index];
    to->text = l->text_bytes;
    to->text_n = (uint16_t)from->text.n;
    if (from->text.n)
        memcpy(l->text + l->text_bytes, from->text.p, from->text.n);
    l->first[index] = from->text.n ? (unsigned char)from->text.p[0] : 0;
    l->text_bytes += (uint32_t)from->text.n;
    to->child = l->node_count;
    for (const struct growing_node *c = from->children; c; c = c->next) {
        enqueue(l, c, BQ_CONV_ANY);
        to->static_n++;
    }
    for (size_t i = 0; i < CONVERTER_COUNT; i++)
        if (from->params[rank[i]]) {
            enqueue(l, merged(from->params[rank[i]]), rank[i]);
            to->param_n++;
        }
    to->leaf = from->leaf ? lay_leaf(l, from->leaf) : BQ_TREE_NONE;
}

int bq_router_freeze(struct bq_router *r)
{
    size_t nodes_bytes = r->node_count * sizeof(struct bq_tree_node);
    size_t leaves_bytes = r->leaf_count * sizeof(struct bq_tree_leaf);
    struct layout l = {0};
    assert(!r->block);
    l.queue = bq_arena_alloc(&r->arena, r->node_count * sizeof *l.queue);
    r->block =
        bq_alloc_zero(nodes_bytes + leaves_bytes + r->node_count + r->text_bytes + BQ_TREE_BLOCK);
    if (!l.queue || !r->block) {
        bq_free(r->block);
        r->block = NULL;
        return BQ_MEMORY;
    }
    l.nodes = r->block;
    l.leaves = (struct bq_tree_leaf *)((char *)r->block + nodes_bytes);
    l.first = (unsigned char *)l.leaves + leaves_bytes;
    l.text = (char *)l.first + r->node_count;
    enqueue(&l, merged(r->root), BQ_CONV_ANY);
    for (uint32_t i = 0; i < l.node_count; i++)
        lay_node(&l, i);
    assert(l.node_count <= r->node_count && l.text_bytes == r->text_bytes);
    r->tree = (struct bq_tree){l.nodes, l.leaves, l.first, l.text};
    bq_arena_reset(&r->arena);
    r->root = NULL;
    return BQ_OK;
}

int bq_allow_write(struct bq_buf *out, uint32_t allow)
{
    int rc = BQ_OK;
    size_t len = out->len;
    for (unsigned m = 0; rc == BQ_OK && m < BQ_METHOD_OTHER; m++)
        if (allow & (1u << m))
            rc = bq_buf_printf(out, "%s%s", out->len > len ? ", " : "",
                               bq_method_name((enum bq_method)m));
    return rc;
}
