/* command_line.c: commands and paths; options are config.c's. */
#include "command_line.h"

#include "base/rc.h"
#include "nearest.h"
#include "option.h"

/* What one pass over the arguments has gathered. */
struct words {
    const char *items[2];
    int count;
    bool help, version;
};

static const struct {
    const char *name;
    enum bq_command command;
} commands[] = {
    {"serve", BQ_COMMAND_SERVE},     {"routes", BQ_COMMAND_ROUTES}, {"check", BQ_COMMAND_CHECK},
    {"openapi", BQ_COMMAND_OPENAPI}, {"test", BQ_COMMAND_TEST},     {"health", BQ_COMMAND_HEALTH},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static bool find_command(const char *word, enum bq_command *out)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            *out = commands[i].command;
            return true;
        }
    }
    return false;
}

static int take_word(struct words *words, const char *word, struct bq_config_error *error)
{
    if (words->count == 2) {
        snprintf(error->text, sizeof error->text, "too many arguments: \"%.80s\"", word);
        return BQ_INVALID;
    }
    words->items[words->count++] = word;
    return BQ_OK;
}

static int take_argument(struct words *words, struct bq_config *c, int argc, char *const *argv,
                         int *at, struct bq_config_error *error)
{
    const char *a = argv[*at];
    if (a[0] == '-' && a[1] == '-' && a[2] && strcmp(a, "--help") != 0 &&
        strcmp(a, "--version") != 0)
        return bq_config_read_argument(c, argc, argv, at, error);
    ++*at;
    if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)
        words->help = true;
    else if (strcmp(a, "--version") == 0)
        words->version = true;
    else if (a[0] != '-')
        return take_word(words, a, error);
    else {
        snprintf(error->text, sizeof error->text,
                 "unknown option \"%.80s\": options start with two dashes", a);
        return BQ_INVALID;
    }
    return BQ_OK;
}

static int take_arguments(struct words *words, struct bq_config *c, int argc, char *const *argv,
                          struct bq_config_error *error)
{
    int rc = BQ_OK, at = 1;
    while (rc == BQ_OK && at < argc && strcmp(argv[at], "--") != 0)
        rc = take_argument(words, c, argc, argv, &at, error);
    /* Behind "--" stand words only. */
    for (at++; rc == BQ_OK && at < argc; at++)
        rc = take_word(words, argv[at], error);
    return rc;
}

static int refuse_command(const char *word, struct bq_config_error *error)
{
    struct bq_nearest nearest;
    bq_nearest_init(&nearest, bq_str_cstr(word));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        bq_nearest_offer(&nearest, commands[i].name);
    if (nearest.best)
        snprintf(error->text, sizeof error->text, "unknown command \"%.80s\": did you mean \"%s\"?",
                 word, nearest.best);
    else
        snprintf(
            error->text, sizeof error->text,
            "unknown command \"%.80s\": the commands are serve, routes, check, openapi, test and "
            "health",
            word);
    return BQ_INVALID;
}

int bq_command_line_parse(struct bq_command_line *line, struct bq_config *c, int argc,
                          char *const *argv, struct bq_config_error *error)
{
    struct words words = {{NULL, NULL}, 0, false, false};
    *line = (struct bq_command_line){BQ_COMMAND_SERVE, NULL};
    int rc = take_arguments(&words, c, argc, argv, error);
    if (rc != BQ_OK)
        return rc;
    if (words.help || words.version) {
        line->command = words.help ? BQ_COMMAND_HELP : BQ_COMMAND_VERSION;
        return BQ_OK;
    }
    bool commanded = words.count > 0 && find_command(words.items[0], &line->command);
    if (words.count == 2 && !commanded)
        return refuse_command(words.items[0], error);
    bool alone = line->command == BQ_COMMAND_TEST || line->command == BQ_COMMAND_HEALTH;
    if (words.count == commanded && !alone) {
        snprintf(error->text, sizeof error->text, "the application's file is missing");
        return BQ_INVALID;
    }
    line->app_path = words.count > commanded ? words.items[commanded] : NULL;
    return BQ_OK;
}

void bq_command_line_print_usage(FILE *out)
{
    fputs("usage: barq-server [serve] app.lua [options]\n"
          "       barq-server routes|check|openapi app.lua [options]\n"
          "       barq-server test [specs]\n"
          "       barq-server health [url] [options]\n"
          "       barq-server --help | --version\n",
          out);
}

void bq_command_line_print_help(FILE *out)
{
    bq_command_line_print_usage(out);
    fputs("\n"
          "  serve   serves the application (what barq-server does without a command)\n"
          "  routes  prints method, path, name and place of every route\n"
          "  openapi prints the OpenAPI 3.1 document of the application\n"
          "  check   loads the application and compiles its declarations, prints \"ok\"\n"
          "  test    runs specs with busted: a file, a folder, or what is in tests or spec\n"
          "  health  asks a server whether it answers: the one that the options say, or a URL\n"
          "\n"
          "options, with their defaults:\n",
          out);
    bq_options_print(out);
    fputs("\n"
          "Each option is also a variable of the environment (BARQ_BODY_MAX=4MiB) and a field of\n"
          "barq.config{ body_max = \"4MiB\" } in the application. The command line wins over the\n"
          "environment, the environment over barq.config. Durations are seconds or have a unit\n"
          "(30, 0.5, 500ms, 2m), sizes are bytes or have one (4096, 16k, 1MiB).\n",
          out);
}
