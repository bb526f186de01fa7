/* main.c: from the command line to the command. */
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "check.h"
#include "command_line.h"
#include "health.h"
#include "project.h"
#include "reload_ask.h"
#include "server.h"
#include "signals.h"
#include "test_run.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEALTH_MS 5000  /* below the time that health checks usually have */
#define RELOAD_MS 60000 /* below the time that a service manager usually gives */

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Before anything else is said of it: the most likely mistake. */
static bool is_readable(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        errno = EISDIR;
    else if (fd >= 0)
        errno = 0;
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (reason)
        bq_server_complain("cannot open the application \"%s\": %s", path, strerror(reason));
    return !reason;
}

/* This thread loads the application as workers do, and its stack grows up to the limit that there
 * is when it is touched. Lower limits that cannot be raised stay. */
static void raise_stack(void)
{
    struct rlimit limit;
    const rlim_t needed = BQ_WORKER_STACK_BYTES;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    setrlimit(RLIMIT_STACK, &limit);
}

static int print_routes(struct bq_server *s, bool json)
{
    int rc = bq_app_print_routes(s->workers[0].app, json, stdout);
    return rc == BQ_OK ? EXIT_OK : EXIT_FAILED;
}

static int print_openapi(struct bq_server *s)
{
    return bq_app_print_openapi(s->workers[0].app, stdout) == BQ_OK ? EXIT_OK : EXIT_FAILED;
}

static int print_ok(void)
{
    puts("ok");
    return EXIT_OK;
}

static int check(const struct bq_command_line *line, struct bq_config *config)
{
    if (!is_readable(line->app_path) || !bq_check(line->app_path, config, stderr))
        return EXIT_FAILED;
    return print_ok();
}

static int run_application(const struct bq_command_line *line, struct bq_config *config)
{
    struct bq_server server;
    int code = EXIT_FAILED;
    if (!is_readable(line->app_path))
        return code;
    bq_signals_init();
    bq_server_init(&server, config, line->app_path);
    if (bq_server_meet_manager(&server) == BQ_OK && bq_server_load(&server) == BQ_OK) {
        if (line->command == BQ_COMMAND_ROUTES)
            code = print_routes(&server, line->json);
        else if (line->command == BQ_COMMAND_OPENAPI)
            code = print_openapi(&server);
        else
            code = bq_server_run(&server);
    }
    bq_server_release(&server);
    return code;
}

static int run_tests(const struct bq_command_line *line, const struct bq_config *config)
{
    /* Among the lines of the specs, only what is wrong is of interest. */
    bool asked = bq_config_origin(config, "log_level") != BQ_ORIGIN_DEFAULT;
    bq_log_set_level(asked ? (enum bq_log_level)config->log_level : BQ_LOG_WARN);
    return bq_test_run(line->app_path) ? EXIT_OK : EXIT_FAILED;
}

static int ask_health(const struct bq_command_line *line, const struct bq_config *config)
{
    struct bq_health_question question;
    struct bq_config_error error;
    if (bq_health_question_set(&question, config, line->app_path, &error) != BQ_OK ||
        bq_health_ask(&question, HEALTH_MS, &error) != BQ_OK) {
        bq_server_complain("health: %s", error.text);
        return EXIT_FAILED;
    }
    return print_ok();
}

static int ask_reload(const struct bq_command_line *line)
{
    struct bq_config_error error;
    pid_t pid;
    if (bq_reload_find(line->app_path, &pid, &error) != BQ_OK ||
        bq_reload_ask(pid, RELOAD_MS, &error) != BQ_OK) {
        bq_server_complain("reload: %s", error.text);
        return EXIT_FAILED;
    }
    return print_ok();
}

static int make_project(const struct bq_command_line *line)
{
    struct bq_config_error error;
    const char *folder = line->app_path;
    if (bq_project_new(folder, &error) != BQ_OK) {
        bq_server_complain("%s", error.text);
        return EXIT_FAILED;
    }
    printf("made \"%s\"; go on with:\n\n    cd %s\n    barq-server test\n"
           "    barq-server app.lua --dev\n",
           folder, folder);
    return EXIT_OK;
}

static int write_annotations(const struct bq_command_line *line)
{
    struct bq_config_error error;
    if (bq_project_annotate(line->app_path ? line->app_path : ".barq", &error) == BQ_OK)
        return EXIT_OK;
    bq_server_complain("%s", error.text);
    return EXIT_FAILED;
}

static int run_command(const struct bq_command_line *line, struct bq_config *config)
{
    struct bq_config_error error;
    switch (line->command) {
    case BQ_COMMAND_HELP:
        bq_command_line_print_help(stdout);
        return EXIT_OK;
    case BQ_COMMAND_VERSION:
        printf("barq %s\n", bq_version);
        return EXIT_OK;
    case BQ_COMMAND_NEW:
        return make_project(line);
    case BQ_COMMAND_ANNOTATIONS:
        return write_annotations(line);
    case BQ_COMMAND_RELOAD:
        return ask_reload(line);
    default:
        if (bq_config_read_environment(config, environ, &error) != BQ_OK) {
            bq_server_complain("%s", error.text);
            return EXIT_FAILED;
        }
        if (line->command == BQ_COMMAND_TEST)
            return run_tests(line, config);
        if (line->command == BQ_COMMAND_HEALTH)
            return ask_health(line, config);
        bq_log_set_level((enum bq_log_level)config->log_level);
        return line->command == BQ_COMMAND_CHECK ? check(line, config)
                                                 : run_application(line, config);
    }
}

int main(int argc, char **argv)
{
    struct bq_config config;
    struct bq_config_error error;
    struct bq_command_line line;
    int code = EXIT_USAGE;
#ifdef BQ_FAULTS
    if (bq_fault_arm_env() != BQ_OK) {
        bq_server_complain("BARQ_FAULT: no such fault site");
        return EXIT_USAGE;
    }
#endif
    bq_heap_open();
    raise_stack();
    bq_config_init(&config);
    if (bq_command_line_parse(&line, &config, argc, argv, &error) == BQ_OK) {
        code = run_command(&line, &config);
    } else {
        bq_server_complain("%s", error.text);
        bq_command_line_print_usage(stderr);
        fputs("barq-server --help lists the options\n", stderr);
    }
    bq_config_release(&config);
    return code;
}
