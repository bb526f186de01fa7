/*
 * guest.h: a VM inside another VM's Lua state: how an application runs beside the tests of it.
 *
 *   new ─> out ── enter ─> in ── leave ─> out ─> bq_vm_free
 *            ^──────────────────────────────┘
 *
 * Values pass freely between host and guest, since there is one heap; what is apart are the
 * guest's globals, its `package` with everything that it has loaded, its tasks and its loop.
 * C finds its own things in the registry, by address or by a name that begins with "barq";
 * these entries are the guest's while it is in, and the host's while it is out. So every entry
 * from C into the guest's code stands between enter and leave.
 *
 * Its memory is not bounded: the host's is.
 */
#ifndef BQ_VM_GUEST_H
#define BQ_VM_GUEST_H

#include "vm/vm.h"

/* A guest that is out, with the host's globals and libraries. Fails: NULL without memory. */
struct bq_vm *bq_guest_new(struct bq_vm *host, struct bq_loop *loop);

/* Not while a guest is in: guests do not nest. Without memory the process ends. */
void bq_guest_enter(struct bq_vm *guest);
void bq_guest_leave(struct bq_vm *guest);

/* For bq_vm_free: gives back what the guest has in the host's state, after it has left. */
void bq_guest_release(struct bq_vm *guest);

#endif
