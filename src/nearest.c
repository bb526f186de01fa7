/*
 * nearest.c: edit distance with transpositions of neighbours (optimal string alignment),
 * in three rows of the matrix.
 */
#include "nearest.h"

#define NAME_BYTES_MAX 48

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(bq_str a, bq_str b)
{
    unsigned rows[3][NAME_BYTES_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b.n; j++)
        above[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            unsigned differs = bq_lower(a.p[i - 1]) != bq_lower(b.p[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + differs);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b.n];
}

void bq_nearest_init(struct bq_nearest *n, bq_str wanted)
{
    *n = (struct bq_nearest){wanted, NULL, (unsigned)(wanted.n > 5 ? wanted.n / 3 : 1) + 1};
}

void bq_nearest_offer(struct bq_nearest *n, const char *name)
{
    bq_str s = bq_str_cstr(name);
    if (s.n > NAME_BYTES_MAX || n->wanted.n > NAME_BYTES_MAX)
        return;
    unsigned d = distance(n->wanted, s);
    if (d < n->distance) {
        n->best = name;
        n->distance = d;
    }
}
