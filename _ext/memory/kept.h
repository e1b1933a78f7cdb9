/* The guard of memory that is kept, and the thread that gives it back. */
#ifndef ZCHUNK_KEPT_H
#define ZCHUNK_KEPT_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

static pthread_mutex_t zc_guard = PTHREAD_MUTEX_INITIALIZER;
static void (*zc_in_child)(void);

static void zc_guard_lock(void) { pthread_mutex_lock(&zc_guard); }

static void zc_guard_unlock(void) { pthread_mutex_unlock(&zc_guard); }

static void zc_guard_child(void) {
    zc_in_child();
    zc_guard_unlock();
}

/* Forks wait until what is guarded is whole. A child calls `in_child`, which has the guard. */
static int zc_guard_setup(void (*in_child)(void)) {
    zc_in_child = in_child;
    return pthread_atfork(zc_guard_lock, zc_guard_unlock, zc_guard_child);
}

/* Nanoseconds of a clock that nobody sets. */
static int64_t zc_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void zc_sleep(int64_t ns) {
    struct timespec time = {ns / 1000000000, ns % 1000000000};
    nanosleep(&time, NULL);
}

/* Start a thread for which nobody waits, and which takes no signals: they are to interrupt what the threads of Python
   wait for. False: the system starts no more. */
static int zc_start(void *(*work)(void *)) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) return 0;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread, &attributes, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code == 0;
}

#endif
