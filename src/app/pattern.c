/*
 * pattern.c: PCRE2, and what keeps it in bounds.
 *
 * ECMA-262's reading is taken where PCRE2 differs, because the expression stands in the OpenAPI
 * document too: $ is the very end and not before a last newline, \d and \w are ASCII.
 * A pattern that the JIT's small stack cannot match is tried again by the interpreter, whose stack
 * is bounded memory on the heap.
 * PCRE2 does not tell how many steps a match took, so it is tried with few, then with more, and
 * the limit is what it has cost.
 */
#include "app/pattern.h"

#include "base/log.h"
#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdio.h>

#define STEPS_FREE   500    /* most matches need less; a body has many strings */
#define STEPS_MAX    250000 /* of one match: a millisecond */
#define STEPS_GROWTH 16
#define HEAP_KIB_MAX 4096 /* of the interpreter; bounds its depth too */

struct bq_pattern_re {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
    bool *warned; /* apart, since those who match see the expression as constant */
    bq_str text;  /* behind the struct */
};

static void *take_memory(size_t n, void *arg)
{
    (void)arg;
    return bq_alloc(n);
}

static void give_memory(void *p, void *arg)
{
    (void)arg;
    bq_free(p);
}

/* --- compiling --- */

static pcre2_code *compile(bq_str text, pcre2_general_context *memory, char error[static 256])
{
    int code;
    size_t offset;
    PCRE2_UCHAR why[160];
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    pcre2_code *re = NULL;
    if (context)
        re = pcre2_compile((PCRE2_SPTR)text.p, text.n, options, &code, &offset, context);
    pcre2_compile_context_free(context);
    if (!context) {
        snprintf(error, 256, "not enough memory");
    } else if (!re) {
        pcre2_get_error_message(code, why, sizeof why);
        snprintf(error, 256, "%s at offset %zu", (const char *)why, offset);
    } else {
        /* Without JIT the interpreter matches, as well and slower. */
        pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
    }
    return re;
}

static struct bq_pattern_re *new_re(bq_str text)
{
    struct bq_pattern_re *re = bq_alloc_zero(sizeof *re + text.n);
    if (!re)
        return NULL;
    memcpy(re + 1, text.p, text.n);
    re->text = bq_str_of((const char *)(re + 1), text.n);
    re->warned = bq_alloc_zero(sizeof *re->warned);
    if (!re->warned) {
        bq_free(re);
        return NULL;
    }
    return re;
}

/* What a match needs is made here: matching allocates only in the interpreter. */
static bool prepare(struct bq_pattern_re *re, pcre2_general_context *memory)
{
    re->match = pcre2_match_data_create(1, memory);
    re->limits = pcre2_match_context_create(memory);
    if (!re->match || !re->limits)
        return false;
    pcre2_set_depth_limit(re->limits, STEPS_MAX);
    pcre2_set_heap_limit(re->limits, HEAP_KIB_MAX);
    return true;
}

struct bq_pattern_re *bq_pattern_compile(bq_str text, char error[static 256])
{
    snprintf(error, 256, "not enough memory");
    pcre2_general_context *memory = pcre2_general_context_create(take_memory, give_memory, NULL);
    struct bq_pattern_re *re = memory ? new_re(text) : NULL;
    if (re) {
        re->code = compile(re->text, memory, error);
        if (!re->code || !prepare(re, memory)) {
            bq_pattern_free(re);
            re = NULL;
        }
    }
    pcre2_general_context_free(memory);
    return re;
}

void bq_pattern_free(struct bq_pattern_re *re)
{
    if (!re)
        return;
    pcre2_match_context_free(re->limits);
    pcre2_match_data_free(re->match);
    pcre2_code_free(re->code);
    bq_free(re->warned);
    bq_free(re);
}

bq_str bq_pattern_text(const struct bq_pattern_re *re)
{
    return re->text;
}

/* --- matching --- */

static void warn(const struct bq_pattern_re *re, int rc)
{
    if (*re->warned)
        return;
    *re->warned = true;
    PCRE2_UCHAR why[160];
    pcre2_get_error_message(rc, why, sizeof why);
    bq_warn("the pattern '%.*s' costs too much on some input, which counts as no match: %s",
            BQ_STR_ARG(re->text), (const char *)why);
}

/* With match data of its own, which PCRE2 leaves the interpreter's stack in. */
static int interpret(const struct bq_pattern_re *re, bq_str subject)
{
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(re->code, NULL);
    if (!match)
        return PCRE2_ERROR_NOMEMORY;
    int rc = pcre2_match(re->code, (PCRE2_SPTR)subject.p, subject.n, 0,
                         PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match, re->limits);
    pcre2_match_data_free(match);
    return rc;
}

static int match(const struct bq_pattern_re *re, bq_str subject, uint32_t steps)
{
    pcre2_set_match_limit(re->limits, steps);
    int rc = pcre2_match(re->code, (PCRE2_SPTR)subject.p, subject.n, 0, PCRE2_NO_UTF_CHECK,
                         re->match, re->limits);
    return rc == PCRE2_ERROR_JIT_STACKLIMIT ? interpret(re, subject) : rc;
}

bool bq_pattern_matches(const struct bq_pattern_re *re, bq_str subject, uint32_t *steps_left)
{
    if (!subject.n)
        subject.p = "";
    int rc = match(re, subject, STEPS_FREE);
    for (uint32_t steps = STEPS_FREE; rc == PCRE2_ERROR_MATCHLIMIT && steps < STEPS_MAX;) {
        steps = steps * STEPS_GROWTH < STEPS_MAX ? steps * STEPS_GROWTH : STEPS_MAX;
        if (steps > *steps_left)
            break;
        *steps_left -= steps;
        rc = match(re, subject, steps);
    }
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        warn(re, rc);
    return rc >= 0; /* 0: it matched, and has groups that nobody asks for */
}
