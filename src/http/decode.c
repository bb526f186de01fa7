/* decode.c: percent-encoding, query strings and forms. */
#include "http/decode.h"

#include "base/rc.h"
#include "http/chars.h"

/* Decodes in, of which the first plain bytes need no change, into w. Returns the end,
 * or NULL for a broken encoding. */
static char *decode_into(char *w, bq_str in, size_t plain, bool plus)
{
    if (plain)
        memcpy(w, in.p, plain);
    w += plain;
    for (size_t i = plain; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int high = in.n - i > 2 ? bq_hex_value(in.p[i + 1]) : -1;
            int low = high >= 0 ? bq_hex_value(in.p[i + 2]) : -1;
            if (low < 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        *w++ = c;
    }
    return w;
}

int bq_percent_decode(struct bq_arena *a, bq_str in, bool plus, bq_str *out)
{
    size_t plain = bq_str_find(in, '%', 0);
    if (plus)
        plain = bq_str_find(bq_str_of(in.p, plain), '+', 0);
    if (plain == in.n) {
        *out = in;
        return BQ_OK;
    }
    char *bytes = bq_arena_alloc(a, in.n);
    if (!bytes)
        return BQ_MEMORY;
    char *end = decode_into(bytes, in, plain, plus);
    if (!end)
        return BQ_INVALID;
    *out = bq_str_of(bytes, (size_t)(end - bytes));
    return BQ_OK;
}

int bq_percent_encode(struct bq_buf *out, bq_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    if (s.n > SIZE_MAX / 4) {
        out->failed = true;
        return BQ_MEMORY;
    }
    int rc = bq_buf_reserve(out, 3 * s.n);
    if (rc != BQ_OK)
        return rc;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (bq_char_is(s.p[i], BQ_CHAR_UNRESERVED)) {
            out->data[out->len++] = s.p[i];
        } else {
            out->data[out->len++] = '%';
            out->data[out->len++] = hex[c >> 4];
            out->data[out->len++] = hex[c & 15];
        }
    }
    return BQ_OK;
}

/* Cuts the piece before the next separator off *rest. */
static bq_str cut(bq_str *rest, char separator)
{
    size_t end = bq_str_find(*rest, separator, 0);
    bq_str piece = bq_str_of(rest->p, end);
    size_t used = end < rest->n ? end + 1 : end;
    if (used)
        *rest = bq_str_of(rest->p + used, rest->n - used);
    return piece;
}

bool bq_query_next(bq_str *rest, bq_str *name, bq_str *value)
{
    while (rest->n) {
        bq_str piece = cut(rest, '&');
        if (piece.n == 0)
            continue;
        *name = cut(&piece, '=');
        *value = piece;
        return true;
    }
    return false;
}

bool bq_cookie_next(bq_str *rest, bq_str *name, bq_str *value)
{
    while (rest->n) {
        bq_str piece = cut(rest, ';');
        size_t equals = bq_str_find(piece, '=', 0);
        *name = bq_str_trim(bq_str_of(piece.p, equals));
        if (equals == piece.n || name->n == 0)
            continue;
        bq_str v = bq_str_trim(bq_str_of(piece.p + equals + 1, piece.n - equals - 1));
        if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
            v = bq_str_of(v.p + 1, v.n - 2);
        *value = v;
        return true;
    }
    return false;
}
