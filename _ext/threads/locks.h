/* Locks by key, of the threads of this process. */
#ifndef ZCHUNK_LOCKS_H
#define ZCHUNK_LOCKS_H

#include <pthread.h>
#include <stdint.h>

enum { ZC_BUCKETS = 1024, ZC_TABLES = 3 };

/* A key that a thread holds. It lies with the thread, not here. */
typedef struct zc_hold {
    uint64_t key;
    int64_t thread;
    int64_t changes; /* what is under the key */
    struct zc_hold *next;
} zc_hold;

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    zc_hold *first;
} zc_bucket;

static zc_bucket zc_buckets[ZC_TABLES][ZC_BUCKETS];
static int64_t zc_threads;
/* This thread, and the one that waits for what it does. */
static __thread int64_t zc_me, zc_for;

static int64_t zc_self(void) {
    if (zc_me == 0) zc_me = __atomic_add_fetch(&zc_threads, 1, __ATOMIC_RELAXED);
    return zc_me;
}

static int64_t zc_on_behalf(void) { return zc_for ? zc_for : zc_self(); }

static void zc_work_for(int64_t thread) { zc_for = thread; }

/* In a forked child no key is held: the thread that held it in the parent does not exist. */
static void zc_locks_reset(void) {
    for (int table = 0; table < ZC_TABLES; table++)
        for (int i = 0; i < ZC_BUCKETS; i++) {
            pthread_mutex_init(&zc_buckets[table][i].mutex, NULL);
            pthread_cond_init(&zc_buckets[table][i].released, NULL);
            zc_buckets[table][i].first = NULL;
        }
}

static int zc_locks_setup(void) {
    zc_locks_reset();
    return pthread_atfork(NULL, NULL, zc_locks_reset);
}

/* Wait until no other thread holds the key, and hold it; false if that would be a change inside a change.

   A thread gives helpers no work that takes a key which it holds itself. So if this thread holds the key already, or
   the one that it works for does, that one was interrupted by a signal handler while it changed the same, and this is
   the handler or one of its helpers. To wait would be for ever. A helper of the interrupted code that holds the key is
   waited for: it goes on meanwhile. */
static int zc_hold_key(int table, zc_hold *hold, uint64_t key, int changes) {
    zc_bucket *bucket = &zc_buckets[table][key % ZC_BUCKETS];
    int64_t me = zc_self();
    zc_hold *other;
    pthread_mutex_lock(&bucket->mutex);
    for (other = bucket->first; other != NULL;) {
        if (other->key != key) {
            other = other->next;
        } else if (other->thread != me && other->thread != zc_for) {
            pthread_cond_wait(&bucket->released, &bucket->mutex);
            other = bucket->first;
        } else if (changes && other->changes) {
            pthread_mutex_unlock(&bucket->mutex);
            return 0;
        } else {
            other = other->next;
        }
    }
    *hold = (zc_hold){key, me, changes, bucket->first};
    bucket->first = hold;
    pthread_mutex_unlock(&bucket->mutex);
    return 1;
}

static void zc_let_go(int table, zc_hold *hold) {
    zc_bucket *bucket = &zc_buckets[table][hold->key % ZC_BUCKETS];
    pthread_mutex_lock(&bucket->mutex);
    /* It is not there if the process has forked. */
    for (zc_hold **at = &bucket->first; *at != NULL; at = &(*at)->next)
        if (*at == hold) {
            *at = hold->next;
            break;
        }
    pthread_cond_broadcast(&bucket->released);
    pthread_mutex_unlock(&bucket->mutex);
}

#endif
