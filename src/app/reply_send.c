/* reply_send.c: answers on their way out: saved while providers are closed, sent, the server's own.
 */
#include "app/after.h"
#include "app/reply.h"
#include "base/rc.h"
#include "http/h1_write.h"

#include <stdio.h>

#define BODY_KEPT_BYTES ((size_t)1 << 20) /* a larger scratch buffer is given back */

void bq_reply_send(struct bq_call *call, const struct bq_response *response)
{
    struct bq_app *app = call->app;
    struct bq_exchange *ex = call->ex;
    int after = call->after;
    if (bq_timer_is_set(&call->deadline))
        bq_timer_clear(bq_loop_wheel(app->loop), &call->deadline);
    if (call->handle != BQ_HANDLE_NONE)
        bq_handle_revoke(&app->handles, call->handle);
    if (call->values != LUA_NOREF)
        luaL_unref(app->vm->L, LUA_REGISTRYINDEX, call->values);
    ex->sink->respond(ex, response);
    if (after != LUA_NOREF)
        bq_after_start(app, after);
    if (app->body.cap > BODY_KEPT_BYTES)
        bq_buf_release(&app->body);
    app->pending--;
}

static bool save(struct bq_arena *a, bq_str *s)
{
    if (s->n == 0)
        return true;
    *s = bq_arena_dup(a, *s);
    return s->p != NULL;
}

struct bq_response *bq_reply_save(struct bq_call *call, const struct bq_response *response)
{
    struct bq_arena *a = &call->ex->arena;
    struct bq_response *saved = bq_arena_alloc(a, sizeof *saved);
    struct bq_field *fields = bq_arena_alloc(a, (response->field_count + 1) * sizeof *fields);
    if (!saved || !fields)
        return NULL;
    *saved = *response;
    saved->fields = fields;
    bool whole = save(a, &saved->content_type) && save(a, &saved->body);
    for (size_t i = 0; whole && i < saved->field_count; i++) {
        fields[i] = response->fields[i];
        whole = save(a, &fields[i].name) && save(a, &fields[i].value);
    }
    return whole ? saved : NULL;
}

/* --- answers of the server's own ----------------------------------------------------------- */

struct own_answer {
    struct bq_response response;
    struct bq_field fields[2];
    char body[128];
};

static void make_own(struct own_answer *own, const struct bq_call *call, int status)
{
    struct bq_response *r = &own->response;
    *r = (struct bq_response){.status = status, .fields = own->fields};
    if (call->allow.n)
        own->fields[r->field_count++] = (struct bq_field){BQ_STR("Allow"), call->allow};
    if (call->location.n)
        own->fields[r->field_count++] = (struct bq_field){BQ_STR("Location"), call->location};
    if (status < 400)
        return;
    int n = snprintf(own->body, sizeof own->body, "{\"detail\":\"%s\"}", bq_status_reason(status));
    r->content_type = BQ_TYPE_JSON;
    r->body = bq_str_of(own->body, (size_t)n);
}

void bq_reply_status(struct bq_call *call, int status)
{
    struct own_answer own;
    make_own(&own, call, status);
    bq_dispatch_finish(call, &own.response);
}

void bq_reply_send_status(struct bq_call *call, int status)
{
    struct own_answer own;
    make_own(&own, call, status);
    bq_reply_send(call, &own.response);
}

void bq_reply_refusal(struct bq_call *call)
{
    struct bq_buf *body = &call->app->body;
    /* The problems are JSON; a sentence of ours needs no escaping. */
    const char *mark = call->status == 422 ? "" : "\"";
    bq_buf_reset(body);
    bq_buf_append(body, BQ_STR("{\"detail\":"));
    bq_buf_append(body, bq_str_cstr(mark));
    bq_buf_append(body, call->detail);
    bq_buf_append(body, bq_str_cstr(mark));
    if (bq_buf_push(body, '}') != BQ_OK || body->failed) {
        bq_reply_status(call, 503);
        return;
    }
    struct bq_response response = {
        .status = call->status, .content_type = BQ_TYPE_JSON, .body = bq_buf_str(body)};
    bq_dispatch_finish(call, &response);
}
