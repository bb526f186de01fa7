/* snapshot_fixture.h: a server of two workers that has answered some requests. */
#ifndef BARQ_TESTS_SNAPSHOT_FIXTURE_H
#define BARQ_TESTS_SNAPSHOT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/snapshot.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"

#include <string.h>

struct fixture {
    struct bq_tallies sets[2];
    const struct bq_tallies *list[2];
    struct bq_worker_shown workers[2];
    struct bq_histogram lags;
    struct bq_flight_shown flight;
    struct bq_snapshot snapshot;
};

static inline struct bq_tally *tally(struct fixture *f, unsigned worker, const char *kind,
                                     const char *name)
{
    return bq_tally_get(&f->sets[worker], bq_str_cstr(kind), bq_str_cstr(name));
}

static inline void answer(struct bq_tally *t, enum bq_method method, int status, uint64_t us)
{
    bq_tally_add(t, BQ_TALLY_KEY(method, status), us, 100);
}

static inline void set_up(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    for (unsigned i = 0; i < 2; i++) {
        bq_tallies_init(&f->sets[i]);
        f->list[i] = &f->sets[i];
        f->workers[i] = (struct bq_worker_shown){.number = i, .serving = true, .lags = &f->lags};
        tally(f, i, "GET", "/items/{id}");
        tally(f, i, "POST", "/items");
    }
    f->snapshot = (struct bq_snapshot){
        .version = "1.2.3",
        .app_path = "/srv/app.lua",
        .phase = BQ_ADMIN_SERVING,
        .workers = f->workers,
        .worker_count = 2,
        .tallies = f->list,
        .tallies_count = 2,
    };
}

static inline void tear_down(struct fixture *f)
{
    bq_tallies_release(&f->sets[0]);
    bq_tallies_release(&f->sets[1]);
    assert_int_equal(bq_mem_live(), 0);
}

static inline void assert_says(const struct bq_buf *out, const char *text)
{
    bq_str all = bq_buf_str(out);
    if (!memmem(all.p, all.n, text, strlen(text)))
        fail_msg("missing: %s\nin: %.*s", text, BQ_STR_ARG(all));
}

static inline void assert_silent(const struct bq_buf *out, const char *text)
{
    bq_str all = bq_buf_str(out);
    if (memmem(all.p, all.n, text, strlen(text)))
        fail_msg("unexpected: %s\nin: %.*s", text, BQ_STR_ARG(all));
}

#endif
