/* refusal.h: why a request is refused: a status and a phrase, both constants. */
#ifndef BQ_HTTP_REFUSAL_H
#define BQ_HTTP_REFUSAL_H

struct bq_refusal {
    int status; /* 0: nothing is wrong */
    const char *reason;
};

#define BQ_ACCEPTED ((struct bq_refusal){0, 0})

static inline struct bq_refusal bq_refuse(int status, const char *reason)
{
    return (struct bq_refusal){status, reason};
}

#endif
