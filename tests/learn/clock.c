/* A clock for libraries that read the system's: it stands still, and a sleep moves it on at once. The objects of the program
 * come before the C library, so the standard library calls these. */
#include <errno.h>
#include <time.h>

static long long nanoseconds = 1000LL * 1000 * 1000 * 1000;

int clock_gettime(clockid_t id, struct timespec *now) {
    (void)id;
    now->tv_sec = nanoseconds / 1000000000;
    now->tv_nsec = nanoseconds % 1000000000;
    return 0;
}

static void wait_for(const struct timespec *time) {
    nanoseconds += (long long)time->tv_sec * 1000000000 + time->tv_nsec;
}

int nanosleep(const struct timespec *time, struct timespec *left) {
    (void)left;
    wait_for(time);
    return 0;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *time, struct timespec *left) {
    (void)id;
    (void)left;
    if (flags & TIMER_ABSTIME) {
        long long until = (long long)time->tv_sec * 1000000000 + time->tv_nsec;
        nanoseconds = until > nanoseconds ? until : nanoseconds;
    } else {
        wait_for(time);
    }
    return 0;
}
