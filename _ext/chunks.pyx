"""Read and write one chunk: fetch, decode, scatter, and back.

Only what the selection needs is read. Bytes are decoded straight into the caller's memory where the region is
contiguous there, else through scratch the size of a block or a chunk. A chunk that is not there is the fill
value.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from zchunk._ext.blosc cimport HEADER, Frame, frame_nbytes, open_frame
from zchunk._ext.blosc_encode cimport Layout, encode_blocks, encode_frame, encode_header, frame_layout
from zchunk._ext.chain cimport BLOSC_KIND, RAW_KIND, decode_bytes, encode_bytes, encoded_bound, encoded_limit
from zchunk._ext.chunks cimport UNOPENED
from zchunk._ext.codecs cimport Scratch, reserve
from zchunk._ext.copy cimport Block, fill_block, is_fill
from zchunk._ext.files cimport (
    MISSING, Draft, begin_file, close_file, commit_file, file_size, finish_file, open_read, put, remove_file,
)
from zchunk._ext.gather cimport Items, memory_items, region_items_from, take
from zchunk._ext.locks cimport hash_key, lock_stripe, unlock_stripe
from zchunk._ext.plan cimport EMPTY, Plan, Value
from zchunk._ext.region cimport (
    Region, cut, fill_region, one_run, read_region, region_items, region_span, write_region,
)
from zchunk._ext.scatter cimport scatter_frame, scatter_raw
from zchunk._ext.source cimport Source, Whole, close_source, load_source, open_source
from zchunk._ext.status cimport NO_MEMORY, OK, TRAILING, TRUNCATED, Failure, fail

cdef extern from "atomics.h" nogil:
    int64_t zc_load(const int64_t* p)
    int64_t zc_store_first(int64_t* p, int64_t old, int64_t value)

# Offset and size of a chunk that a shard does not hold.
cdef uint64_t NOWHERE = <uint64_t>-1

cdef enum:
    # A file up to this size is read whole: its bytes cost less than the calls that could spare some of them.
    SMALL_FILE = 32768
    # Uncompressed bytes are written this much at a time.
    SLAB = 131072
    # What a task reads of a chunk, about, counted in the chunk's memory, if a chunk may be several.
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


cdef bint _take_part(const Plan* p, Region* r, int64_t part, int64_t most) noexcept nogil:
    """Leave of the region the part that this task has to read, of `most` at most; whether there is any."""
    cdef int64_t parts
    if p.splits == 1:
        return True
    parts = max(min(min(p.splits, most), region_span(r, p.itemsize) // PART), 1)
    return part < parts and cut(r, part, parts)


cdef int _read_blosc(const Plan* p, Region* r, int64_t part, Source* source, Scratch* s, Failure* f) noexcept nogil:
    cdef Frame frame
    if source.size <= SMALL_FILE and load_source(source, SMALL_FILE, s, f) != OK:
        return f.status
    if open_frame(source, p.chunk_nbytes, &frame, s, f) != OK:
        return f.status
    if r.repeated or (frame.nblocks > 1 and frame.blocksize % p.itemsize):
        return _read_whole(p, r, source, s, f) if _take_part(p, r, part, 1) else OK
    return scatter_frame(p, r, &frame, s, f) if _take_part(p, r, part, max(frame.nblocks, 1)) else OK


cdef int _read(const Plan* p, Region* r, int64_t part, Source* source, Scratch* s, Failure* f) noexcept nogil:
    if p.codec.kind == BLOSC_KIND:
        return _read_blosc(p, r, part, source, s, f)
    if p.codec.kind != RAW_KIND:
        return _read_whole(p, r, source, s, f)
    if source.size < p.chunk_nbytes:
        return fail(f, TRUNCATED, source.size, p.chunk_nbytes)
    if source.size > p.chunk_nbytes:
        return fail(f, TRAILING, source.size, p.chunk_nbytes)
    return scatter_raw(p, r, source, 0, s, f) if _take_part(p, r, part, p.splits) else OK


cdef bint _whole_raw(const uint8_t* data, int64_t n, int64_t nbytes) noexcept nogil:
    return n == nbytes


cdef bint _whole_frame(const uint8_t* data, int64_t n, int64_t nbytes) noexcept nogil:
    return frame_nbytes(data, n) == n


cdef int _open_file(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil:
    cdef int64_t most = 0
    cdef Whole whole = _whole_raw
    if p.chunk_nbytes <= SMALL_FILE and (p.codec.kind == RAW_KIND or p.codec.kind == BLOSC_KIND):
        most = encoded_bound(&p.codec, p.chunk_nbytes)
        if p.codec.kind == BLOSC_KIND:
            whole = _whole_frame
    return open_source(p.folder, r.key, most, whole, p.chunk_nbytes, source, s, f)


cdef int _open_value(const Value* value, Source* source, Failure* f) noexcept nogil:
    if value.size < 0:
        return MISSING
    source.data = value.data
    source.size = f.stored = value.size
    source.fd, source.base = -1, 0
    return OK


cdef int _open_inner(const Plan* p, const Region* r, Source* source, Failure* f) noexcept nogil:
    """Find a chunk in the shard, whose index was checked. The file stays open."""
    cdef uint64_t offset = p.shard.entries[2 * r.number]
    if offset == NOWHERE:
        return MISSING
    source.size = f.stored = <int64_t>p.shard.entries[2 * r.number + 1]
    source.fd, source.base, source.data = p.shard.fd, <int64_t>offset, NULL
    if p.shard.data != NULL:
        source.data = p.shard.data + (<int64_t>offset - p.shard.base)
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


cdef int read_chunk(const Plan* p, int64_t k, int64_t part, Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Read what is selected of chunk `k` of the selection, or a part of it."""
    cdef Source source
    cdef int status
    if p.values != NULL:
        status = _open_value(&p.values[k - p.first], &source, f)
    elif p.shard.entries != NULL:
        status = _open_inner(p, r, &source, f)
    elif p.opened != NULL:
        status = _open_once(p, k, r, &source, f)
    else:
        status = _open_file(p, r, &source, s, f)
    if status == MISSING:
        if part == 0:
            fill_region(r, p.fill, p.itemsize)
        return OK
    if status != OK:
        return f.status
    status = _read(p, r, part, &source, s, f)
    if p.opened == NULL and p.shard.entries == NULL:
        close_source(&source)
    return status


