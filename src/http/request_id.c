/* request_id.c: ids taken or made, and traces read. */
#include "http/request_id.h"

#include "base/rc.h"
#include "http/chars.h"

/* Where the parts of a traceparent lie. */
#define TRACE_AT     3
#define TRACE_BYTES  32
#define PARENT_AT    36
#define PARENT_BYTES 16
#define FLAGS_AT     53
#define PARENT_END   55

static void put_hex(char *out, uint64_t v)
{
    for (int i = 15; i >= 0; i--, v >>= 4)
        out[i] = "0123456789abcdef"[v & 15];
}

void bq_ids_init(struct bq_ids *ids, uint64_t own)
{
    put_hex(ids->own, own);
    ids->count = 0;
}

/* The field of that name, if there is one of it: of two, who says which is right? */
static bq_str only_value(const struct bq_request *r, bq_str name)
{
    const struct bq_field *found = bq_request_find(r, name);
    const struct bq_field *end = r->fields + r->field_count;
    for (const struct bq_field *f = found ? found + 1 : end; f < end; f++)
        if (bq_str_eq_nocase(f->name, name))
            return BQ_STR("");
    return found ? found->value : BQ_STR("");
}

bool bq_request_id_valid(bq_str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!bq_char_is(id.p[i], BQ_CHAR_UNRESERVED) && !strchr("+/=:", id.p[i]))
            return false;
    return id.n > 0 && id.n <= BQ_REQUEST_ID_BYTES_MAX && !memchr(id.p, '\0', id.n);
}

static int make(struct bq_exchange *ex, struct bq_ids *ids)
{
    char *text = bq_arena_alloc(&ex->arena, BQ_REQUEST_ID_BYTES);
    if (!text)
        return BQ_MEMORY;
    memcpy(text, ids->own, sizeof ids->own);
    put_hex(text + sizeof ids->own, ids->count++);
    ex->id = bq_str_of(text, BQ_REQUEST_ID_BYTES);
    return BQ_OK;
}

int bq_request_id_set(struct bq_exchange *ex, struct bq_ids *ids)
{
    if (ex->id.n)
        return BQ_OK;
    if (ex->client) {
        bq_str given = only_value(&ex->request, BQ_STR("x-request-id"));
        if (bq_request_id_valid(given)) {
            ex->id = given;
            return BQ_OK;
        }
    }
    return make(ex, ids);
}

/* Lower case only, and one digit at least that is not 0. */
static bool is_hex(const char *p, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (bq_hex_value(p[i]) < 0 || bq_lower(p[i]) != p[i])
            return false;
        any = any || p[i] != '0';
    }
    return any;
}

/* The same, where all may be 0. */
static bool is_hex_pair(const char *p)
{
    return is_hex(p, 2) || (p[0] == '0' && p[1] == '0');
}

bool bq_traceparent_valid(bq_str s)
{
    if (s.n < PARENT_END || s.p[TRACE_AT - 1] != '-' || s.p[PARENT_AT - 1] != '-' ||
        s.p[FLAGS_AT - 1] != '-')
        return false;
    bool first = s.p[0] == '0' && s.p[1] == '0', none = s.p[0] == 'f' && s.p[1] == 'f';
    if (none || (first ? s.n != PARENT_END : s.n > PARENT_END && s.p[PARENT_END] != '-'))
        return false;
    return is_hex_pair(s.p) && is_hex(s.p + TRACE_AT, TRACE_BYTES) &&
           is_hex(s.p + PARENT_AT, PARENT_BYTES) && is_hex_pair(s.p + FLAGS_AT);
}

bq_str bq_traceparent_of(const struct bq_exchange *ex)
{
    bq_str s = ex->client ? only_value(&ex->request, BQ_STR("traceparent")) : BQ_STR("");
    return bq_traceparent_valid(s) ? s : BQ_STR("");
}

bq_str bq_trace_id(bq_str traceparent)
{
    return bq_str_of(traceparent.p + TRACE_AT, TRACE_BYTES);
}
