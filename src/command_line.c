/* command_line.c: commands and paths; options are config.c's. */
#include "command_line.h"

#include "base/rc.h"
#include "nearest.h"
#include "option.h"

/* What one pass over the arguments has gathered. */
struct words {
    const char *items[2];
    int count;
    bool help, version, json;
};

#define APP_MISSING "the application's file is missing"

static const struct {
    const char *name;
    enum bq_command command;
    const char *missing; /* said where its word is missing; NULL: it can be */
} commands[] = {
    {"serve", BQ_COMMAND_SERVE, APP_MISSING},
    {"routes", BQ_COMMAND_ROUTES, APP_MISSING},
    {"check", BQ_COMMAND_CHECK, APP_MISSING},
    {"openapi", BQ_COMMAND_OPENAPI, APP_MISSING},
    {"test", BQ_COMMAND_TEST, NULL},
    {"health", BQ_COMMAND_HEALTH, NULL},
    {"reload", BQ_COMMAND_RELOAD, NULL},
    {"new", BQ_COMMAND_NEW, "the project's folder is missing: barq-server new myapp"},
    {"annotations", BQ_COMMAND_ANNOTATIONS, NULL},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* Its place in the table; COMMAND_COUNT if the word is none. */
static size_t find_command(const char *word)
{
    size_t i = 0;
    while (i < COMMAND_COUNT && strcmp(word, commands[i].name) != 0)
        i++;
    return i;
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
        strcmp(a, "--version") != 0 && strcmp(a, "--json") != 0)
        return bq_config_read_argument(c, argc, argv, at, error);
    ++*at;
    if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)
        words->help = true;
    else if (strcmp(a, "--version") == 0)
        words->version = true;
    else if (strcmp(a, "--json") == 0)
        words->json = true;
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

/* "a, b and c" */
static void list_commands(const char *word, struct bq_config_error *error)
{
    size_t max = sizeof error->text;
    size_t n =
        (size_t)snprintf(error->text, max, "unknown command \"%.80s\": the commands are ", word);
    for (size_t i = 0; i < COMMAND_COUNT && n < max; i++) {
        const char *before = i == 0 ? "" : i + 1 < COMMAND_COUNT ? ", " : " and ";
        n += (size_t)snprintf(error->text + n, max - n, "%s%s", before, commands[i].name);
    }
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
        list_commands(word, error);
    return BQ_INVALID;
}

static int refuse(struct bq_config_error *error, const char *sentence)
{
    snprintf(error->text, sizeof error->text, "%s", sentence);
    return BQ_INVALID;
}

int bq_command_line_parse(struct bq_command_line *line, struct bq_config *c, int argc,
                          char *const *argv, struct bq_config_error *error)
{
    struct words words = {{NULL, NULL}, 0, false, false, false};
    *line = (struct bq_command_line){BQ_COMMAND_SERVE, NULL, false};
    int rc = take_arguments(&words, c, argc, argv, error);
    if (rc != BQ_OK)
        return rc;
    if (words.help || words.version) {
        line->command = words.help ? BQ_COMMAND_HELP : BQ_COMMAND_VERSION;
        return BQ_OK;
    }
    size_t found = words.count > 0 ? find_command(words.items[0]) : COMMAND_COUNT;
    bool commanded = found < COMMAND_COUNT;
    if (words.count == 2 && !commanded)
        return refuse_command(words.items[0], error);
    if (commanded)
        line->command = commands[found].command;
    const char *missing = commands[commanded ? found : 0].missing;
    if (words.count == commanded && missing)
        return refuse(error, missing);
    line->json = words.json;
    if (line->json && line->command != BQ_COMMAND_ROUTES)
        return refuse(error, "--json is an option of routes");
    line->app_path = words.count > commanded ? words.items[commanded] : NULL;
    return BQ_OK;
}

void bq_command_line_print_usage(FILE *out)
{
    fputs("usage: barq-server [serve] app.lua [options]\n"
          "       barq-server routes|check|openapi app.lua [options]\n"
          "       barq-server test [specs]\n"
          "       barq-server health [url] [options]\n"
          "       barq-server reload [pid]\n"
          "       barq-server new folder\n"
          "       barq-server annotations [folder]\n"
          "       barq-server --help | --version\n",
          out);
}

void bq_command_line_print_help(FILE *out)
{
    bq_command_line_print_usage(out);
    fputs("\n"
          "  serve   serves the application (what barq-server does without a command)\n"
          "  routes  prints method, path, name, dependencies and place of every route (--json)\n"
          "  openapi prints the OpenAPI 3.1 document of the application\n"
          "  check   loads the application and tells everything that is wrong with it, or \"ok\"\n"
          "  test    runs specs with busted: a file, a folder, or what is in tests or spec\n"
          "  health  asks a server whether it answers: the one that the options say, or a URL\n"
          "  reload  asks a server to load its application anew: the only one, or a PID\n"
          "  new     makes a project in a folder: an application, specs, a Dockerfile\n"
          "  annotations writes what an editor knows barq by into a folder (.barq)\n"
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
