"""Threads that wait for the storage, beside those that compute.

How many threads compute is a question of cores, and the caller's to say; how many reads should be under way is the
storage's. Where its calls take long, more threads are called in to do the same work. Every thread computes only in its
turn, of which there are as many as the caller wants threads, and gives it back for each call that may wait. A write
that is to be on the disk does so while its file is synced. It goes on out of turn until it has let go of its chunk, for
which others may wait in theirs, and takes a turn again for the next one.

These threads are the work's own. They are made when some of its calls have waited, and are gone when it is done: none
is left for a fork, for a signal, or for the end of the process. All that a warm read pays are two readings of the
clock for each call of a large chunk, for each piece of one in a file of many, or for one in several small ones, and
mostly one question to the system for each thread: how often it has waited. Memory that is touched for the first time
makes calls as slow as a disk does.
"""

from libc.stdlib cimport calloc

from zchunk._ext.threads.waiters cimport Waiters

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdint.h>
    #include <stdlib.h>
    #include <sys/resource.h>
    #include <time.h>
    #include <unistd.h>
    #include "threads/deadline.h"
    #include "threads/waiters.h"

    enum {
        /* A share of the descriptors that the process may have open. */
        ZC_FILES = 8,
        /* A call that takes more than so many nanoseconds, and half a one for each of its bytes, waits. */
        ZC_LONG = 50000,
        /* Two such calls, or one in every five, mean that the storage is slow: one alone may be another process that
           had the processor. Where the system reads ahead, one of each thread may wait for the same bytes: there it is
           one more than there are threads, or one in every two. */
        ZC_SLOW = 8,
        ZC_ONE = 4,
        ZC_STACK = 1 << 20
    };
    /* What the threads of all work take in memory, at most. */
    #define ZC_MEMORY ((int64_t)32 << 20)

    static int64_t zc_in_use;
    /* Whether the calling thread has a turn. */
    static __thread int zc_has_turn;

    static int64_t zc_clock(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }

    /* Threads do not survive a fork. */
    static void zc_after_fork(void) { zc_store(&zc_in_use, 0); }
    static void zc_look_out_for_forks(void) { pthread_atfork(NULL, NULL, zc_after_fork); }

    static void zc_free_waiters(zc_waiters *w) {
        /* In a forked child, threads that do not exist there may hold the lock. */
        if (w != NULL && w->ready && w->pid == getpid()) {
            pthread_cond_destroy(&w->turn);
            pthread_cond_destroy(&w->ended);
            pthread_mutex_destroy(&w->mutex);
        }
        free(w);
    }

    static void zc_leave_turn(zc_waiters *w) {
        if (!zc_has_turn) return;
        zc_has_turn = 0;
        pthread_mutex_lock(&w->mutex);
        w->turns++;
        int some = w->queue > 0;
        pthread_mutex_unlock(&w->mutex);
        if (some) pthread_cond_signal(&w->turn);
    }

    static void zc_take_turn(zc_waiters *w) {
        pthread_mutex_lock(&w->mutex);
        w->queue++;
        while (w->turns < 1) pthread_cond_wait(&w->turn, &w->mutex);
        w->queue--;
        w->turns--;
        pthread_mutex_unlock(&w->mutex);
        zc_has_turn = 1;
    }

    static void *zc_be_waiter(void *arg) {
        zc_waiters *w = (zc_waiters *)arg;
        w->work(w->arg);
        pthread_mutex_lock(&w->mutex);
        w->working--;
        pthread_cond_signal(&w->ended);
        pthread_mutex_unlock(&w->mutex);
        return NULL;
    }

    /* For how many threads there is room, of memory and of descriptors; the memory is taken. */
    static int64_t zc_room(int64_t each) {
        struct rlimit files;
        int64_t most = ZC_WAITERS, used = zc_load(&zc_in_use), more;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / ZC_FILES < (rlim_t)most)
            most = (int64_t)(files.rlim_cur / ZC_FILES);
        do {
            more = (ZC_MEMORY - used) / each;
            if (more > most) more = most;
            if (more < 1) return 0;
        } while (!__atomic_compare_exchange_n(
            &zc_in_use, &used, used + more * each, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
        return more;
    }

    static void zc_give_room(int64_t nbytes) { __atomic_sub_fetch(&zc_in_use, nbytes, __ATOMIC_ACQ_REL); }

    static void zc_call_in(zc_waiters *w) {
        sigset_t all, before;
        pthread_attr_t attributes;
        int64_t room;
        if (!zc_claim(&w->claimed)) return;
        room = zc_room(w->each);
        if (room < 1) return;
        if (pthread_attr_init(&attributes) != 0) {
            zc_give_room(room * w->each);
            return;
        }
        pthread_attr_setstacksize(&attributes, ZC_STACK);
        if (!w->ready) {
            pthread_mutex_init(&w->mutex, NULL);
            zc_init_call(&w->turn);
            zc_init_call(&w->ended);
            w->pid = getpid();
            w->ready = 1;
        }
        /* A signal wakes up the main thread, for Python's handlers are called there. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_mutex_lock(&w->mutex);
        zc_store(&w->called, 1);
        while (w->count < room && pthread_create(&w->threads[w->count], &attributes, zc_be_waiter, w) == 0) {
            w->count++;
            w->working++;
        }
        pthread_mutex_unlock(&w->mutex);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        zc_give_room((room - w->count) * w->each);
    }

    static int zc_settle(zc_waiters *w, double seconds) {
        struct timespec until = zc_deadline(seconds);
        int done;
        if (!zc_called_in(w) || w->pid != getpid()) return 1;
        pthread_mutex_lock(&w->mutex);
        while (w->working > 0 && pthread_cond_timedwait(&w->ended, &w->mutex, &until) == 0) {}
        done = w->working == 0;
        pthread_mutex_unlock(&w->mutex);
        if (!done) return 0;
        zc_give_room(w->count * w->each);
        while (w->count > 0) pthread_join(w->threads[--w->count], NULL);
        /* More work may follow: the next slow call calls them in again. */
        zc_store(&w->called, 0);
        zc_store(&w->claimed, 0);
        return 1;
    }

    /* The work at which the calling thread has asked last whether it has waited. */
    static __thread const zc_waiters *zc_asked;

    /* Whether the thread has waited since it last asked: it may be slow by page faults, too, or by another process
       that had the processor. */
    static int zc_has_waited(const zc_waiters *w) {
    #ifdef RUSAGE_THREAD
        static __thread long before;
        struct rusage now;
        long last = before;
        zc_asked = w;
        if (getrusage(RUSAGE_THREAD, &now) != 0) return 1;
        before = now.ru_nvcsw;
        return now.ru_nvcsw > last;
    #else
        zc_asked = w;
        return 1;
    #endif
    }

    static int64_t zc_call_begins(zc_waiters *w) {
        if (!zc_load(&w->called)) {
            if (zc_asked != w) zc_has_waited(w);
            return zc_clock();
        }
        zc_leave_turn(w);
        return 0;
    }

    /* Count a call, which began when no threads were called in yet. */
    static void zc_count_call(zc_waiters *w, int64_t began, int64_t nbytes, int ahead) {
        int64_t score, slow;
        if (zc_clock() - began > ZC_LONG + nbytes / 2) {
            slow = ahead ? ZC_ONE * (w->computing + 1) : ZC_SLOW;
            if (zc_has_waited(w) && __atomic_add_fetch(&w->score, ZC_ONE, __ATOMIC_RELAXED) >= slow)
                zc_call_in(w);
        } else if ((score = __atomic_load_n(&w->score, __ATOMIC_RELAXED)) > 0) {
            /* Two threads may take off one together: it is a guess. */
            score -= ahead ? ZC_ONE : 1;
            __atomic_store_n(&w->score, score < 0 ? 0 : score, __ATOMIC_RELAXED);
        }
    }

    static void zc_call_ends(zc_waiters *w, int64_t began, int64_t nbytes, int ahead) {
        if (began) zc_count_call(w, began, nbytes, ahead);
        else zc_take_turn(w);
    }

    static void zc_call_waited(zc_waiters *w, int64_t began) {
        if (began) zc_count_call(w, began, 0, 0);
    }

    static void zc_be_in_turn(zc_waiters *w) {
        if (zc_called_in(w) && !zc_has_turn) zc_take_turn(w);
    }

    static int zc_others_work(zc_waiters *w) {
        int some;
        if (!zc_called_in(w)) return 0;
        pthread_mutex_lock(&w->mutex);
        some = w->working > 0;
        pthread_mutex_unlock(&w->mutex);
        return some;
    }
    """
    void zc_look_out_for_forks()
    void zc_free_waiters(Waiters* w)
    int zc_settle(Waiters* w, double seconds)
    int64_t zc_call_begins(Waiters* w)
    void zc_call_ends(Waiters* w, int64_t began, int64_t nbytes, bint ahead)
    void zc_call_waited(Waiters* w, int64_t began)
    void zc_be_in_turn(Waiters* w)
    void zc_leave_turn(Waiters* w)
    int zc_others_work(Waiters* w)

zc_look_out_for_forks()


cdef Waiters* make_waiters(void (*work)(void*) noexcept nogil, void* arg, int64_t each, int64_t turns) noexcept nogil:
    """Return what calls threads in for the work, each of which takes `each` bytes of memory. NULL: no memory."""
    cdef Waiters* w = <Waiters*>calloc(1, sizeof(Waiters))
    if w != NULL:
        w.work, w.arg, w.each, w.computing, w.turns = work, arg, each, turns, turns
    return w


cdef void free_waiters(Waiters* w) noexcept nogil:
    """Free what `make_waiters` has made, when none is at work."""
    zc_free_waiters(w)


cdef bint settle(Waiters* w, double seconds) noexcept nogil:
    """Wait until none of them is at work, or for about `seconds`; return whether none is.

    To be called when all other threads are done with the work.
    """
    return zc_settle(w, seconds)


cdef int64_t call_begins(Waiters* w) noexcept nogil:
    """Say that a call follows that may wait; give what this returns to `call_ends`."""
    return zc_call_begins(w)


cdef void call_ends(Waiters* w, int64_t began, int64_t nbytes, bint ahead) noexcept nogil:
    """Say that a call has ended, which was for so many bytes, and whether the system may have read them ahead."""
    zc_call_ends(w, began, nbytes, ahead)


cdef void call_waited(Waiters* w, int64_t began) noexcept nogil:
    """Say that a call has ended whose thread goes on out of turn: it holds what others may wait for in theirs."""
    zc_call_waited(w, began)


cdef void take_turn(Waiters* w) noexcept nogil:
    """Wait until the thread may compute, if it has no turn. It must hold nothing that others wait for in theirs."""
    zc_be_in_turn(w)


cdef void leave_turn(Waiters* w) noexcept nogil:
    """Say that this thread does no more of the work for now."""
    zc_leave_turn(w)


cdef bint others_work(Waiters* w) noexcept nogil:
    """Whether threads that were called in are at work, with files that they will close."""
    return zc_others_work(w)
