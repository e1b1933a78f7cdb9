/* Locks by key, of the threads of this process. */
#ifndef ZCHUNK_LOCKS_H
#define ZCHUNK_LOCKS_H

#include <pthread.h>
#include <stdint.h>

#include "threads/deadline.h"

enum { ZC_BUCKETS = 1024, ZC_TABLES = 3 };
/* The order in which threads take locks. Those of synchronizers (outer ones: under a name that means nothing to zchunk,
   of metadata, of chunks) are not among the tables, but count among what a thread holds. */
enum { ZC_OUTER_OTHER, ZC_OUTER_METADATA, ZC_METADATA, ZC_OUTER_CHUNK, ZC_VALUE, ZC_CHUNK };
/* Whether a thread may wait for a lock; for some seconds, if what it holds was taken by the program itself. */
enum { ZC_REFUSED, ZC_WAIT, ZC_WAIT_AWHILE };
#define ZC_AWHILE 5.0

/* A key that a thread holds. It lies with the thread, not here. */
typedef struct zc_hold {
    uint64_t key;
    int64_t thread;
    int64_t changes; /* what is under the key */
    int64_t serial;  /* counts the keys that the thread has taken */
    int rank;        /* its place in the order, before that of the key */
    int by_program;  /* rather than by zchunk */
    struct zc_hold *next;
} zc_hold;

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    zc_hold *first;
} zc_bucket;

static zc_bucket zc_buckets[ZC_TABLES][ZC_BUCKETS];
static int64_t zc_threads;
/* The thread in which Python runs signal handlers, and what `zc_self` calls it, 0 if it has taken no key yet. */
static pthread_t zc_main;
static int64_t zc_main_self;
/* This thread, the one that waits for what it does, and the last key that this one had taken before it gave the work
   away: those that it takes later it lets go before it waits. */
static __thread int64_t zc_me, zc_for, zc_for_serial;
/* Keys that this thread holds. More than it does if another one let go of some, which `zc_may_wait` sets right. */
static __thread int64_t zc_keys;
/* Counts the keys that this thread has taken. */
static __thread int64_t zc_serial;

static int64_t zc_self(void) {
    if (zc_me == 0) {
        zc_me = __atomic_add_fetch(&zc_threads, 1, __ATOMIC_RELAXED);
        if (pthread_equal(pthread_self(), zc_main)) __atomic_store_n(&zc_main_self, zc_me, __ATOMIC_RELAXED);
    }
    return zc_me;
}

/* Whether this thread may be in a signal handler, or work for a thread that is. */
static int zc_may_be_handler(void) {
    int64_t of_main = __atomic_load_n(&zc_main_self, __ATOMIC_RELAXED);
    return pthread_equal(pthread_self(), zc_main) || (of_main && zc_for == of_main);
}

static int64_t zc_on_behalf(void) { return zc_for ? zc_for : zc_self(); }

static int64_t zc_on_behalf_serial(void) { return zc_for ? zc_for_serial : zc_serial; }

static void zc_work_for(int64_t thread, int64_t serial) { zc_for = thread, zc_for_serial = serial; }

/* In a forked child no key is held: the thread that held it in the parent does not exist. The thread that forked is
   the one that runs signal handlers. */
static void zc_locks_reset(void) {
    zc_main = pthread_self();
    zc_main_self = zc_me;
    for (int table = 0; table < ZC_TABLES; table++)
        for (int i = 0; i < ZC_BUCKETS; i++) {
            pthread_mutex_init(&zc_buckets[table][i].mutex, NULL);
            zc_init_call(&zc_buckets[table][i].released);
            zc_buckets[table][i].first = NULL;
        }
}

static int zc_locks_setup(size_t main) {
    zc_locks_reset();
    zc_main = (pthread_t)main;
    zc_main_self = 0;
    return pthread_atfork(NULL, NULL, zc_locks_reset);
}

/* Where the keys of the tables come in the order. */
static const int zc_ranks[ZC_TABLES] = {ZC_CHUNK, ZC_METADATA, ZC_VALUE};

/* A number for what this thread takes now, which is larger than those before. */
static int64_t zc_next_serial(void) { return ++zc_serial; }

/* Whether what a thread has taken is held by this thread, or by the one that it works for while that one waits. */
static int zc_is_own(int64_t thread, int64_t serial) {
    return thread == zc_self() || (zc_for && thread == zc_for && serial <= zc_for_serial);
}

/* Whether this thread may wait for a lock: not if it, or the one that it works for while that one waits, holds what comes
   behind that lock in the order. `guards`: whether it holds what comes behind all of them. Where no handler can be, code
   that writes while it writes, as a store or a codec may that uses arrays itself, waits as it always would.

   What the program has taken itself from a synchronizer is no proof of a handler: zchunk waits for some seconds then, for
   what comes before it. The order among locks of one kind is the program's own then, which zchunk adds one to at most. */
