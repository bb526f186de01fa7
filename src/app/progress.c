/*
 * progress.c: where the work for a request stands, told to somebody who looks from outside.
 *
 * The call waits, so its coroutine's stack can be read. Reading makes no Lua value: whoever looks
 * may do so while memory is short.
 */
#include "app/app.h"

#include "app/dispatch.h"

#include <stdio.h>
#include <string.h>

/* The application's own code: neither C, nor what the server brings along. */
static bool is_of_application(const lua_Debug *ar)
{
    return *ar->source == '@' && strncmp(ar->source, "@barq:", 6) != 0;
}

/* "sleep at app.lua:12": the innermost line of the application, and what it called. */
static bool describe_stack(lua_State *L, char out[static BQ_APP_WHERE_MAX])
{
    char callee[64] = "";
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar) && lua_getinfo(L, "nSl", &ar); level++) {
        if (is_of_application(&ar)) {
            snprintf(out, BQ_APP_WHERE_MAX, "%s%s%s:%d", callee, *callee ? " at " : "",
                     ar.short_src, ar.currentline);
            return true;
        }
        snprintf(callee, sizeof callee, "%s", ar.name ? ar.name : "");
    }
    return false;
}

static const char *describe_step(const struct bq_call *call)
{
    switch (call->step) {
    case BQ_STEP_DEPENDS:
        return "a dependency that another request opens";
    case BQ_STEP_CLOSE:
        return "closing its dependencies";
    default:
        return "its turn";
    }
}

void bq_app_progress(const struct bq_exchange *ex, char out[static BQ_APP_WHERE_MAX])
{
    const struct bq_call *call = ex->app;
    if (call && call->task && call->task->waiting && describe_stack(call->task->L, out))
        return;
    if (call && call->outer && call->outer->waiting && !call->task &&
        describe_stack(call->outer->L, out))
        return;
    snprintf(out, BQ_APP_WHERE_MAX, "%s", call ? describe_step(call) : "its answer");
}
