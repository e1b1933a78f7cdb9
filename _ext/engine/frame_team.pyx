"""Frames that several threads encode together, block by block: so that few large chunks keep all threads busy.

Blocks are given out in order, chunk after chunk. A chunk that is being encoded has a `Joint`: a place for each
of its blocks. The thread that encodes the last block writes the file, with its blocks in order, so that the bytes
do not depend on the threads (but for a frame that saves a few bytes only, which a single thread may store raw).
There are few joints. A thread that needs one that is taken waits for the chunk before, whose blocks all belong to
threads that do not wait for later chunks.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from zchunk._ext.codecs.blosc_decode cimport HEADER, MAX_SPLITS
from zchunk._ext.codecs.blosc_encode cimport (
    LAZY, RAW_STREAMS, Layout, encode_block, encode_header, frame_layout, raw_block, store_uint32,
)
from zchunk._ext.codecs.dispatch cimport BLOSC_KIND
from zchunk._ext.memory.scratch cimport reserve
from zchunk._ext.io.files cimport Draft, RunningSum, put
from zchunk._ext.codecs.items cimport Items
from zchunk._ext.threads.locks cimport Hold, hash_key, lock_chunk, unlock_chunk
from zchunk._ext.engine.plan cimport locate
from zchunk._ext.selection.region cimport Region
from zchunk._ext.memory.status cimport NO_MEMORY, OK, fail, fail_reentry
from zchunk._ext.engine.write_chunk cimport (
    begin_chunk, end_chunk, put_items, takes_items, whole_items, write_chunk,
)

cdef extern from "threads/atomics.h" nogil:
    int64_t zc_load(const int64_t* p)

cdef extern from "<unistd.h>" nogil:
    long getpid()

cdef extern from * nogil:
    """
    #include <pthread.h>
    #include <time.h>

    typedef struct { pthread_mutex_t mutex; pthread_cond_t changed; } zc_monitor;
    static void zc_monitor_make(zc_monitor *m) {
        pthread_mutex_init(&m->mutex, NULL);
        pthread_cond_init(&m->changed, NULL);
    }
    static void zc_monitor_free(zc_monitor *m) {
        pthread_mutex_destroy(&m->mutex);
        pthread_cond_destroy(&m->changed);
    }
    static void zc_enter(zc_monitor *m) { pthread_mutex_lock(&m->mutex); }
    static void zc_leave(zc_monitor *m) { pthread_mutex_unlock(&m->mutex); }
    static void zc_notify(zc_monitor *m) { pthread_cond_broadcast(&m->changed); }
    /* Until a thread notifies, and for 10 ms at most: a cancel does not notify. */
    static void zc_wait(zc_monitor *m) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 10000000;
        if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
        pthread_cond_timedwait(&m->changed, &m->mutex, &t);
    }
    """
    ctypedef struct zc_monitor:
        pass
    void zc_monitor_make(zc_monitor* m)
    void zc_monitor_free(zc_monitor* m)
    void zc_enter(zc_monitor* m)
    void zc_leave(zc_monitor* m)
    void zc_notify(zc_monitor* m)
    void zc_wait(zc_monitor* m)

cdef enum:
    # Chunks from this size on are worth it, if there are not many for each thread.
    LARGE = 4 << 20
    MANY = 16
    # While one thread writes a file, the others have the next chunk to encode.
    JOINTS = 2


cdef struct Joint:
    int64_t chunk       # -1: free
    int64_t left        # blocks that are not encoded yet
    int64_t* sizes
    uint8_t* blocks     # as far apart as `Team.room`
    uint8_t* head       # header and block table

cdef struct Team:
    # The process that made it.
    long pid
    zc_monitor monitor
    Layout layout
    int64_t room
    int64_t n
    Joint* joints


cdef Team* make_team(const Plan* p, int threads) noexcept nogil:
    """Return a team for a selection that is to be written; NULL if it would not help, or for want of memory."""
    cdef Team* team
    cdef Layout layout
    cdef int64_t i
    if (
        threads < 2 or not p.writing or p.codec.kind != BLOSC_KIND or p.chunk_nbytes < LARGE
        or p.total > MANY * threads or not p.write_empty or not p.whole_items
    ):
        return NULL
    if frame_layout(&p.codec.blosc, p.chunk_nbytes, &layout) != OK or layout.stored or layout.nblocks < 2:
        return NULL
    team = <Team*>calloc(1, sizeof(Team))
    if team == NULL:
        return NULL
    team.pid = getpid()
    zc_monitor_make(&team.monitor)
    team.layout = layout
    team.room = layout.blocksize + 4 * MAX_SPLITS
    team.joints = <Joint*>calloc(JOINTS, sizeof(Joint))
    team.n = JOINTS if team.joints != NULL else 0
    for i in range(team.n):
        team.joints[i].chunk = -1
        team.joints[i].sizes = <int64_t*>malloc(layout.nblocks * sizeof(int64_t))
        team.joints[i].head = <uint8_t*>malloc(HEADER + 4 * layout.nblocks)
        team.joints[i].blocks = <uint8_t*>malloc(layout.nblocks * team.room)
        if team.joints[i].sizes == NULL or team.joints[i].head == NULL or team.joints[i].blocks == NULL:
            free_team(team)
            return NULL
    return team


cdef void free_team(Team* team) noexcept nogil:
    cdef int64_t i
    # In a forked child the threads that wait at the monitor do not exist, and would be waited for.
    if team == NULL or team.pid != getpid():
        return
    for i in range(team.n):
        free(team.joints[i].sizes)
        free(team.joints[i].head)
        free(team.joints[i].blocks)
    free(team.joints)
    zc_monitor_free(&team.monitor)
    free(team)


cdef int64_t team_blocks(const Team* team) noexcept nogil:
    """Return the number of blocks of a chunk."""
    return team.layout.nblocks


cdef Joint* _join(Team* team, const Plan* p, int64_t k) noexcept nogil:
    """Return the joint of chunk `k`; NULL if all threads are to stop."""
    cdef Joint* joint = &team.joints[k % team.n]
    zc_enter(&team.monitor)
    while joint.chunk != k:
        if joint.chunk < 0:
            joint.chunk = k
            joint.left = team.layout.nblocks
        elif zc_load(&p.stop):
            joint = NULL
            break
        else:
            zc_wait(&team.monitor)
    zc_leave(&team.monitor)
    return joint


cdef int _put_raw(const Team* team, const Plan* p, const Region* r, Joint* joint, Draft* draft, Scratch* s,
                  Failure* f) noexcept nogil:
    """Write a frame that holds the chunk's bytes as they are."""
    cdef Items items
    encode_header(&team.layout, True, HEADER + team.layout.nbytes, joint.head)
    if put(draft, joint.head, HEADER, f) != OK:
        return f.status
    whole_items(p, r, 0, &items)
    return put_items(p, &items, draft, s, f)


