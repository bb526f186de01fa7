/*
 * health.h: "barq-server health": asks a server that runs whether it answers.
 *
 * For health checks of containers, where there is no curl: it loads no application, and neither
 * does the server have to have a route for it.
 */
#ifndef BQ_HEALTH_H
#define BQ_HEALTH_H

#include "config.h"
#include "net/addr.h"

struct bq_health_question {
    struct bq_endpoint endpoint;
    const char *method;
    bq_str target; /* of the request */
    bq_str host;   /* its Host field */
    bool proxied;  /* the server expects a PROXY header before it */
};

/* What is to be asked where:
 *
 *   NULL                        OPTIONS *, where the configuration says that the server listens
 *   /path                       GET, there
 *   http://host[:port][/path]   GET
 *   unix:/run/app.sock[:/path]  GET
 *
 * Valid: as long as url and c. Fails: BQ_INVALID, and a sentence in error. */
int bq_health_question_set(struct bq_health_question *q, const struct bq_config *c, const char *url,
                           struct bq_config_error *error);

/* The status in the first bytes of an answer, or 0: it is not HTTP/1. */
unsigned bq_health_status(bq_str answer);

/* Asks, for at most ms_max. Waits. Fails: BQ_SYSTEM (no answer), BQ_INVALID (not HTTP, or not a
 * status from 200 to 399), and a sentence in error. */
int bq_health_ask(const struct bq_health_question *q, uint32_t ms_max,
                  struct bq_config_error *error);

#endif
