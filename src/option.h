/*
 * option.h: one row of the table of options: what it is called, what it takes, how it is
 * spelled where.
 */
#ifndef BQ_OPTION_H
#define BQ_OPTION_H

#include "config.h"

enum bq_option_type {
    BQ_OPTION_INTEGER,
    BQ_OPTION_DURATION,
    BQ_OPTION_SIZE,
    BQ_OPTION_BOOLEAN,
    BQ_OPTION_ENUM,
    BQ_OPTION_STRING,
    BQ_OPTION_LIST,
    BQ_OPTION_NETWORKS,
};

struct bq_option {
    const char *name;
    enum bq_option_type type;
    size_t offset;            /* in struct bq_config */
    const char *preset;       /* as text; NULL: an empty list */
    uint64_t min, max;        /* of numbers */
    const char *zero;         /* a word that stands for 0, or NULL */
    const char *const *words; /* of an enum; ends with NULL */
    const char *implied;      /* what the option alone means on a command line, or NULL */
    const char *help;
};

extern const struct bq_option bq_options[];
extern const size_t bq_option_count;

const struct bq_option *bq_option_find(bq_str name);

/* What a text means. Valid: text, as long as what was read. */
struct bq_option_value {
    uint64_t number;
    bq_str text;
};

/* False: the text is no value of this option. */
bool bq_option_read(const struct bq_option *o, bq_str text, struct bq_option_value *out);

#define BQ_OPTION_TEXT_MAX 160

/* What would be right: "a whole number from 0 to 65535". */
void bq_option_describe(const struct bq_option *o, char out[static BQ_OPTION_TEXT_MAX]);

/* As the option is written at an origin: "body_max", "BARQ_BODY_MAX" or "--body-max". */
void bq_option_spell(enum bq_origin origin, bq_str name, char out[static BQ_OPTION_TEXT_MAX]);

/* For an unknown name: 'did you mean "port"?', or where to see them all. */
void bq_option_suggest(enum bq_origin origin, bq_str name, char out[static BQ_OPTION_TEXT_MAX]);

/* A line for each option. */
void bq_options_print(FILE *out);

#endif
