/* memory.c: counts what Lua holds, and raises in good time. */
#include "vm/memory.h"

#include "base/fault.h"

#include <string.h>

#define STEPMUL_DEFAULT 200 /* LuaJIT's own: the collector runs twice as fast as Lua allocates */
#define STEPMUL_ALL     1000000 /* one step is nearly a whole collection */

/* Beyond the limit by so much an allocation is refused whoever asks for it. */
static size_t slack(const struct bq_vm *vm)
{
    return vm->bytes_max / 2 + ((size_t)32 << 20);
}

static void disarm(struct bq_vm *vm, lua_State *L)
{
    if (!vm->raising)
        return;
    vm->raising = false;
    vm->ending = NULL;
    lua_sethook(L, NULL, 0, 0);
    lua_gc(L, LUA_GCSETSTEPMUL, STEPMUL_DEFAULT);
}

/* Collects everything; beyond the limit, for the collector needs some memory itself. */
static void collect(struct bq_vm *vm, lua_State *L)
{
    size_t bytes_max = vm->bytes_max;
    vm->bytes_max = 0;
    bq_collector_run(vm, L);
    vm->bytes_max = bytes_max;
    vm->bytes_kept = vm->bytes;
}

/* Where all but little is kept, collecting again and again would stop everything else. */
static bool is_full(const struct bq_vm *vm)
{
    return vm->bytes_max && vm->bytes > vm->bytes_max - vm->bytes_max / 16;
}

/* Runs before the next instruction that is interpreted. */
static void on_instruction(lua_State *L, lua_Debug *ar)
{
    struct bq_vm *vm = bq_vm_of(L);
    (void)ar;
    if (vm->host)
        vm = vm->host;
    if (vm->ending) {
        lua_pushstring(L, vm->ending);
        lua_error(L);
    }
    disarm(vm, L);
    collect(vm, L);
    if (!is_full(vm))
        return;
    vm->exhausted = true;
    lua_pushliteral(L, "not enough memory");
    lua_error(L);
}

/* What signal handlers may do, an allocator may do: hooks and the collector's pace are only noted.
 */
static void arm(struct bq_vm *vm)
{
    vm->raising = true;
    lua_sethook(vm->L, on_instruction, LUA_MASKCOUNT, 1);
    lua_gc(vm->L, LUA_GCSETSTEPMUL, STEPMUL_ALL);
    lua_gc(vm->L, LUA_GCRESTART, 0);
}

/* Each time again: code that catches the error is to leave compiled code again, too. */
void bq_vm_end_soon(struct bq_vm *vm, const char *why)
{
    vm->ending = why;
    arm(vm);
}

/* Whether the limit is out of sight. No limit is 0, and one less the largest number. */
static bool is_far(const struct bq_vm *vm, size_t more)
{
    return vm->bytes + more - 1 <= vm->bytes_max - 1;
}

/* Whether the limit allows more bytes, now or with a raise to come. */
static __attribute__((noinline)) bool admit(struct bq_vm *vm, size_t more)
{
    if (!vm->bytes_max || (more <= vm->bytes_max && vm->bytes <= vm->bytes_max - more))
        return true;
    if (more > vm->bytes_max || vm->bytes > vm->bytes_max + slack(vm) - more)
        return false;
    if (!vm->raising)
        arm(vm);
    return true;
}

/* --- small blocks ------------------------------------------------------------------------- */

/* LuaJIT's allocator takes 60 to 100 instructions for a block, and as many to free it. What the
 * collector frees in one go is what the requests until the next time need. */
#define SPARE_BYTES_MAX ((ptrdiff_t)2 << 20)
#define STEP            ((size_t)8)
#define SMALL_MAX       (BQ_SPARE_SIZES * STEP)

/* The list for blocks of 1 to SMALL_MAX bytes, which are as large as their step, so that one serves
 * any size of it. */
static void **spares_of(struct bq_vm *vm, size_t bytes)
{
    return &vm->spares[(bytes - 1) / STEP];
}

