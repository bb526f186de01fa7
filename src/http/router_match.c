/*
 * router_match.c: from a raw path to a route, over the frozen tree of tree.h.
 *
 * The walk takes the raw path first, which is all there is to do for nearly every
 * request; where that shows that something is to be decoded, the path is decoded
 * whole, with a placeholder for an encoded slash, and walked again. The walk keeps a
 * branch for each node with parameters that it passed: at most one for each segment.
 * Where a node lies in the path is given by its pattern alone (every parameter but
 * the rest takes one whole segment), which is why a walk visits no node twice.
 */
#include "base/utf8.h"
#include "http/chars.h"
#include "http/tree.h"

#include <assert.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Up to here a loop is quicker than one look at all, since the processor goes on with the child
 * that it expects while it compares. */
#define FEW_CHILDREN 6

/* A node's parameters that are still to be tried, best first. */
struct branch {
    const struct bq_tree_node *next, *end;
    const char *at;   /* where the segment begins */
    const char *stop; /* and ends */
    size_t params;
};

struct walk {
    const struct bq_tree *tree;
    const char *end; /* of the path */
    enum bq_method method;
    struct bq_match *out;
    uint32_t allow;
    bool plain;    /* no parameter that was tried has anything to decode */
    size_t params; /* of out, up to here */
    size_t depth;
    struct branch branches[BQ_ROUTE_SEGMENTS_MAX];
};

/* Bytes at which a segment ends or stops to be plain. A path of other bytes and "/" is
 * its own decoded form and has no dot segment. */
static const bool special[256] = {
    ['/'] = true, ['%'] = true, ['.'] = true, ['\0'] = true, [0x80 ... 0xff] = true};

static bool is_plain(const char *at, const char *end)
{
    for (; at < end; at++)
        if (special[(unsigned char)*at] && *at != '/')
            return false;
    return true;
}

/* memcmp for the few bytes of a run, without the call: words, the last of which
 * overlaps the one before. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    if (n >= 8) {
        size_t last = n - 8;
        for (size_t i = 0; i < last; i += 8)
            if (memcmp(a + i, b + i, 8) != 0)
                return false;
        return memcmp(a + last, b + last, 8) == 0;
    }
    if (n >= 4)
        return memcmp(a, b, 4) == 0 && memcmp(a + n - 4, b + n - 4, 4) == 0;
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

/* The first byte is known to fit: it chose a static child, and behind a segment, as at
 * the start of a path and of every pattern, there is always "/". */
static inline bool run_fits(const struct walk *w, const struct bq_tree_node *node, const char *at)
{
    size_t n = node->text_n;
    if ((size_t)(w->end - at) < n)
        return false;
    return n <= 1 || same_bytes(at + 1, w->tree->text + node->text + 1, n - 1);
}

static inline const struct bq_tree_node *find_child(const struct bq_tree *tree,
                                                    const struct bq_tree_node *node, char byte)
{
    const unsigned char *first = tree->first + node->child;
    if (node->static_n <= FEW_CHILDREN) {
        for (size_t i = 0; i < node->static_n; i++)
            if (first[i] == (unsigned char)byte)
                return tree->nodes + node->child + i;
        return NULL;
    }
#ifdef __SSE2__
    if (node->static_n <= BQ_TREE_BLOCK) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)first);
        int same = _mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(byte)));
        unsigned own = (unsigned)same & ((1u << node->static_n) - 1);
        return own ? tree->nodes + node->child + __builtin_ctz(own) : NULL;
    }
#endif
    const unsigned char *hit = memchr(first, byte, node->static_n);
    return hit ? tree->nodes + (hit - tree->first) : NULL;
}

static const char *segment_end(struct walk *w, const char *at)
{
    while (at < w->end && !special[(unsigned char)*at])
        at++;
    if (at == w->end || *at == '/')
        return at;
    w->plain = false;
    const char *slash = memchr(at, '/', (size_t)(w->end - at));
    return slash ? slash : w->end;
}

static void push_branch(struct walk *w, const struct bq_tree_node *node, const char *at)
{
    const struct bq_tree_node *params = w->tree->nodes + node->child + node->static_n;
    assert(w->depth < BQ_ROUTE_SEGMENTS_MAX);
    w->branches[w->depth++] = (struct branch){
        .next = params,
        .end = params + node->param_n,
        .at = at,
        .stop = segment_end(w, at),
        .params = w->params,
    };
}

/* Gives the segment (or the rest) to the parameter, if it fits; NULL, or where the path
 * goes on. */
static const char *take_param(struct walk *w, const struct branch *b, enum bq_converter converter)
{
    bool rest = converter == BQ_CONV_REST;
    const char *stop = rest ? w->end : b->stop;
    bq_str value = bq_str_of(b->at, (size_t)(stop - b->at));
    struct bq_param *param = &w->out->params[b->params];
    if (rest)
        w->plain &= is_plain(b->stop, w->end);
    /* An empty segment never comes here, and a dot segment is not plain: "any" fits. */
    if (converter != BQ_CONV_ANY && !bq_converter_fits(converter, value, &param->number))
        return NULL;
    param->converter = converter;
    param->value = value;
    w->params = b->params + 1;
    return stop;
}

