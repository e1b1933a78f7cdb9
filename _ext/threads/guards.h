/* Locks of what lies in memory, and the gate that keeps a fork from coming while a thread is at work on it. */
#ifndef ZCHUNK_GUARDS_H
#define ZCHUNK_GUARDS_H

#include <pthread.h>
#include <stdint.h>

#include "threads/deadline.h"

typedef struct zc_guard {
    const void *owner; /* a place in the memory of its thread */
    int64_t depth, waiting;
    pthread_cond_t released;
    struct zc_guard *before, *next;
} zc_guard;

/* Of all that is here; never held while anything is waited for. */
static pthread_mutex_t zc_gate_mutex = PTHREAD_MUTEX_INITIALIZER;
/* A thread has left the gate while it was shut, or it was opened. */
static pthread_cond_t zc_gate_moved;
static zc_guard *zc_guards;
/* Threads that are inside, and threads that wait to fork. */
static int64_t zc_inside, zc_forking;
/* Guards that this thread holds, as often as it came in; and whether it is about to fork. */
static __thread int64_t zc_held, zc_forks;

/* A thread that forks has all of them in effect: others wait until it has forked. */
static int64_t zc_guards_held(void) { return zc_held + zc_forks; }

static void zc_guard_begin(zc_guard *guard) {
    zc_init_call(&guard->released);
    pthread_mutex_lock(&zc_gate_mutex);
    guard->next = zc_guards;
    if (zc_guards != NULL) zc_guards->before = guard;
    zc_guards = guard;
    pthread_mutex_unlock(&zc_gate_mutex);
}

static void zc_guard_end(zc_guard *guard) {
    pthread_mutex_lock(&zc_gate_mutex);
    if (guard->before != NULL) guard->before->next = guard->next;
    else zc_guards = guard->next;
    if (guard->next != NULL) guard->next->before = guard->before;
    pthread_mutex_unlock(&zc_gate_mutex);
    pthread_cond_destroy(&guard->released);
}

/* In a forked child no other thread is inside. */
static void zc_guards_reset(void) {
    pthread_mutex_init(&zc_gate_mutex, NULL);
    zc_init_call(&zc_gate_moved);
    for (zc_guard *guard = zc_guards; guard != NULL; guard = guard->next) {
        zc_init_call(&guard->released);
        guard->waiting = 0;
        if (guard->owner != &zc_held) guard->owner = NULL, guard->depth = 0;
    }
    zc_inside = zc_held > 0;
    zc_forking = zc_forks;
}

static int zc_guards_setup(void) {
    zc_guards_reset();
    return pthread_atfork(NULL, NULL, zc_guards_reset);
}

/* Come in, as its only thread if there is a guard, until a moment if there is one; return how often this thread
   holds it now, 0 if it could not have it. A thread that is inside, or forks itself, finds the gate open. */
static int64_t zc_guard_take(zc_guard *guard, const struct timespec *until) {
    int late = until == NULL;
    int64_t depth;
    pthread_mutex_lock(&zc_gate_mutex);
    for (;;) {
        int shut = zc_forking && !zc_held && !zc_forks;
        if (!shut && (guard == NULL || guard->owner == NULL || guard->owner == &zc_held)) break;
        if (late) {
            /* It may have been woken up in the place of another one. */
            if (guard != NULL && guard->owner == NULL && guard->waiting) pthread_cond_signal(&guard->released);
            pthread_mutex_unlock(&zc_gate_mutex);
            return 0;
        }
        if (shut) {
            late = pthread_cond_timedwait(&zc_gate_moved, &zc_gate_mutex, until) != 0;
        } else {
            guard->waiting++;
            late = pthread_cond_timedwait(&guard->released, &zc_gate_mutex, until) != 0;
            guard->waiting--;
        }
    }
    if (guard != NULL) guard->owner = &zc_held;
    depth = guard != NULL ? ++guard->depth : zc_held + 1;
    if (zc_held++ == 0) zc_inside++;
    pthread_mutex_unlock(&zc_gate_mutex);
    return depth;
}

/* Leave; false if this thread is not inside. */
static int zc_guard_leave(zc_guard *guard) {
    pthread_mutex_lock(&zc_gate_mutex);
    if (!zc_held || (guard != NULL && guard->owner != &zc_held)) {
        pthread_mutex_unlock(&zc_gate_mutex);
        return 0;
    }
    if (guard != NULL && --guard->depth == 0) {
        guard->owner = NULL;
        if (guard->waiting) pthread_cond_signal(&guard->released);
    }
    if (--zc_held == 0) {
        zc_inside--;
        if (zc_forking) pthread_cond_broadcast(&zc_gate_moved);
    }
    pthread_mutex_unlock(&zc_gate_mutex);
    return 1;
}

static int zc_guard_is_held(const zc_guard *guard) {
    int held;
    pthread_mutex_lock(&zc_gate_mutex);
    held = guard->owner == &zc_held;
    pthread_mutex_unlock(&zc_gate_mutex);
    return held;
}

/* Let no more threads in; wait until a moment for those that are inside, and return whether there are none. */
static int zc_gate_shut(const struct timespec *until) {
    int late = 0;
    pthread_mutex_lock(&zc_gate_mutex);
    if (!zc_forks) zc_forks = 1, zc_forking++;
    while (zc_inside > (zc_held > 0) && !late)
        late = pthread_cond_timedwait(&zc_gate_moved, &zc_gate_mutex, until) != 0;
    late = zc_inside > (zc_held > 0);
    pthread_mutex_unlock(&zc_gate_mutex);
    return !late;
}

static void zc_gate_open(void) {
    pthread_mutex_lock(&zc_gate_mutex);
    if (zc_forks) zc_forks = 0, zc_forking--;
    pthread_cond_broadcast(&zc_gate_moved);
    pthread_mutex_unlock(&zc_gate_mutex);
}

#endif