cdef int _put_block(const Team* team, const Plan* p, const Region* r, const Joint* joint, int64_t b, Draft* draft,
                    Scratch* s, Failure* f) noexcept nogil:
    cdef int64_t got
    if joint.sizes[b] < raw_block(&team.layout, b):
        return put(draft, joint.blocks + b * team.room, joint.sizes[b], f)
    got = _encode(team, p, r, b, RAW_STREAMS, s)
    return put(draft, s.encoded, got, f) if got > 0 else fail(f, <int>-got, team.layout.nbytes, 0)


cdef int _put_frame(const Team* team, const Plan* p, const Region* r, Joint* joint, Draft* draft, Scratch* s,
                    Failure* f) noexcept nogil:
    """Write the frame, or the chunk's bytes as they are if that is shorter."""
    cdef const Layout* layout = &team.layout
    cdef int64_t b, used = HEADER + 4 * layout.nblocks
    for b in range(layout.nblocks):
        store_uint32(joint.head + HEADER + 4 * b, <unsigned int>used)
        used += joint.sizes[b]
    if used > layout.nbytes + HEADER:
        return _put_raw(team, p, r, joint, draft, s, f)
    encode_header(layout, False, used, joint.head)
    if put(draft, joint.head, HEADER + 4 * layout.nblocks, f) != OK:
        return f.status
    for b in range(layout.nblocks):
        if _put_block(team, p, r, joint, b, draft, s, f) != OK:
            return f.status
    return OK


cdef int _write(const Team* team, const Plan* p, const Region* r, Joint* joint, Scratch* s, Failure* f) noexcept nogil:
    cdef Draft draft
    cdef RunningSum sum
    cdef int64_t b
    cdef int status
    for b in range(team.layout.nblocks):
        if joint.sizes[b] < 0:
            return fail(f, <int>-joint.sizes[b], team.layout.nbytes, 0)
    if begin_chunk(p, r, &draft, &sum, f) != OK:
        return f.status
    status = _put_frame(team, p, r, joint, &draft, s, f)
    if status != OK:
        draft.status = status
    return end_chunk(p, r, &draft, f)


cdef int64_t _encode(const Team* team, const Plan* p, const Region* r, int64_t b, int mode, Scratch* s) noexcept nogil:
    """Encode block `b` into `s.encoded`; return its size, or minus a Status."""
    cdef Items items
    if reserve(&s.encoded, &s.encoded_size, team.room) == NULL:
        return -NO_MEMORY
    whole_items(p, r, b * team.layout.blocksize, &items)
    return encode_block(&p.codec.blosc, &team.layout, b, &items, mode, s.encoded, team.room, s)


cdef int team_block(Team* team, const Plan* p, int64_t k, int64_t b, Scratch* s, Failure* f) noexcept nogil:
    """Encode block `b` of chunk `k`, and write the file if it is the last to be encoded."""
    cdef Region r
    cdef Joint* joint
    cdef Hold hold
    cdef int64_t left, got
    cdef int status
    locate(p, k, &r)
    if not takes_items(p, &r):
        return write_chunk(p, k, &r, s, f) if b == 0 else OK
    joint = _join(team, p, k)
    if joint == NULL:
        return OK
    got = _encode(team, p, &r, b, LAZY, s)
    # A block that does not compress is made again when it is written, which takes less time than new memory.
    if 0 < got < raw_block(&team.layout, b):
        memcpy(joint.blocks + b * team.room, s.encoded, got)
    joint.sizes[b] = got
    zc_enter(&team.monitor)
    joint.left -= 1
    left = joint.left
    zc_leave(&team.monitor)
    if left:
        return OK
    if lock_chunk(&hold, hash_key(p.lock_seed, r.key, r.key_size)):
        status = _write(team, p, &r, joint, s, f)
        unlock_chunk(&hold)
    else:
        status = fail_reentry(f)
    zc_enter(&team.monitor)
    joint.chunk = -1
    zc_notify(&team.monitor)
    zc_leave(&team.monitor)
    return status
