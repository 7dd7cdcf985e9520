/* A wall clock that goes backwards: each reading is an hour before the last. Loaded before other libraries
   (LD_PRELOAD), it stands before the system's functions. The clocks that only run forward are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

static atomic_long readings = 1;

static time_t seconds(void) { return 1700000000 - 3600 * atomic_fetch_add(&readings, 1); }

int clock_gettime(clockid_t clock, struct timespec *result) {
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        *result = (struct timespec){.tv_sec = seconds()};
        return 0;
    }
    int (*original)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return original(clock, result);
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
    (void)zone;
    *result = (struct timeval){.tv_sec = seconds()};
    return 0;
}

time_t time(time_t *result) {
    time_t now = seconds();
    if (result) *result = now;
    return now;
}
