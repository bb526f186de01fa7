/*
 * flight.h: single flight: of all who miss a key, in whatever worker, one computes it.
 *
 *   begin ─┬─ BQ_OK: the value is there
 *          ├─ BQ_NOT_FOUND: the caller leads; computes, stores, and must call end
 *          └─ BQ_AGAIN: another leads ─ join ─> waiting ─┬─ end ──> told ─┬─ job ──> fn, freed
 *                                                        │                └─ leave > left, freed
 *                                                        ├─ timer ──────────────────> fn, freed
 *                                                        └─ leave ──────────────────> freed
 *
 * Who is told that the flight is over begins again: it finds the value, or, if the
 * leader failed, one of them leads now. The lock of the key's stripe orders all of it.
 */
#ifndef BQ_DATA_FLIGHT_H
#define BQ_DATA_FLIGHT_H

#include "data/shared.h"
#include "net/loop.h"

struct bq_flight;      /* a key that is being computed; its leader's until end */
struct bq_flight_wait; /* one who waits for that; its loop's thread's */
struct bq_stripe;

/* leader tells those apart who may lead; it is only compared.
 * Gives: BQ_OK and the value appended to out; BQ_NOT_FOUND and *flight, which the caller
 * must end; BQ_AGAIN (another computes it).
 * Fails: BQ_CONFLICT (this leader computes it already, further up), BQ_MEMORY, BQ_LIMIT
 * (the key is too long). Thread: any. */
int bq_flight_begin(struct bq_store *s, bq_str key, const void *leader, struct bq_buf *out,
                    struct bq_flight **flight);

/* The leader is done. nothing: there is no value and nobody need try again. Thread: any. */
void bq_flight_end(struct bq_flight *flight, bool nothing);

/* How it went: BQ_OK (over: begin again), BQ_NOT_FOUND (there is no value),
 * BQ_LIMIT (waited long enough). On the waiting loop's thread, from the loop. */
typedef void (*bq_flight_fn)(void *arg, int rc);

/* Calls fn(arg, rc) once, later, unless *wait is left before.
 * Fails: BQ_NOT_FOUND (the flight is over by now: begin again), BQ_MEMORY.
 * Thread: the loop's. */
int bq_flight_join(struct bq_store *s, bq_str key, struct bq_loop *loop, uint64_t wait_ms,
                   bq_flight_fn fn, void *arg, struct bq_flight_wait **wait);

/* fn will not be called; the wait is gone. Thread: the loop's, before the loop is freed. */
void bq_flight_leave(struct bq_flight_wait *wait);

/* Of a stripe that nobody uses any more. */
void bq_flights_release(struct bq_stripe *stripe);

#endif