static int zc_may_wait(int rank, uint64_t key, int by_program, int guards) {
    int64_t me = zc_self(), mine = 0;
    int may = ZC_WAIT;
    if (guards) return ZC_REFUSED;
    if ((!zc_keys && !zc_for) || !zc_may_be_handler()) return ZC_WAIT;
    for (int table = 0; table < ZC_TABLES; table++)
        for (int i = 0; i < ZC_BUCKETS; i++) {
            zc_bucket *bucket = &zc_buckets[table][i];
            /* No other thread adds or takes away what is looked for here. */
            if (__atomic_load_n(&bucket->first, __ATOMIC_ACQUIRE) == NULL) continue;
            pthread_mutex_lock(&bucket->mutex);
            for (zc_hold *hold = bucket->first; hold != NULL; hold = hold->next)
                if (zc_is_own(hold->thread, hold->serial)) {
                    mine += hold->thread == me;
                    if (hold->rank < rank || (hold->rank == rank && (hold->key < key || hold->by_program))) continue;
                    if (!hold->by_program) may = ZC_REFUSED;
                    else if (!by_program && may == ZC_WAIT) may = ZC_WAIT_AWHILE;
                }
            pthread_mutex_unlock(&bucket->mutex);
        }
    zc_keys = mine;
    return may;
}

/* Put what this thread holds into a bucket, whose mutex it has. */
static void zc_add(zc_bucket *bucket, zc_hold *hold, zc_hold content) {
    content.next = bucket->first;
    *hold = content;
    __atomic_store_n(&bucket->first, hold, __ATOMIC_RELEASE);
    zc_keys++;
}

/* Hold a key, and wait if another thread holds it; false if that would be a change inside a change, or a wait for a
   thread that may wait for this one.

   A thread gives helpers no work that takes a key which it holds itself. So if this thread holds the key already, or
   the one that it works for does, that one was interrupted by a signal handler while it changed the same, and this is
   the handler or one of its helpers. To wait would be for ever. A helper of the interrupted code that holds the key is
   waited for: it goes on meanwhile. */
static int zc_hold_key(int table, zc_hold *hold, uint64_t key, int changes, int guards) {
    zc_bucket *bucket = &zc_buckets[table][key % ZC_BUCKETS];
    int64_t me = zc_self();
    int may = ZC_REFUSED, late = 0;
    struct timespec until = {0, 0};
    zc_hold *other;
    pthread_mutex_lock(&bucket->mutex);
    for (other = bucket->first; other != NULL;) {
        if (other->key != key) {
            other = other->next;
        } else if (!zc_is_own(other->thread, other->serial)) {
            if (may == ZC_WAIT) {
                pthread_cond_wait(&bucket->released, &bucket->mutex);
            } else if (may == ZC_WAIT_AWHILE && !late) {
                late = pthread_cond_timedwait(&bucket->released, &bucket->mutex, &until) != 0;
            } else {
                /* It looks into other buckets, as other threads may that hold them. */
                pthread_mutex_unlock(&bucket->mutex);
                if (!late) may = zc_may_wait(zc_ranks[table], key, 0, guards);
                /* A reader can do without. */
                if (late || may == ZC_REFUSED || (may == ZC_WAIT_AWHILE && !changes)) return 0;
                until = zc_deadline(ZC_AWHILE);
                pthread_mutex_lock(&bucket->mutex);
            }
            other = bucket->first;
        } else if (changes && other->changes) {
            pthread_mutex_unlock(&bucket->mutex);
            return 0;
        } else {
            other = other->next;
        }
    }
    zc_add(bucket, hold, (zc_hold){key, me, changes, zc_next_serial(), zc_ranks[table], 0, NULL});
    pthread_mutex_unlock(&bucket->mutex);
    return 1;
}

/* Count a lock of a synchronizer, which this thread has taken or is about to have, among what it holds. It lies beside
   the values of stores. */
static void zc_count(zc_hold *hold, int rank, uint64_t key, int by_program) {
    zc_bucket *bucket = &zc_buckets[2][key % ZC_BUCKETS];
    pthread_mutex_lock(&bucket->mutex);
    zc_add(bucket, hold, (zc_hold){key, zc_self(), 0, zc_next_serial(), rank, by_program, NULL});
    pthread_mutex_unlock(&bucket->mutex);
}

static void zc_let_go(int table, zc_hold *hold) {
    zc_bucket *bucket = &zc_buckets[table][hold->key % ZC_BUCKETS];
    pthread_mutex_lock(&bucket->mutex);
    if (hold->thread == zc_self() && zc_keys > 0) zc_keys--;
    /* It is not there if the process has forked. */
    for (zc_hold **at = &bucket->first; *at != NULL; at = &(*at)->next)
        if (*at == hold) {
            __atomic_store_n(at, hold->next, __ATOMIC_RELEASE);
            break;
        }
    pthread_cond_broadcast(&bucket->released);
    pthread_mutex_unlock(&bucket->mutex);
}

#endif
