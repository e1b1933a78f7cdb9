"""Read one chunk: fetch, decode, scatter.

Only what the selection needs is read. Bytes are decoded straight into the caller's memory where the region is
contiguous there, else through scratch the size of a block or a chunk. A chunk that is not there is the fill
value.
"""

from libc.errno cimport ENOENT, errno
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from zchunk._ext.codecs.blosc_decode cimport Frame, frame_nbytes, open_frame
from zchunk._ext.codecs.dispatch cimport (
    BLOSC_KIND, CRC32_BEFORE, RAW_KIND, decode_bytes, encoded_bound, encoded_limit, summing,
)
from zchunk._ext.codecs.libraries cimport crc32_more
from zchunk._ext.memory.scratch cimport Scratch, reserve
from zchunk._ext.codecs.crc32c cimport from_little
from zchunk._ext.io.files cimport HERE, MISSING, RunningSum, close_file
from zchunk._ext.engine.plan cimport Plan, Value
from zchunk._ext.engine.read_chunk cimport AT_ONCE, UNOPENED
from zchunk._ext.selection.region cimport Region, cut, fill_region, one_run, read_region, region_items, region_span
from zchunk._ext.engine.scatter cimport scatter_frame, scatter_raw
from zchunk._ext.threads.waiters cimport Waiters, called_in
from zchunk._ext.io.source cimport (
    Source, Whole, close_source, fetch, load_source, open_fd, open_source, read_source, size_of, sum_rest,
)
from zchunk._ext.memory.status cimport (
    NO_MEMORY, NOT_STORED, OK, TOO_LARGE, TRAILING, TRUNCATED, WRONG_SUM, Failure, fail, fail_missing,
)

cdef extern from "threads/atomics.h" nogil:
    int64_t zc_load(const int64_t* p)
    int64_t zc_store_first(int64_t* p, int64_t old, int64_t value)

cdef extern from "unistd.h" nogil:
    int F_OK
    int access(const char* path, int mode)

# Offset and size of a chunk that a shard does not hold.
cdef uint64_t NOWHERE = <uint64_t>-1

cdef enum:
    # A file up to this size is read whole: its bytes cost less than the calls that could spare some of them.
    SMALL_FILE = 32768
    # About what a task reads of a chunk, counted in the chunk's memory, if several tasks read it.
    PART = 1 << 20


# ---- read one chunk

cdef bint _is_chunk(const Plan* p, const Region* r) noexcept nogil:
    """Whether the region is the chunk, as it lies in memory."""
    return one_run(r, p.itemsize) and region_items(&r.block) * <int64_t>p.itemsize == p.chunk_nbytes


