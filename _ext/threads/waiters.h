/* Threads that wait for the storage, beside those that compute: what is asked for every chunk. */
#ifndef ZCHUNK_WAITERS_H
#define ZCHUNK_WAITERS_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "threads/atomics.h"

enum {
    /* Threads of a piece of work, at most. */
    ZC_WAITERS = 32
};

typedef struct zc_waiters {
    void (*work)(void *);
    void *arg;
    int64_t each;     /* memory of a thread */
    int64_t score;    /* of slow calls, see ZC_SLOW */
    int64_t claimed;  /* by the thread that calls others in */
    int64_t called;   /* whether threads were called in: from here on all is set */
    int64_t count;    /* how many */
    int64_t working;  /* those that are at work */
    int64_t computing; /* threads that compute, at most */
    int64_t turns;    /* of these: those that nobody has */
    int64_t queue;    /* of threads that wait for one */
    int64_t thread;   /* that the others work for, if they take locks */
    int64_t serial;   /* of what it held when it began */
    int64_t ready;    /* whether the next three are */
    pthread_mutex_t mutex;
    pthread_cond_t turn, ended;
    pid_t pid;
    pthread_t threads[ZC_WAITERS];
} zc_waiters;

static inline int zc_called_in(const zc_waiters *w) { return w != 0 && zc_load(&w->called) != 0; }

#endif
