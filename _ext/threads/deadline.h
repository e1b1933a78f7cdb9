/* A wait that ends some seconds from now, whatever the time of day becomes meanwhile. */
#ifndef ZCHUNK_DEADLINE_H
#define ZCHUNK_DEADLINE_H

#include <pthread.h>
#include <time.h>

#if defined(__APPLE__)
#define ZC_CLOCK CLOCK_REALTIME
#else
#define ZC_CLOCK CLOCK_MONOTONIC
#endif

static inline int zc_init_call(pthread_cond_t *call) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
    pthread_condattr_setclock(&attributes, ZC_CLOCK);
#endif
    int code = pthread_cond_init(call, &attributes);
    pthread_condattr_destroy(&attributes);
    return code;
}

static inline struct timespec zc_deadline(double seconds) {
    struct timespec until;
    clock_gettime(ZC_CLOCK, &until);
    long ns = until.tv_nsec + (long)((seconds - (long)seconds) * 1e9);
    until.tv_sec += (long)seconds + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

#endif
