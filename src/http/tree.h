/*
 * tree.h: the frozen route tree, laid out by router.c, walked by router_match.c.
 *
 * A radix tree in one block of memory: nodes breadth first, so that a node's
 * children lie side by side (static ones sorted by first byte, then parameters
 * by rank), and the first bytes of all nodes in an array of their own, so that
 * choosing a child reads a few neighbouring bytes. A static run that follows a
 * parameter without a choice lies in the parameter's own node.
 */
#ifndef BQ_HTTP_TREE_H
#define BQ_HTTP_TREE_H

#include "http/router.h"

#define BQ_TREE_NONE  UINT32_MAX
#define BQ_TREE_BLOCK 16

struct bq_tree_node {
    uint32_t text;       /* static run, an offset into bq_tree.text */
    uint32_t child;      /* first child */
    uint32_t leaf;       /* where a path may end here, or BQ_TREE_NONE */
    uint16_t text_n;     /* bytes in the run; 0 directly behind a parameter, or in an empty tree */
    uint8_t static_n;    /* children told apart by their first byte */
    uint8_t param_n : 4; /* parameter children, behind the static ones */
    uint8_t converter : 4; /* a parameter's: enum bq_converter of the segment before the run */
};

/* Fallbacks are filled in: a method's slot holds what answers it, be it a route of
 * its own, HEAD's GET, or the "any" route. */
struct bq_tree_leaf {
    uint32_t route[BQ_METHOD_COUNT]; /* BQ_TREE_NONE: 405 */
    uint32_t allow;                  /* as in bq_match */
};

struct bq_tree {
    const struct bq_tree_node *nodes; /* the root first */
    const struct bq_tree_leaf *leaves;
    const unsigned char *first; /* of each node's run; parallel to nodes. BQ_TREE_BLOCK bytes may be
                                   read from any of them on */
    const char *text;
};

/* What stands for an encoded slash while a decoded path is matched: "%00" is
 * refused, so no decoded path holds one of its own. */
#define BQ_ENCODED_SLASH '\0'

/* Whether a piece between slashes, encoded ones included, is "." or "..". */
bool bq_path_has_dots(bq_str path);

/* A router begins with its tree, whose nodes are NULL until it is frozen; the rest of
 * it is router.c's. */
static inline const struct bq_tree *bq_router_tree(const struct bq_router *r)
{
    return (const struct bq_tree *)r;
}

#endif