# ---- write one chunk

cdef bint takes_items(const Plan* p, const Region* r) noexcept nogil:
    """Whether the chunk can be encoded straight from the caller's memory: all of it is there, no block of a
    frame ends inside an item, and it is not empty in a way that has to be found out."""
    if not r.full or r.padded:
        return False
    if not p.write_empty and memcmp(r.user, p.fill, p.itemsize) == 0:
        return False
    return p.whole_items or one_run(r, p.itemsize)


cdef void _fill_chunk(const Plan* p, Scratch* s) noexcept nogil:
    cdef Block b
    b.ndim = 1
    b.shape[0] = p.chunk_nbytes // <int64_t>p.itemsize
    b.dst[0] = p.itemsize
    fill_block(&b, <char*>s.chunk, p.fill, p.itemsize)


cdef int _load_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Fill `s.chunk` with the stored chunk, or with the fill value if there is none."""
    cdef Source source
    cdef int64_t limit = encoded_limit(&p.codec, p.chunk_nbytes)
    cdef int status = _open_file(p, r, &source, s, f)
    if status == MISSING:
        _fill_chunk(p, s)
        return OK
    if status != OK:
        return f.status
    status = load_source(&source, limit, s, f)
    close_source(&source)
    if status != OK:
        return status
    return decode_bytes(&p.codec, source.data, source.size, s.chunk, p.chunk_nbytes, s, f)


cdef int64_t _encode(const Plan* p, Items* items, uint8_t* dst, Scratch* s, Failure* f) noexcept nogil:
    """Encode a whole chunk into `dst`, which has room for `encoded_bound`; return the size, or -1 for a failure."""
    cdef const uint8_t* chunk
    cdef int64_t got
    if p.codec.kind == BLOSC_KIND:
        got = encode_frame(&p.codec.blosc, items, p.chunk_nbytes, dst, s)
    else:
        if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
            fail(f, NO_MEMORY, p.chunk_nbytes, 0)
            return -1
        chunk = take(items, p.chunk_nbytes, s.chunk)
        got = encode_bytes(&p.codec, chunk, p.chunk_nbytes, dst, s)
    if got < 0:
        fail(f, <int>-got, p.chunk_nbytes, encoded_bound(&p.codec, p.chunk_nbytes))
        return -1
    return got


cdef int put_items(const Plan* p, Items* items, Draft* draft, Scratch* s, Failure* f) noexcept nogil:
    """Write the bytes of a whole chunk to a file, as much at a time as the second cache holds."""
    cdef int64_t done = 0, n, slab = max(SLAB // <int64_t>p.itemsize, 1) * <int64_t>p.itemsize
    if reserve(&s.block, &s.block_size, slab) == NULL:
        return fail(f, NO_MEMORY, slab, 0)
    while done < p.chunk_nbytes:
        n = min(slab, p.chunk_nbytes - done)
        if put(draft, take(items, n, s.block), n, f) != OK:
            return f.status
        done += n
    return OK


cdef int _encode_chunk(const Plan* p, Items* items, int64_t* encoded, bint* raw, Scratch* s, Failure* f) noexcept nogil:
    """Encode a whole chunk as far as that is done before its file is opened: `encoded` bytes in `s.encoded`.

    If `raw`, the bytes of the items follow as they are.
    """
    cdef Layout layout
    cdef int status
    encoded[0], raw[0] = 0, True
    if p.codec.kind == RAW_KIND:
        return OK
    if reserve(&s.encoded, &s.encoded_size, encoded_bound(&p.codec, p.chunk_nbytes)) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if p.codec.kind != BLOSC_KIND:
        raw[0] = False
        encoded[0] = _encode(p, items, s.encoded, s, f)
        return OK if encoded[0] >= 0 else f.status
    status = frame_layout(&p.codec.blosc, p.chunk_nbytes, &layout)
    encoded[0] = -status
    if status == OK:
        encoded[0] = encode_blocks(&p.codec.blosc, &layout, items, s.encoded, s)
    if encoded[0] < 0:
        return fail(f, <int>-encoded[0], p.chunk_nbytes, encoded_bound(&p.codec, p.chunk_nbytes))
    raw[0] = encoded[0] == 0
    if raw[0]:
        encode_header(&layout, True, HEADER + p.chunk_nbytes, s.encoded)
        encoded[0] = HEADER
    return OK


cdef int _store_items(const Plan* p, const Region* r, Items* items, Scratch* s, Failure* f) noexcept nogil:
    """Replace the chunk's file by the items of a whole chunk."""
    cdef Draft draft
    cdef Items start = items[0]
    cdef int64_t encoded
    cdef bint raw
    # What can fail comes before a file that is written in place is cut off.
    if _encode_chunk(p, items, &encoded, &raw, s, f) != OK:
        return f.status
    if begin_file(p.folder, r.key, p.durability, &draft, f) != OK:
        return f.status
    if put(&draft, s.encoded, encoded, f) == OK and raw and put_items(p, &start, &draft, s, f) != OK:
        draft.status = f.status
    if finish_file(&draft, f) != OK:
        return f.status
    return commit_file(&draft, r.key, f)


