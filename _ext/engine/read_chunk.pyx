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
    BLOSC_KIND, CRC32_BEFORE, CRC32C_BEHIND, RAW_KIND, decode_bytes, encoded_bound, encoded_limit,
)
from zchunk._ext.codecs.libraries cimport crc32_of
from zchunk._ext.memory.scratch cimport Scratch, reserve
from zchunk._ext.codecs.crc32c cimport crc32c, crc32c_more, from_little
from zchunk._ext.io.files cimport HERE, MISSING, close_file, file_size, open_read, read_at
from zchunk._ext.engine.plan cimport Plan, Value
from zchunk._ext.engine.read_chunk cimport UNOPENED
from zchunk._ext.selection.region cimport Region, cut, fill_region, one_run, read_region, region_items, region_span
from zchunk._ext.engine.scatter cimport scatter_frame, scatter_raw
from zchunk._ext.io.source cimport Source, Whole, close_source, load_source, open_source
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
    # Uncompressed bytes are read so many at a time, so that their checksum finds them in a cache.
    SUMMED = 65536
    # About what a task reads of a chunk, counted in the chunk's memory, if several tasks read it.
    PART = 1 << 20


# ---- read one chunk

cdef int _read_whole(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil:
    """Decode all of the chunk, straight to the user if the region is the chunk."""
    cdef int64_t limit = encoded_limit(&p.codec, p.chunk_nbytes)
    if load_source(source, limit, s, f) != OK:
        return f.status
    if one_run(r, p.itemsize) and region_items(&r.block) * <int64_t>p.itemsize == p.chunk_nbytes:
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


cdef int _read_blosc(
    const Plan* p, int64_t k, Region* r, int64_t part, Source* source, Scratch* s, Failure* f
) noexcept nogil:
    cdef Frame frame
    if source.size <= SMALL_FILE and load_source(source, SMALL_FILE, s, f) != OK:
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
    return scatter_raw(p, r, source, 0, s, f) if _take_part(p, k, r, part, p.splits) else OK


cdef bint _whole_raw(const uint8_t* data, int64_t n, int64_t nbytes) noexcept nogil:
    return n == nbytes


cdef bint _whole_frame(const uint8_t* data, int64_t n, int64_t nbytes) noexcept nogil:
    return frame_nbytes(data, n) == n


cdef int open_file(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil:
    cdef int64_t most = 0
    cdef Whole whole = _whole_raw
    if p.chunk_nbytes <= SMALL_FILE and not p.codec.crc and (p.codec.kind == RAW_KIND or p.codec.kind == BLOSC_KIND):
        most = encoded_bound(&p.codec, p.chunk_nbytes)
        if p.codec.kind == BLOSC_KIND:
            whole = _whole_frame
    return open_source(p.folder, r.key, most, whole, p.chunk_nbytes, source, s, f)


cdef int check_sum(const Plan* p, Source* source, Scratch* s, Failure* f) noexcept nogil:
    """Compare the bytes with their checksum, if they have one, and leave that out."""
    cdef int64_t n
    cdef bint before = p.codec.crc == CRC32_BEFORE
    cdef const uint8_t* data
    cdef uint32_t found, stored
    if not p.codec.crc:
        return OK
    if load_source(source, encoded_limit(&p.codec, p.chunk_nbytes), s, f) != OK:
        return f.status
    n = source.size - 4
    if n < 0:
        return fail(f, TRUNCATED, source.size, 4)
    data = source.data + 4 if before else source.data
    found = crc32_of(data, n) if before else crc32c(data, n)
    memcpy(&stored, source.data if before else data + n, 4)
    stored = from_little(stored)
    if found != stored:
        return fail(f, WRONG_SUM, found, stored)
    source.data, source.size = data, n
    return OK


cdef bint _lies_as_wanted(const Plan* p, const Region* r, const Source* source) noexcept nogil:
    """Whether a chunk in a file is its items, all of which are wanted side by side, and a checksum behind them."""
    return (
        p.codec.kind == RAW_KIND and p.codec.crc == CRC32C_BEHIND and p.chunk_nbytes > SMALL_FILE
        and source.data == NULL and source.size == p.chunk_nbytes + 4
        and one_run(r, p.itemsize) and region_items(&r.block) * <int64_t>p.itemsize == p.chunk_nbytes
    )


cdef int _read_summed(const Plan* p, const Region* r, const Source* source, Failure* f) noexcept nogil:
    """Read a chunk that lies as it is wanted to where it is wanted, and compare its checksum.

    Not through scratch, nor past the caches, as what is decoded: 256 MiB into memory that is new took 88 ms, and 110
    so; the same bytes without a checksum 72.
    """
    cdef uint8_t* user = <uint8_t*>r.user
    cdef int64_t done = 0, n
    cdef uint32_t found = 0, stored
    while done < p.chunk_nbytes:
        n = min(p.chunk_nbytes - done, <int64_t>SUMMED)
        if read_at(source.fd, user + done, n, source.base + done, f) != OK:
            return f.status
        found = crc32c_more(found, user + done, n)
        done += n
    if read_at(source.fd, <uint8_t*>&stored, 4, source.base + done, f) != OK:
        return f.status
    stored = from_little(stored)
    return OK if found == stored else fail(f, WRONG_SUM, found, stored)


cdef int _open_value(
    const Plan* p, const Value* value, const Region* r, Source* source, Scratch* s, Failure* f
) noexcept nogil:
    """Find a chunk in memory or in the one file, where its sum is checked if all of its bytes are wanted."""
    cdef uint32_t found
    if value.size < 0:
        return MISSING
    source.data = value.data
    source.size = f.stored = value.size
    source.fd, source.base = p.file, value.number
    if value.data != NULL:
        return OK
    if r.full or value.size <= SMALL_FILE or (p.codec.kind != RAW_KIND and p.codec.kind != BLOSC_KIND):
        if load_source(source, encoded_limit(&p.codec, p.chunk_nbytes), s, f) != OK:
            return f.status
        found = crc32_of(source.data, source.size)
        if found != value.sum:
            return fail(f, WRONG_SUM, found, value.sum)
    return OK


cdef int open_inner(const Plan* p, const Region* r, Source* source, Failure* f) noexcept nogil:
    """Find a chunk in the shard, whose index was checked. The file stays open."""
    cdef uint64_t offset = p.shard.entries[2 * r.number], size = p.shard.entries[2 * r.number + 1]
    if offset == NOWHERE:
        return MISSING
    if offset > INT64_MAX or size > INT64_MAX - offset:
        return fail(f, TOO_LARGE, INT64_MAX, INT64_MAX)
    source.size = f.stored = <int64_t>size
    source.fd, source.base, source.data = p.shard.fd, <int64_t>offset - p.shard.base, NULL
    if p.shard.data != NULL:
        source.data = p.shard.data + source.base
    return OK


cdef int _open_once(const Plan* p, int64_t k, const Region* r, Source* source, Failure* f) noexcept nogil:
    """Open the file of a chunk that several tasks read: all of them read the same, also if it is replaced."""
    cdef int64_t fd = zc_load(&p.opened[k])
    cdef int64_t mine
    if fd == UNOPENED:
        mine = open_read(p.folder, r.key, f)
        if mine < MISSING:
            return f.status
        fd = zc_store_first(&p.opened[k], UNOPENED, mine)
        if fd != mine and mine >= 0:
            close_file(<int>mine)
    if fd == MISSING:
        return MISSING
    source.data, source.fd, source.base = NULL, <int>fd, 0
    mine = file_size(source.fd, &source.size, f)
    f.stored = source.size
    return <int>mine


cdef bint _folder_is_there(const Plan* p, Region* r) noexcept nogil:
    """Whether the folder is there of a file that is opened by its path."""
    cdef bint there
    r.key[p.root_size - 1] = 0
    there = access(r.key, F_OK) == 0 or errno != ENOENT
    r.key[p.root_size - 1] = c"/"
    return there


cdef int read_chunk(const Plan* p, int64_t k, int64_t part, Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Read what is selected of chunk `k` of the selection, or a part of it."""
    cdef Source source
    cdef int status
    if p.values != NULL:
        status = _open_value(p, &p.values[k - p.first], r, &source, s, f)
    elif p.shard.entries != NULL:
        status = open_inner(p, r, &source, f)
    elif p.opened != NULL:
        status = _open_once(p, k, r, &source, f)
    else:
        status = open_file(p, r, &source, s, f)
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
    if _lies_as_wanted(p, r, &source):
        status = _read_summed(p, r, &source, f)
    else:
        status = check_sum(p, &source, s, f)
        if status == OK:
            status = _read(p, k, r, part, &source, s, f)
    if p.opened == NULL and p.shard.entries == NULL and p.values == NULL:
        close_source(&source)
    return status