static bool is_small(size_t bytes)
{
    return bytes - 1 < SMALL_MAX;
}

static size_t rounded(size_t bytes)
{
    return is_small(bytes) ? (bytes + STEP - 1) & ~(STEP - 1) : bytes;
}

/* What is taken and not held is spare. */
static bool has_room(const struct bq_vm *vm)
{
    return (ptrdiff_t)(vm->bytes_taken - vm->bytes) < SPARE_BYTES_MAX;
}

static void *take(struct bq_vm *vm, size_t bytes)
{
    void **spares = spares_of(vm, bytes), *p = *spares;
    if (p)
        *spares = *(void **)p;
    return p;
}

static void keep(struct bq_vm *vm, void *old, size_t bytes)
{
    void **spares = spares_of(vm, bytes);
    *(void **)old = *spares;
    *spares = old;
}

static bool may_grow(struct bq_vm *vm, size_t more)
{
    return (is_far(vm, more) || admit(vm, more)) && !BQ_FAULT(lua_alloc);
}

static __attribute__((noinline)) void *refuse(struct bq_vm *vm)
{
    vm->exhausted = true;
    return NULL;
}

/* A block of another size by way of a spare one: arrays grow through many sizes. */
static void *move(struct bq_vm *vm, void *old, size_t old_bytes, size_t bytes)
{
    if (!is_small(old_bytes) || !is_small(bytes) || !has_room(vm))
        return NULL;
    void *p = take(vm, bytes);
    if (!p)
        return NULL;
    memcpy(p, old, old_bytes < bytes ? old_bytes : bytes);
    keep(vm, old, old_bytes);
    return p;
}

/* Whatever is asked for. What LuaJIT had no memory for, it frees with the size that it would have
 * had. */
static __attribute__((noinline)) void *resize(struct bq_vm *vm, void *old, size_t old_bytes,
                                              size_t bytes)
{
    if (bytes == 0 && !old)
        return NULL;
    if (bytes > old_bytes && !may_grow(vm, bytes - old_bytes))
        return refuse(vm);
    void *p = old ? move(vm, old, old_bytes, bytes) : NULL;
    if (!p) {
        p = vm->alloc(vm->alloc_arg, old, rounded(old_bytes), rounded(bytes));
        if (!p && bytes != 0)
            return NULL;
        vm->bytes_taken += rounded(bytes) - rounded(old_bytes);
    }
    vm->bytes += bytes - old_bytes;
    return p;
}

/* Nearly every block is small and new, or small and freed: both ways call nothing. */
void *bq_vm_alloc(void *arg, void *old, size_t old_bytes, size_t bytes)
{
    struct bq_vm *vm = arg;
    if (!old && is_small(bytes)) {
        void *p = *spares_of(vm, bytes);
        if (p && is_far(vm, bytes)) {
            if (BQ_FAULT(lua_alloc))
                return refuse(vm);
            vm->bytes += bytes;
            return take(vm, bytes);
        }
    } else if (old && bytes == 0 && is_small(old_bytes) && has_room(vm)) {
        vm->bytes -= old_bytes;
        keep(vm, old, old_bytes);
        return NULL;
    }
    return resize(vm, old, old_bytes, bytes);
}

static void relieve(lua_State *L, void *arg)
{
    struct bq_vm *vm = arg;
    disarm(vm, L);
    collect(vm, L);
}

static bool is_crowded(const struct bq_vm *vm)
{
    size_t sixteenth = vm->bytes_max / 16;
    return vm->bytes_max && vm->bytes > 14 * sixteenth && vm->bytes > vm->bytes_kept + sixteenth;
}

void bq_vm_relieve(struct bq_vm *vm)
{
    size_t bytes_max = vm->bytes_max;
    if (!vm->exhausted && !vm->raising && !is_crowded(vm))
        return;
    vm->exhausted = false;
    vm->bytes_max = 0; /* the protected call needs some memory, too */
    bq_vm_protect(vm, relieve, vm);
    vm->bytes_max = bytes_max;
}