cdef int _store_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Replace the chunk's file by `s.chunk`, or remove it if nothing but fill values is left."""
    cdef Items items
    if not p.write_empty and is_fill(<char*>s.chunk, p.chunk_nbytes, p.fill, p.itemsize):
        return remove_file(p.folder, r.key, p.durability, f)
    memory_items(&items, s.chunk, p.chunk_nbytes)
    return _store_items(p, r, &items, s, f)


cdef int _merge_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Build the chunk's new bytes in `s.chunk` and store them."""
    if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if not r.full:
        if _load_chunk(p, r, s, f) != OK:
            return f.status
    elif r.padded:
        _fill_chunk(p, s)
    write_region(r, <char*>s.chunk, p.itemsize)
    return _store_chunk(p, r, s, f)


cdef void whole_items(const Plan* p, const Region* r, int64_t offset, Items* items) noexcept nogil:
    """Start at the item at `offset` of a whole chunk in the caller's memory."""
    if one_run(r, p.itemsize):
        memory_items(items, <const uint8_t*>r.user + offset, p.chunk_nbytes - offset)
    else:
        region_items_from(items, r, p.itemsize, offset // <int64_t>p.itemsize)


cdef int _load_inner(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Fill `s.chunk` with what the shard has of the chunk, or with the fill value if there is nothing."""
    cdef Source source
    if p.shard.entries == NULL or _open_inner(p, r, &source, f) == MISSING:
        _fill_chunk(p, s)
        return OK
    if load_source(&source, encoded_limit(&p.codec, p.chunk_nbytes), s, f) != OK:
        return f.status
    return decode_bytes(&p.codec, source.data, source.size, s.chunk, p.chunk_nbytes, s, f)


cdef int _merge_value(const Plan* p, const Region* r, Value* value, Scratch* s, Failure* f) noexcept nogil:
    """Encode a chunk of which a part is written; EMPTY if nothing but fill values is left."""
    cdef Items items
    if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if not r.full:
        if _load_inner(p, r, s, f) != OK:
            return f.status
    elif r.padded:
        _fill_chunk(p, s)
    write_region(r, <char*>s.chunk, p.itemsize)
    if not p.write_empty and is_fill(<char*>s.chunk, p.chunk_nbytes, p.fill, p.itemsize):
        value.size = EMPTY
        return OK
    memory_items(&items, s.chunk, p.chunk_nbytes)
    value.size = _encode(p, &items, value.data, s, f)
    return OK if value.size >= 0 else f.status


cdef int _write_value(const Plan* p, const Region* r, Value* value, Scratch* s, Failure* f) noexcept nogil:
    """Encode a whole chunk into a value; leave what has to be merged with stored items to the caller."""
    cdef Items items
    if not takes_items(p, r):
        value.size = -1
        return _merge_value(p, r, value, s, f) if p.merging else OK
    whole_items(p, r, 0, &items)
    value.size = _encode(p, &items, value.data, s, f)
    return OK if value.size >= 0 else f.status


cdef int write_chunk(const Plan* p, int64_t k, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Write what is selected of chunk `k` of the selection."""
    cdef uint64_t stripe
    cdef Items items
    cdef int status
    if p.values != NULL:
        return _write_value(p, r, &p.values[k - p.first], s, f)
    stripe = hash_key(p.lock_seed, r.key, r.key_size)
    # A blind write takes the lock too: it must not fall between another's read and replace.
    lock_stripe(stripe)
    if takes_items(p, r):
        whole_items(p, r, 0, &items)
        status = _store_items(p, r, &items, s, f)
    else:
        status = _merge_chunk(p, r, s, f)
    unlock_stripe(stripe)
    return status
