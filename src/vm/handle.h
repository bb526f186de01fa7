/*
 * handle.h: numbers that stand for C objects in Lua, and can be revoked.
 *
 * Lua may keep a request object for as long as it likes; the exchange behind it
 * is gone when it is answered. So Lua holds a number (slot and generation, exact in
 * a double), and C looks it up at each use: a revoked or made-up number finds NULL.
 */
#ifndef BQ_VM_HANDLE_H
#define BQ_VM_HANDLE_H

#include <stddef.h>
#include <stdint.h>

struct bq_handle_slot {
    void *object;
    uint32_t generation;
    uint32_t next_free;
};

struct bq_handles {
    struct bq_handle_slot *slots;
    uint32_t count, cap, free_head;
};

#define BQ_HANDLE_NONE 0.0

void bq_handles_init(struct bq_handles *h);
void bq_handles_release(struct bq_handles *h);

/* A number for object, above 0 and an integer. Fails: BQ_HANDLE_NONE without memory. */
double bq_handle_give(struct bq_handles *h, void *object);

/* The object, or NULL if the number is revoked or never was. */
void *bq_handle_find(const struct bq_handles *h, double number);

void bq_handle_revoke(struct bq_handles *h, double number);

#endif
