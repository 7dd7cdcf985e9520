/* Swift's Mutex as ThreadSanitizer has to see it. Its quick path is compiled into the program, and instrumented; a lock
   that has to be waited for is taken and given back within a library that is not, so whatever such a lock protects would
   be reported as a race. Loaded before other libraries (LD_PRELOAD), this tells the sanitizer of both, and does what the
   library does. Mutexes hold their state, a word, at the address that they are called with. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *mutex

static void tell(const char *what, void *mutex) {
    void (*sanitizer)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, what);
    if (sanitizer) sanitizer(mutex);
}

SWIFT void lock(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void lock(uint32_t thread, SELF) {
    SWIFT void (*original)(uint32_t, SELF) = (SWIFT void (*)(uint32_t, SELF))dlsym(RTLD_NEXT, LOCK);
    original(thread, mutex);
    tell("__tsan_acquire", mutex);
}

SWIFT void unlock(SELF) __asm__(UNLOCK);
SWIFT void unlock(SELF) {
    SWIFT void (*original)(SELF) = (SWIFT void (*)(SELF))dlsym(RTLD_NEXT, UNLOCK);
    tell("__tsan_release", mutex);
    original(mutex);
}
