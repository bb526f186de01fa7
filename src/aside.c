/* aside.c: opens the Lua states of barq.offload's threads. */
#include "aside.h"

#include "app/app.h"
#include "lua_sources.h"
#include "modules.h"

static void open_state(lua_State *L, void *arg)
{
    const struct bq_aside *aside = arg;
    bq_modules_preload(L, &(struct bq_modules_env){.stores = aside->stores});
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_getfield(L, -1, "barq.aside");
    lua_setfield(L, -2, "barq");
    lua_pop(L, 2);
    bq_app_open_aside(L);
    bq_app_extend_path(L, aside->app_path);
    if (aside->sources)
        bq_sources_open(L, aside->sources);
}

struct bq_offload_options bq_aside_options(struct bq_aside *aside, const struct bq_config *config)
{
    return (struct bq_offload_options){
        .threads_max = bq_config_offload_threads(config),
        .lua_bytes_max = config->lua_bytes_max,
        .open = open_state,
        .open_arg = aside,
    };
}