/* The next best node behind a parameter, or NULL when all was tried. */
static const struct bq_tree_node *next_branch(struct walk *w, const char **at)
{
    while (w->depth) {
        struct branch *b = &w->branches[w->depth - 1];
        if (b->next == b->end) {
            w->depth--;
            continue;
        }
        const struct bq_tree_node *node = b->next++;
        *at = take_param(w, b, node->converter);
        if (*at)
            return node;
    }
    return NULL;
}

static bool leaf_answers(struct walk *w, const struct bq_tree_node *node)
{
    if (node->leaf == BQ_TREE_NONE)
        return false;
    const struct bq_tree_leaf *leaf = w->tree->leaves + node->leaf;
    w->allow |= leaf->allow;
    w->out->route = leaf->route[w->method];
    return w->out->route != BQ_TREE_NONE;
}

/* The path starts with "/", as every pattern does. Leaves are met best first; those that
 * lack the method only add to the allow mask. */
static bool walk_tree(struct walk *w, bq_str path)
{
    const struct bq_tree_node *node = w->tree->nodes;
    const char *at = path.p;
    w->end = path.p + path.n;
    w->allow = 0;
    w->plain = true;
    w->params = 0;
    w->depth = 0;
    for (; node; node = next_branch(w, &at)) {
        while (node && run_fits(w, node, at)) {
            at += node->text_n;
            if (at == w->end) {
                if (leaf_answers(w, node))
                    return true;
                break;
            }
            if (node->param_n && *at != '/')
                push_branch(w, node, at);
            node = find_child(w->tree, node, *at);
        }
    }
    return false;
}

static enum bq_match_result decode(bq_str *path, struct bq_arena *a)
{
    char *out = bq_arena_alloc(a, path->n);
    size_t n = 0;
    if (!out)
        return BQ_MATCH_MEMORY;
    for (size_t i = 0; i < path->n; i++) {
        char c = path->p[i];
        if (c == '%') {
            int high = path->n - i > 2 ? bq_hex_value(path->p[i + 1]) : -1;
            int low = path->n - i > 2 ? bq_hex_value(path->p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return BQ_MATCH_INVALID;
            c = (char)(high << 4 | low);
            if (c == '/')
                c = BQ_ENCODED_SLASH;
            i += 2;
        }
        out[n++] = c;
    }
    *path = bq_str_of(out, n);
    return BQ_MATCH_FOUND;
}

/* Makes *path what the walk expects: decoded, UTF-8, without dot segments. */
static enum bq_match_result prepare(bq_str *path, struct bq_arena *a)
{
    enum bq_match_result result = BQ_MATCH_FOUND;
    if (memchr(path->p, '\0', path->n))
        return BQ_MATCH_INVALID;
    if (memchr(path->p, '%', path->n))
        result = decode(path, a);
    if (result != BQ_MATCH_FOUND)
        return result;
    if (!bq_utf8_valid(*path))
        return BQ_MATCH_INVALID;
    return bq_path_has_dots(*path) ? BQ_MATCH_NOT_FOUND : BQ_MATCH_FOUND;
}

/* The values lie in the decoded copy, which is ours to change. */
static void restore_slashes(struct bq_match *out)
{
    for (size_t i = 0; i < out->param_count; i++) {
        bq_str value = out->params[i].value;
        for (size_t j = 0; j < value.n; j++)
            if (value.p[j] == BQ_ENCODED_SLASH)
                ((char *)value.p)[j] = '/';
    }
}

static enum bq_match_result answer(const struct walk *w, bool found)
{
    if (found) {
        w->out->param_count = w->params;
        return BQ_MATCH_FOUND;
    }
    w->out->allow = w->allow;
    return w->allow ? BQ_MATCH_METHOD : BQ_MATCH_NOT_FOUND;
}

enum bq_match_result bq_router_match(const struct bq_router *r, enum bq_method method, bq_str path,
                                     struct bq_arena *a, struct bq_match *out)
{
    bq_str decoded = path;
    /* Not an initialiser: that would zero the branches for every request. */
    struct walk w;
    w.tree = bq_router_tree(r);
    w.method = method;
    w.out = out;
    assert(w.tree->nodes);
    if (path.n == 0 || path.p[0] != '/')
        return BQ_MATCH_NOT_FOUND;
    for (bool prepared = false;; prepared = true) {
        bool found = walk_tree(&w, decoded);
        /* Bytes that equal a static run stand in the pattern as they are. So a path
         * whose parameters are plain was walked in its decoded form already. */
        if (prepared || (found ? w.plain : is_plain(path.p, path.p + path.n))) {
            enum bq_match_result result = answer(&w, found);
            if (found && decoded.p != path.p)
                restore_slashes(out);
            return result;
        }
        enum bq_match_result result = prepare(&decoded, a);
        if (result != BQ_MATCH_FOUND)
            return result;
    }
}
