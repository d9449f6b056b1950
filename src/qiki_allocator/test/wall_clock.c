/* Preloaded into a process: its wall clock (CLOCK_REALTIME) is ahead by the nanoseconds that stand in the file
   named by QIKI_WALL_OFFSET, as if it had been set. All other clocks are as they are.

   A wait with a deadline of the wall clock ends as under a kernel whose clock is set: it looks at the clock again
   every 20 ms, so that a step ends or lengthens it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define LOOK (SECOND / 50)

static const volatile int64_t *offset;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("QIKI_WALL_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
        offset = page == MAP_FAILED ? NULL : page;
        close(file);
    }
}

static int64_t read_clock(clockid_t id) {
    struct timespec now;
    syscall(SYS_clock_gettime, id, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static int64_t wall(void) { return read_clock(CLOCK_REALTIME) + (offset ? *offset : 0); }

static int64_t nanoseconds(const struct timespec *time) { return time->tv_sec * SECOND + time->tv_nsec; }

static struct timespec timespec_of(int64_t time) {
    return (struct timespec){.tv_sec = time / SECOND, .tv_nsec = time % SECOND};
}

/* End on the monotonic clock of the next part of a wait for a time of the wall clock. */
static struct timespec next_look(const struct timespec *deadline) {
    int64_t left = nanoseconds(deadline) - wall();
    return timespec_of(read_clock(CLOCK_MONOTONIC) + (left < 0 ? 0 : left < LOOK ? left : LOOK));
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        *now = timespec_of(nanoseconds(now) + (offset ? *offset : 0));
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    int64_t time = wall();
    *now = (struct timeval){.tv_sec = time / SECOND, .tv_usec = time % SECOND / 1000};
    return 0;
}

time_t time(time_t *now) {
    time_t seconds = wall() / SECOND;
    if (now) *now = seconds;
    return seconds;
}

int timespec_get(struct timespec *now, int base) {
    if (base != TIME_UTC) return 0;
    *now = timespec_of(wall());
    return base;
}

/* A condition variable has one of two clocks, and the deadline shows which: they are decades apart. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
    return pthread_cond_clockwait(condition, mutex,
        nanoseconds(deadline) < wall() / 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, deadline);
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, clockid_t id,
                           const struct timespec *restrict deadline) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    if (id != CLOCK_REALTIME) return real(condition, mutex, id, deadline);
    /* One look, and to the caller as a spurious wake-up: what it waits for may have come just then. */
    struct timespec look = next_look(deadline);
    int result = real(condition, mutex, CLOCK_MONOTONIC, &look);
    return result == ETIMEDOUT && wall() < nanoseconds(deadline) ? 0 : result;
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t id, const struct timespec *restrict deadline) {
    static int (*real)(sem_t *, clockid_t, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "sem_clockwait");
    if (id != CLOCK_REALTIME) return real(semaphore, id, deadline);
    for (;;) {
        struct timespec look = next_look(deadline);
        int result = real(semaphore, CLOCK_MONOTONIC, &look);
        if (result == 0 || errno != ETIMEDOUT || wall() >= nanoseconds(deadline)) return result;
    }
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    return sem_clockwait(semaphore, CLOCK_REALTIME, deadline);
}

int pthread_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t id, const struct timespec *restrict deadline) {
    static int (*real)(pthread_mutex_t *, clockid_t, const struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_mutex_clocklock");
    if (id != CLOCK_REALTIME) return real(mutex, id, deadline);
    for (;;) {
        struct timespec look = next_look(deadline);
        int result = real(mutex, CLOCK_MONOTONIC, &look);
        if (result != ETIMEDOUT || wall() >= nanoseconds(deadline)) return result;
    }
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline) {
    return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, deadline);
}
