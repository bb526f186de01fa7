/* memory.c: counts what Lua holds, and raises in good time. */
#include "vm/memory.h"

#include "base/fault.h"
#include "base/mem.h"

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

/* Freed of the most that was held, so that giving it back to the system is worth its time. */
#define TRIM_MIN ((size_t)16 << 20)

/* Up to bytes_far nothing has to be looked at: neither the limit, nor how much is held at most. */
static void look_ahead(struct bq_vm *vm, size_t most)
{
    vm->bytes_most = most;
    vm->bytes_far = most + TRIM_MIN;
    if (vm->bytes_max && vm->bytes_max < vm->bytes_far)
        vm->bytes_far = vm->bytes_max;
}

static void set_limit(struct bq_vm *vm, size_t bytes_max)
{
    vm->bytes_max = bytes_max;
    look_ahead(vm, vm->bytes_most);
}

/* Collects everything; beyond the limit, for the collector needs some memory itself. */
static void collect(struct bq_vm *vm, lua_State *L)
{
    size_t bytes_max = vm->bytes_max;
    set_limit(vm, 0);
    bq_collector_run(vm, L);
    set_limit(vm, bytes_max);
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

/* Whether the limit allows more bytes, now or with a raise to come. */
static __attribute__((noinline)) bool admit(struct bq_vm *vm, size_t more)
{
    if (vm->bytes + more > vm->bytes_most)
        look_ahead(vm, vm->bytes + more);
    if (!vm->bytes_max || (more <= vm->bytes_max && vm->bytes <= vm->bytes_max - more))
        return true;
    if (more > vm->bytes_max || vm->bytes > vm->bytes_max + slack(vm) - more)
        return false;
    if (!vm->raising)
        arm(vm);
    return true;
}

/* --- the allocator: three functions that need no more registers than each of them does ----- */

/* Before there is a state, LuaJIT does not survive a refusal (lua_newstate). */
static bool may_grow(struct bq_vm *vm, size_t more)
{
    bool may = vm->bytes + more <= vm->bytes_far || admit(vm, more);
    return may && !(vm->L && BQ_FAULT(lua_alloc));
}

static __attribute__((noinline)) void *refuse(struct bq_vm *vm)
{
    vm->exhausted = true;
    return NULL;
}

static __attribute__((noinline)) void *resize(struct bq_vm *vm, void *old, size_t old_bytes,
                                              size_t bytes)
{
    if (bytes > old_bytes && !may_grow(vm, bytes - old_bytes))
        return refuse(vm);
    void *p = bq_heap_realloc(old, bytes);
    if (!p)
        return refuse(vm);
    vm->bytes += bytes - old_bytes;
    return p;
}

static __attribute__((noinline)) void *take(struct bq_vm *vm, size_t bytes)
{
    if (!may_grow(vm, bytes))
        return refuse(vm);
    void *p = bq_heap_alloc(bytes);
    if (!p)
        return refuse(vm);
    vm->bytes += bytes;
    return p;
}

/* LuaJIT also frees what it had no memory for. */
static __attribute__((noinline)) void *give(struct bq_vm *vm, void *old, size_t old_bytes)
{
    vm->bytes -= old ? old_bytes : 0;
    bq_heap_free(old);
    return NULL;
}

void *bq_vm_alloc(void *arg, void *old, size_t old_bytes, size_t bytes)
{
    struct bq_vm *vm = arg;
    if (bytes == 0)
        return give(vm, old, old_bytes);
    return old ? resize(vm, old, old_bytes, bytes) : take(vm, bytes);
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
    bq_vm_trim(vm);
    if (!vm->exhausted && !vm->raising && !is_crowded(vm))
        return;
    vm->exhausted = false;
    set_limit(vm, 0); /* the protected call needs some memory, too */
    bq_vm_protect(vm, relieve, vm);
    set_limit(vm, bytes_max);
}

void bq_vm_limit(struct bq_vm *vm, size_t bytes_max)
{
    vm->bytes_most = vm->bytes;
    set_limit(vm, bytes_max);
}

void bq_vm_trim(struct bq_vm *vm)
{
    if (vm->bytes_most < TRIM_MIN || vm->bytes > vm->bytes_most / 2)
        return;
    look_ahead(vm, vm->bytes);
    bq_heap_trim();
}
