/* exchange.c: the life of an exchange and the lookup of fields. */
#include "http/exchange.h"

const char *bq_method_name(enum bq_method m)
{
    static const char *const names[BQ_METHOD_COUNT] = {
        [BQ_GET] = "GET",     [BQ_HEAD] = "HEAD",     [BQ_POST] = "POST",       [BQ_PUT] = "PUT",
        [BQ_PATCH] = "PATCH", [BQ_DELETE] = "DELETE", [BQ_OPTIONS] = "OPTIONS",
    };
    return m < BQ_METHOD_OTHER ? names[m] : "other";
}

const char bq_type_json[] = "application/json";
const char bq_type_text[] = "text/plain; charset=utf-8";

void bq_exchange_init(struct bq_exchange *ex, const struct bq_sink *sink, void *conn)
{
    /* Not memset: the first block stays untouched until it is used. */
    ex->request = (struct bq_request){0};
    ex->body = BQ_STR("");
    ex->sink = sink;
    ex->conn = conn;
    ex->app = NULL;
    ex->tally = NULL;
    ex->id = bq_str_of(NULL, 0);
    ex->client = NULL;
    ex->gone = false;
    bq_arena_init(&ex->arena, ex->first_block, sizeof ex->first_block);
}

void bq_exchange_reset(struct bq_exchange *ex)
{
    bq_arena_reset(&ex->arena);
    ex->request = (struct bq_request){0};
    ex->body = BQ_STR("");
    ex->app = NULL;
    ex->tally = NULL;
    ex->id = bq_str_of(NULL, 0);
    ex->client = NULL;
    ex->gone = false;
}

void bq_exchange_release(struct bq_exchange *ex)
{
    bq_arena_release(&ex->arena);
}

const struct bq_field *bq_request_find(const struct bq_request *r, bq_str name)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (bq_str_eq_nocase(r->fields[i].name, name))
            return &r->fields[i];
    return NULL;
}