cdef int _read_whole(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil:
    """Decode all of the chunk, straight to the user if the region is the chunk."""
    cdef int64_t limit = encoded_limit(&p.codec, p.chunk_nbytes)
    if load_source(source, limit, s, f) != OK:
        return f.status
    if _is_chunk(p, r):
        return decode_bytes(&p.codec, source.data, source.size, <uint8_t*>r.user, p.chunk_nbytes, s, f)
    if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if decode_bytes(&p.codec, source.data, source.size, s.chunk, p.chunk_nbytes, s, f) != OK:
        return f.status
    read_region(r, <char*>s.chunk, p.itemsize)
    return OK


cdef bint _take_part(const Plan* p, int64_t k, Region* r, int64_t part, int64_t most) noexcept nogil:
    """Reduce the region to the part that this task reads, one of at most `most`; return whether there is one.

    The first task says for all how many parts there are. Another one may find another header and `most` if the
    file is written in place meanwhile; still every item is read by one task.
    """
    cdef int64_t parts, first
    if p.splits == 1:
        return True
    parts = max(min(min(p.splits, most), region_span(r, p.itemsize) // PART), 1)
    first = zc_store_first(&p.parts[k], 0, parts)
    if first:
        parts = first
    return part < parts and cut(r, part, parts)


cdef int64_t _at_once(const Plan* p, const Region* r) noexcept nogil:
    """Up to which size a file is read by one call: where each call takes long, larger ones of which half is wanted."""
    if called_in(p.waiters) and p.splits == 1 and 2 * region_span(r, p.itemsize) >= p.chunk_nbytes:
        return AT_ONCE
    return SMALL_FILE


cdef int _read_blosc(
    const Plan* p, int64_t k, Region* r, int64_t part, Source* source, Scratch* s, Failure* f
) noexcept nogil:
    cdef Frame frame
    cdef int64_t most = _at_once(p, r)
    if source.size <= most and load_source(source, most, s, f) != OK:
        return f.status
    if open_frame(source, p.chunk_nbytes, &frame, s, f) != OK:
        return f.status
    if r.repeated or (frame.nblocks > 1 and frame.blocksize % p.itemsize):
        return _read_whole(p, r, source, s, f) if _take_part(p, k, r, part, 1) else OK
    return scatter_frame(p, r, &frame, s, f) if _take_part(p, k, r, part, max(frame.nblocks, 1)) else OK


cdef int _read(
    const Plan* p, int64_t k, Region* r, int64_t part, Source* source, Scratch* s, Failure* f
) noexcept nogil:
    if p.codec.kind == BLOSC_KIND:
        return _read_blosc(p, k, r, part, source, s, f)
    if p.codec.kind != RAW_KIND:
        return _read_whole(p, r, source, s, f)
    if source.size < p.chunk_nbytes:
        return fail(f, TRUNCATED, source.size, p.chunk_nbytes)
    if source.size > p.chunk_nbytes:
        return fail(f, TRAILING, source.size, p.chunk_nbytes)
    if called_in(p.waiters) and (p.streaming or not _is_chunk(p, r)) and source.size <= _at_once(p, r):
        if load_source(source, AT_ONCE, s, f) != OK:
            return f.status
    return scatter_raw(p, r, source, 0, s, f) if _take_part(p, k, r, part, p.splits) else OK


cdef bint _whole_raw(const uint8_t* data, int64_t n, int64_t nbytes) noexcept nogil:
    return n == nbytes


cdef bint _whole_frame(const uint8_t* data, int64_t n, int64_t nbytes) noexcept nogil:
    return frame_nbytes(data, n) == n


cdef int open_file(
    const Plan* p, const Region* r, Waiters* w, Source* source, Scratch* s, Failure* f
) noexcept nogil:
    cdef int64_t most = 0
    cdef Whole whole = _whole_raw
    if p.chunk_nbytes <= SMALL_FILE and not p.codec.crc and (p.codec.kind == RAW_KIND or p.codec.kind == BLOSC_KIND):
        most = encoded_bound(&p.codec, p.chunk_nbytes)
        if p.codec.kind == BLOSC_KIND:
            whole = _whole_frame
    return open_source(p.folder, r.key, most, whole, p.chunk_nbytes, w, source, s, f)


cdef int _leave_out_sum(const Plan* p, Source* source, int64_t* at, Failure* f) noexcept nogil:
    """Leave the stored checksum out of the source, and tell where it is: its place in the file, or in memory."""
    cdef int64_t n = source.size - 4
    cdef int64_t before = 4 if p.codec.crc == CRC32_BEFORE else 0
    if n < 0:
        return fail(f, TRUNCATED, source.size, 4)
    at[0] = 0 if before else n
    if source.data != NULL:
        source.data += before
    else:
        at[0] += source.base
        source.base += before
    source.size = n
    return OK


cdef int _read_checked(const Plan* p, int64_t k, Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil:
    """Read what is selected of a chunk that has a checksum, which is of all of its bytes.

    From a file they are summed on the way, and what nobody asked for behind the rest. So values may have been
    scattered before it is known that they are wrong; then the caller gets an error.
    """
    cdef RunningSum running
    cdef Failure late
    cdef const uint8_t* at
    cdef uint32_t stored = 0
    cdef int64_t place, most = _at_once(p, r)
    cdef int status
    if source.size <= most and load_source(source, most, s, f) != OK:
        return f.status
    if source.size > encoded_limit(&p.codec, p.chunk_nbytes):
        return fail(f, TOO_LARGE, source.size, encoded_limit(&p.codec, p.chunk_nbytes))
    if source.data != NULL:
        return _read(p, k, r, 0, source, s, f) if check_sum(p, source, s, f) == OK else f.status
    if _leave_out_sum(p, source, &place, f) != OK:
        return f.status
    running.add, running.sum, running.at = summing(p.codec.crc), 0, 0
    source.running = &running
    if p.codec.kind == RAW_KIND and source.size == p.chunk_nbytes and _is_chunk(p, r):
        # Not through scratch, nor past the caches, as what is decoded: 256 MiB into memory that is new took 88 ms, and
        # 110 so; the same bytes without a checksum 72.
        status = fetch(source, 0, source.size, <uint8_t*>r.user, &at, f)
    else:
        status = _read(p, k, r, 0, source, s, f)
    # What is damaged may not be decoded, either: that the sum is wrong says more. It is read last, where it mostly is:
    # the system reads ahead for those that read forwards.
    late = f[0]
    if sum_rest(source, &late) != OK or read_source(source, <uint8_t*>&stored, 4, place, &late) != OK:
        if status == OK:
            f[0] = late
        return f.status
    stored = from_little(stored)
    return status if running.sum == stored else fail(f, WRONG_SUM, running.sum, stored)


cdef int check_sum(const Plan* p, Source* source, Scratch* s, Failure* f) noexcept nogil:
    """Compare bytes in memory with their checksum, if they have one, and leave that out."""
    cdef const uint8_t* data = source.data
    cdef uint32_t found, stored = 0
    cdef int64_t place
    if not p.codec.crc:
        return OK
    if _leave_out_sum(p, source, &place, f) != OK:
        return f.status
    memcpy(&stored, data + place, 4)
    stored = from_little(stored)
    found = summing(p.codec.crc)(0, source.data, source.size)
    return OK if found == stored else fail(f, WRONG_SUM, found, stored)


cdef int _open_value(
    const Plan* p, const Value* value, const Region* r, Waiters* w, Source* source, Scratch* s, Failure* f
) noexcept nogil:
    """Find a chunk in memory or in the one file, where its sum is checked if all of its bytes are wanted."""
    cdef uint32_t found
    if value.size < 0:
        return MISSING
    source.data = value.data
    source.size = f.stored = value.size
    source.fd, source.base, source.running = p.file, value.number, NULL
    source.waiters, source.forward = w, True
    if value.data != NULL:
        return OK
    if r.full or value.size <= SMALL_FILE or (p.codec.kind != RAW_KIND and p.codec.kind != BLOSC_KIND):
        if load_source(source, encoded_limit(&p.codec, p.chunk_nbytes), s, f) != OK:
            return f.status
        found = crc32_more(0, source.data, source.size)
        if found != value.sum:
            return fail(f, WRONG_SUM, found, value.sum)
    return OK


cdef int open_inner(const Plan* p, const Region* r, Waiters* w, Source* source, Failure* f) noexcept nogil:
    """Find a chunk in the shard, whose index was checked. The file stays open."""
    cdef uint64_t offset = p.shard.entries[2 * r.number], size = p.shard.entries[2 * r.number + 1]
    if offset == NOWHERE:
        return MISSING
    if offset > INT64_MAX or size > INT64_MAX - offset:
        return fail(f, TOO_LARGE, INT64_MAX, INT64_MAX)
    source.size = f.stored = <int64_t>size
    source.fd, source.base, source.data = p.shard.fd, <int64_t>offset - p.shard.base, NULL
    source.running, source.waiters, source.forward = NULL, w, True
    if p.shard.data != NULL:
        source.data = p.shard.data + source.base
    return OK


cdef int _open_once(
    const Plan* p, int64_t k, const Region* r, Waiters* w, Source* source, Failure* f
) noexcept nogil:
    """Open the file of a chunk that several tasks read: all of them read the same, also if it is replaced."""
    cdef int64_t fd = zc_load(&p.opened[k])
    cdef int64_t mine
    if fd == UNOPENED:
        mine = open_fd(p.folder, r.key, w, f)
        if mine < MISSING:
            return f.status
        fd = zc_store_first(&p.opened[k], UNOPENED, mine)
        if fd != mine and mine >= 0:
            close_file(<int>mine)
    if fd == MISSING:
        return MISSING
    source.data, source.fd, source.base, source.running = NULL, <int>fd, 0, NULL
    source.waiters, source.forward = w, True
    mine = size_of(source, f)
    f.stored = source.size
    return <int>mine


cdef bint _folder_is_there(const Plan* p, Region* r) noexcept nogil:
    """Whether the folder is there of a file that is opened by its path."""
    cdef bint there
    r.key[p.root_size - 1] = 0
    there = access(r.key, F_OK) == 0 or errno != ENOENT
    r.key[p.root_size - 1] = c"/"
    return there


cdef int read_chunk(
    const Plan* p, int64_t k, int64_t part, Region* r, Waiters* w, Scratch* s, Failure* f
) noexcept nogil:
    """Read what is selected of chunk `k` of the selection, or a part of it. `w`: NULL, or look how long calls take."""
    cdef Source source
    cdef int status
    if p.values != NULL:
        status = _open_value(p, &p.values[k - p.first], r, w, &source, s, f)
    elif p.shard.entries != NULL:
        status = open_inner(p, r, w, &source, f)
    elif p.opened != NULL:
        status = _open_once(p, k, r, w, &source, f)
    else:
        status = open_file(p, r, w, &source, s, f)
    if status == MISSING:
        if p.required:
            return fail(f, NOT_STORED, 0, 0)
        if p.folder == HERE and p.root_size and not _folder_is_there(p, r):
            return fail_missing(f)
        if part == 0:
            fill_region(r, p.fill, p.itemsize)
        return OK
    if status != OK:
        return f.status
    if p.codec.crc:
        status = _read_checked(p, k, r, &source, s, f)
    else:
        status = _read(p, k, r, part, &source, s, f)
    if p.opened == NULL and p.shard.entries == NULL and p.values == NULL:
        close_source(&source)
    return status
