/*
 * config.h: every option of the server, from one table.
 *
 * The table (option.c) says name, type, default, bounds and help of each option.
 * --help, the environment (BARQ_BODY_MAX), the application (barq.config{ body_max = … })
 * and the command line (--body-max) all come from it. A later origin wins:
 *
 *   default < barq.config < environment < command line
 *
 * in whatever order the origins are read; a value that loses is checked all the same.
 */
#ifndef BQ_CONFIG_H
#define BQ_CONFIG_H

#include "access_log.h"
#include "app/app.h"
#include "base/arena.h"
#include "base/ip.h"
#include "serve/serve.h"

enum bq_origin { BQ_ORIGIN_DEFAULT, BQ_ORIGIN_APP, BQ_ORIGIN_ENVIRONMENT, BQ_ORIGIN_COMMAND_LINE };

enum bq_loop_kind { BQ_LOOP_AUTO, BQ_LOOP_EPOLL, BQ_LOOP_URING };

#define BQ_LISTEN_MAX  16
#define BQ_WORKERS_MAX 1024
#define BQ_STANDBY_MAX 1024
#define BQ_OPTIONS_MAX 40

struct bq_list_value {
    bq_str items[BQ_LISTEN_MAX];
    size_t count;
};

/* Numbers are uint64_t, durations milliseconds, sizes bytes, enums the word's index;
 * texts lie in the arena, or are constants. */
struct bq_config {
    bq_str host;
    uint64_t port;
    struct bq_list_value listen;
    uint64_t workers;         /* 0: auto */
    uint64_t offload_threads; /* 0: auto */
    uint64_t adoption;
    uint64_t adoption_ms;
    uint64_t standby_max;
    uint64_t standby_ms_max;
    struct bq_networks trust_proxy;
    uint64_t proxy_protocol; /* enum bq_proxy_protocol */
    uint64_t request_id;
    uint64_t trust_proxy_fields; /* enum bq_forwarded_by */
    uint64_t loop;               /* enum bq_loop_kind */
    uint64_t dev;
    bq_str admin;        /* n = 0: no admin port */
    uint64_t access_log; /* enum bq_access_format */
    uint64_t log_level;  /* enum bq_log_level */
    uint64_t drain_ms_max;
    uint64_t line_bytes_max;
    uint64_t head_bytes_max;
    uint64_t fields_max;
    uint64_t body_bytes_max;
    uint64_t head_ms_max;
    uint64_t body_ms_max;
    uint64_t idle_ms_max;
    uint64_t write_ms_max;
    uint64_t requests_max;
    uint64_t connections_max;
    uint64_t backlog;
    uint64_t lua_bytes_max;
    uint64_t redirect_slashes;
    uint64_t docs;

    unsigned char origins[BQ_OPTIONS_MAX]; /* by index in the table */
    struct bq_arena arena;
};

#define BQ_CONFIG_ERROR_MAX 512

/* A sentence with place, option, value and the way out. */
struct bq_config_error {
    char text[BQ_CONFIG_ERROR_MAX];
};

/* Formats the sentence. Gives: rc. */
int bq_config_fail(struct bq_config_error *error, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The defaults. */
void bq_config_init(struct bq_config *c);
void bq_config_release(struct bq_config *c);

/* Sets an option by its name ("body_max") for an origin; a list gets one more item, networks as
 * many as the value has between commas. place
 * is "app.lua:12", "BARQ_PORT" or "--port". Fails: BQ_INVALID and error (no such
 * option, or a bad value), BQ_MEMORY and error. */
int bq_config_set(struct bq_config *c, enum bq_origin origin, bq_str name, bq_str value,
                  const char *place, struct bq_config_error *error);

/* Reads the variables BARQ_…; a list's items are separated by commas, an empty variable
 * counts as unset. An unknown one is a warning in the log. Fails: as set. */
int bq_config_read_environment(struct bq_config *c, char *const *environment,
                               struct bq_config_error *error);

/* Reads the option that argv[*at] is ("--port" or "--port=80") and its value, and moves
 * *at behind them. Fails: as set. */
int bq_config_read_argument(struct bq_config *c, int argc, char *const *argv, int *at,
                            struct bq_config_error *error);

/* Whether the values fit each other. Fails: BQ_INVALID and error. */
int bq_config_check(const struct bq_config *c, struct bq_config_error *error);

/* Sets what the application's barq.config says. Fails: as set, or what stopped the walk through it,
 * with a sentence in error. */
int bq_config_read_app(struct bq_config *c, struct bq_app *app, struct bq_config_error *error);

/* Writes the names, "workers, body_max", of those options that would have another value if the
 * application's settings were those of anew, which come from nowhere else. Gives: how many. */
size_t bq_config_changes(const struct bq_config *c, const struct bq_config *anew, char *out,
                         size_t max);

/* Whether the endpoints of listen hold: an origin that says host or port replaces those of
 * an earlier one. */
bool bq_config_uses_listen(const struct bq_config *c);

/* Where an option's value is from; the name must be in the table. */
enum bq_origin bq_config_origin(const struct bq_config *c, const char *name);

/* The workers to start: the option, or the processors this process may use. */
unsigned bq_config_worker_count(const struct bq_config *c);

/* Likewise for barq.offload. */
unsigned bq_config_offload_threads(const struct bq_config *c);

/* What the access log is: in development one for people, unless something else was said. */
enum bq_access_format bq_config_access_format(const struct bq_config *c);

struct bq_app_options bq_config_app_options(const struct bq_config *c);
struct bq_serve_limits bq_config_serve_limits(const struct bq_config *c);

/* Valid: as long as c. */
struct bq_trust bq_config_trust(const struct bq_config *c);

/* Whether answers of one turn leave together. By itself only with adoption: an answer that was put
 * off waits for who comes after it, unless others can take it over. */
bool bq_config_sends_together(const struct bq_config *c);

#endif
