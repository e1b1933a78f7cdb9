/* Locks of what lies in memory, and the gate that keeps a fork from coming while a thread is at work on it.

   Under a guard a thread waits for nothing, but a finalizer may, which Python runs in its midst. If threads would wait in
   a circle then, the last of them borrows the guard that it wants: its owner waits, at a moment when a signal handler
   could have had the guard again, and goes on when the guard is back. */
#ifndef ZCHUNK_GUARDS_H
#define ZCHUNK_GUARDS_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "threads/deadline.h"

/* A thread, in its own memory. */
typedef struct {
    int64_t held;             /* guards, as often as it came in */
    int64_t forks;            /* it is about to fork; */
    int64_t shuts;            /* and waits until no other thread is inside */
    int64_t lent;             /* how many of its guards others have borrowed */
    struct zc_guard *awaited; /* the guard that it waits for */
} zc_visitor;

/* Whose a borrowed guard is, and how often that thread has it. */
typedef struct zc_loan {
    zc_visitor *owner;
    int64_t depth;
    struct zc_loan *before;
} zc_loan;

typedef struct zc_guard {
    zc_visitor *owner;
    int64_t depth, waiting;
    zc_loan *loan;
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
static __thread zc_visitor zc_here;

/* A thread that forks has all of them in effect: others wait until it has forked. */
static int64_t zc_guards_held(void) { return zc_here.held + zc_here.forks; }

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
        if (guard->owner != &zc_here) guard->owner = NULL, guard->depth = 0;
    }
    zc_inside = zc_here.held > 0;
    zc_forking = zc_here.forks;
}

static int zc_guards_setup(void) {
    zc_guards_reset();
    return pthread_atfork(NULL, NULL, zc_guards_reset);
}

/* Whether a thread waits for this one, by way of others perhaps. */
static int zc_waits_for_this(const zc_visitor *other) {
    for (int steps = 0; other != NULL && other != &zc_here && steps < 1000; steps++) {
        if (other->shuts) return zc_here.held > 0;
        other = other->awaited != NULL ? other->awaited->owner : NULL;
    }
    return other == &zc_here;
}

/* Borrow a guard from its owner, which waits for this thread; false if there is no memory. */
static int zc_borrow(zc_guard *guard) {
    zc_loan *loan = malloc(sizeof(zc_loan));
    if (loan == NULL) return 0;
    *loan = (zc_loan){guard->owner, guard->depth, guard->loan};
    guard->loan = loan;
    guard->owner->lent++;
    guard->owner = &zc_here;
    return 1;
}

/* Give a borrowed guard back. */
static void zc_give_back(zc_guard *guard) {
    zc_loan *loan = guard->loan;
    zc_guard *awaited = loan->owner->awaited;
    guard->owner = loan->owner;
    guard->loan = loan->before;
    if (--guard->owner->lent == 0 && awaited != NULL) pthread_cond_broadcast(&awaited->released);
    free(loan);
}

/* Come in, as its only thread if there is a guard, until a moment if there is one; return how often this thread
   holds it now, 0 if it could not have it. A thread that is inside, or forks itself, finds the gate open. One that has
   lent a guard stays here until that is back. */
static int64_t zc_guard_take(zc_guard *guard, const struct timespec *until) {
    int late = until == NULL;
    int64_t depth;
    pthread_mutex_lock(&zc_gate_mutex);
    for (;;) {
        int shut = zc_forking && !zc_here.held && !zc_here.forks;
        if (!shut && !zc_here.lent) {
            if (guard == NULL || guard->owner == NULL || guard->owner == &zc_here) break;
            if (zc_here.held && zc_waits_for_this(guard->owner) && zc_borrow(guard)) break;
        }
        if (late && !zc_here.lent) {
            /* It may have been woken up in the place of another one. */
            if (guard != NULL && guard->owner == NULL && guard->waiting) pthread_cond_signal(&guard->released);
            pthread_mutex_unlock(&zc_gate_mutex);
            return 0;
        }
        if (shut) {
            late = pthread_cond_timedwait(&zc_gate_moved, &zc_gate_mutex, until) != 0;
        } else {
            guard->waiting++;
            zc_here.awaited = guard;
            if (late) pthread_cond_wait(&guard->released, &zc_gate_mutex);
            else late = pthread_cond_timedwait(&guard->released, &zc_gate_mutex, until) != 0;
            zc_here.awaited = NULL;
            guard->waiting--;
        }
    }
    if (guard != NULL) guard->owner = &zc_here;
    depth = guard != NULL ? ++guard->depth : zc_here.held + 1;
    if (zc_here.held++ == 0) zc_inside++;
    pthread_mutex_unlock(&zc_gate_mutex);
    return depth;
}

/* Leave; false if this thread is not inside. */
static int zc_guard_leave(zc_guard *guard) {
    pthread_mutex_lock(&zc_gate_mutex);
    if (!zc_here.held || (guard != NULL && guard->owner != &zc_here)) {
        pthread_mutex_unlock(&zc_gate_mutex);
        return 0;
    }
    if (guard != NULL) {
        guard->depth--;
        if (guard->loan != NULL && guard->loan->depth == guard->depth) {
            zc_give_back(guard);
        } else if (guard->depth == 0) {
            guard->owner = NULL;
            if (guard->waiting) pthread_cond_signal(&guard->released);
        }
    }
    if (--zc_here.held == 0) {
        zc_inside--;
        if (zc_forking) pthread_cond_broadcast(&zc_gate_moved);
    }
    pthread_mutex_unlock(&zc_gate_mutex);
    return 1;
}

static int zc_guard_is_held(const zc_guard *guard) {
    int held;
    pthread_mutex_lock(&zc_gate_mutex);
    held = guard->owner == &zc_here;
    pthread_mutex_unlock(&zc_gate_mutex);
    return held;
}

/* Let no more threads in; wait until a moment for those that are inside, and return whether there are none. */
static int zc_gate_shut(const struct timespec *until) {
    int late = 0;
    pthread_mutex_lock(&zc_gate_mutex);
    if (!zc_here.forks) zc_here.forks = 1, zc_forking++;
    zc_here.shuts = 1;
    while (zc_inside > (zc_here.held > 0) && (!late || zc_here.lent)) {
        if (late) pthread_cond_wait(&zc_gate_moved, &zc_gate_mutex);
        else late = pthread_cond_timedwait(&zc_gate_moved, &zc_gate_mutex, until) != 0;
    }
    zc_here.shuts = 0;
    late = zc_inside > (zc_here.held > 0);
    pthread_mutex_unlock(&zc_gate_mutex);
    return !late;
}

static void zc_gate_open(void) {
    pthread_mutex_lock(&zc_gate_mutex);
    if (zc_here.forks) zc_here.forks = 0, zc_forking--;
    pthread_cond_broadcast(&zc_gate_moved);
    pthread_mutex_unlock(&zc_gate_mutex);
}

#endif
