"""Write one chunk: gather, encode, store; where only a part is written, merge it with what is stored.

A chunk that lies whole in the caller's memory is encoded from there. A file is replaced in one step.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from zchunk._ext.codecs.blosc_decode cimport HEADER
from zchunk._ext.codecs.blosc_encode cimport Layout, encode_blocks, encode_frame, encode_header, frame_layout
from zchunk._ext.codecs.dispatch cimport (
    BLOSC_KIND, CRC32_BEFORE, RAW_KIND, decode_bytes, encode_bytes, encoded_bound, encoded_limit, summing,
)
from zchunk._ext.memory.scratch cimport Scratch, reserve
from zchunk._ext.memory.copy cimport Block, fill_block, is_fill
from zchunk._ext.codecs.crc32c cimport from_little
from zchunk._ext.io.files cimport (
    MISSING, Draft, RunningSum, begin_file, commit_file, finish_file, put, put_at, remove_file,
)
from zchunk._ext.codecs.items cimport Items, memory_items, region_items_from, take
from zchunk._ext.threads.waiters cimport take_turn
from zchunk._ext.threads.locks cimport Hold, hash_key, lock_chunk, unlock_chunk
from zchunk._ext.engine.plan cimport EMPTY, Plan, Value
from zchunk._ext.engine.read_chunk cimport check_sum, open_file, open_inner
from zchunk._ext.selection.region cimport Region, one_run, write_region
from zchunk._ext.io.source cimport Source, close_source, load_source
from zchunk._ext.memory.status cimport NO_MEMORY, OK, Failure, fail, fail_reentry

cdef enum:
    # Uncompressed bytes are written this much at a time.
    SLAB = 131072
    # Chunks up to this size stay in the second cache, or near it, once they are gathered.
    GATHERED = 2 << 20


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
    cdef int status = open_file(p, r, NULL, &source, s, f)
    if status == MISSING:
        _fill_chunk(p, s)
        return OK
    if status != OK:
        return f.status
    status = load_source(&source, limit, s, f)
    close_source(&source)
    if status != OK or check_sum(p, &source, s, f) != OK:
        return f.status
    return decode_bytes(&p.codec, source.data, source.size, s.chunk, p.chunk_nbytes, s, f)


cdef uint8_t* _behind_room(const Plan* p, uint8_t* encoded) noexcept nogil:
    """Return where encoded bytes go if their checksum is to be put to them later, which may come first."""
    return encoded + 4 if p.codec.crc == CRC32_BEFORE else encoded


cdef int64_t _with_sum(const Plan* p, uint8_t* encoded, int64_t n) noexcept nogil:
    """Put the checksum, if there is to be one, to the `n` bytes at `_behind_room`; return how many there are then."""
    cdef uint8_t* data = _behind_room(p, encoded)
    cdef uint32_t sum
    if not p.codec.crc:
        return n
    sum = from_little(summing(p.codec.crc)(0, data, n))
    memcpy(data + n if data == encoded else encoded, &sum, 4)
    return n + 4


cdef int64_t _encode(const Plan* p, Items* items, uint8_t* dst, Scratch* s, Failure* f) noexcept nogil:
    """Encode a whole chunk into `dst`, which has room for `encoded_bound`; return the size, or -1 for a failure."""
    cdef const uint8_t* chunk
    cdef int64_t got
    cdef uint8_t* start = dst
    dst = _behind_room(p, start)
    if p.codec.kind == BLOSC_KIND:
        got = encode_frame(&p.codec.blosc, items, p.chunk_nbytes, dst, s)
    elif p.codec.kind == RAW_KIND:
        got = p.chunk_nbytes
        chunk = take(items, got, dst)
        if chunk != dst:
            memcpy(dst, chunk, got)
    else:
        if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
            fail(f, NO_MEMORY, p.chunk_nbytes, 0)
            return -1
        chunk = take(items, p.chunk_nbytes, s.chunk)
        got = encode_bytes(&p.codec, chunk, p.chunk_nbytes, dst, s)
    if got < 0:
        fail(f, <int>-got, p.chunk_nbytes, encoded_bound(&p.codec, p.chunk_nbytes))
        return -1
    return _with_sum(p, start, got)


cdef int begin_chunk(const Plan* p, const Region* r, Draft* draft, RunningSum* sum, Failure* f) noexcept nogil:
    """Begin the file of a chunk. If a checksum belongs to it, what is put from now on is summed."""
    cdef uint32_t room = 0
    if begin_file(p.folder, r.key, p.durability, draft, f) != OK:
        return f.status
    if p.codec.crc == CRC32_BEFORE:
        put(draft, <const uint8_t*>&room, 4, f)
    if p.codec.crc:
        sum.add, sum.sum = summing(p.codec.crc), 0
        draft.running = sum
    return OK


cdef int end_chunk(const Plan* p, const Region* r, Draft* draft, Failure* f) noexcept nogil:
    """Put the checksum to what was written, and the file in its place; after a failure, only clear up."""
    cdef uint32_t sum
    if draft.running != NULL:
        sum = from_little(draft.running.sum)
        draft.running = NULL
        if p.codec.crc == CRC32_BEFORE:
            put_at(draft, <const uint8_t*>&sum, 4, 0, f)
        else:
            put(draft, <const uint8_t*>&sum, 4, f)
    draft.waiters = p.waiters
    if finish_file(draft, f) != OK:
        return f.status
    return commit_file(draft, r.key, f)


cdef int put_items(const Plan* p, Items* items, Draft* draft, Scratch* s, Failure* f) noexcept nogil:
    """Write the bytes of a whole chunk to a file, as much at a time as the second cache holds."""
    cdef int64_t done = 0, n, slab = max(SLAB // <int64_t>p.itemsize, 1) * <int64_t>p.itemsize
    cdef const uint8_t* piece
    if reserve(&s.block, &s.block_size, slab) == NULL:
        return fail(f, NO_MEMORY, slab, 0)
    while done < p.chunk_nbytes:
        n = min(slab, p.chunk_nbytes - done)
        piece = take(items, n, s.block)
        if draft.running != NULL and piece != s.block:
            # What is summed is what is written, also if another thread changes the caller's memory meanwhile.
            memcpy(s.block, piece, n)
            piece = s.block
        if put(draft, piece, n, f) != OK:
            return f.status
        done += n
    return OK


cdef int _encode_chunk(const Plan* p, Items* items, int64_t* encoded, bint* raw, Scratch* s, Failure* f) noexcept nogil:
    """Encode a whole chunk as far as that is done before its file is opened: `encoded` bytes in `s.encoded`.

    If `raw`, the bytes of the items follow as they are, and with them their checksum, if the chunk has one.
    """
    cdef Layout layout
    cdef int status
    encoded[0], raw[0] = 0, True
    # A small chunk and its checksum are one write.
    if p.codec.kind == RAW_KIND and (not p.codec.crc or p.chunk_nbytes > SLAB):
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
        encoded[0] = encode_blocks(&p.codec.blosc, &layout, items, _behind_room(p, s.encoded), s)
    if encoded[0] < 0:
        return fail(f, <int>-encoded[0], p.chunk_nbytes, encoded_bound(&p.codec, p.chunk_nbytes))
    s.incompressible = raw[0] = encoded[0] == 0
    if raw[0]:
        encode_header(&layout, True, HEADER + p.chunk_nbytes, s.encoded)
        encoded[0] = HEADER
    else:
        encoded[0] = _with_sum(p, s.encoded, encoded[0])
    return OK


cdef int _store_items(const Plan* p, const Region* r, Items* items, Scratch* s, Failure* f) noexcept nogil:
    """Replace the chunk's file by the items of a whole chunk."""
    cdef Draft draft
    cdef RunningSum sum
    cdef Items start = items[0]
    cdef int64_t encoded
    cdef bint raw
    if s.incompressible and p.codec.kind == BLOSC_KIND and p.chunk_nbytes <= GATHERED and items.c.block != NULL:
        # This may be empty too; and a chunk that is stored as it is would be gathered twice.
        if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
            return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
        memory_items(&start, take(items, p.chunk_nbytes, s.chunk), p.chunk_nbytes)
        items[0] = start
    # What can fail comes before a file that is written in place is cut off.
    if _encode_chunk(p, items, &encoded, &raw, s, f) != OK:
        return f.status
    if not raw or not p.codec.crc:
        if begin_file(p.folder, r.key, p.durability, &draft, f) != OK:
            return f.status
    elif begin_chunk(p, r, &draft, &sum, f) != OK:
        return f.status
    if put(&draft, s.encoded, encoded, f) == OK and raw and put_items(p, &start, &draft, s, f) != OK:
        draft.status = f.status
    return end_chunk(p, r, &draft, f)


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
    cdef int status = MISSING if p.shard.entries == NULL else open_inner(p, r, NULL, &source, f)
    if status == MISSING:
        _fill_chunk(p, s)
        return OK
    if status != OK:
        return status
    if load_source(&source, encoded_limit(&p.codec, p.chunk_nbytes), s, f) != OK:
        return f.status
    if check_sum(p, &source, s, f) != OK:
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
    value.number = r.number
    if not takes_items(p, r):
        value.size = -1
        return _merge_value(p, r, value, s, f) if p.merging else OK
    whole_items(p, r, 0, &items)
    value.size = _encode(p, &items, value.data, s, f)
    return OK if value.size >= 0 else f.status


cdef int write_chunk(const Plan* p, int64_t k, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Write what is selected of chunk `k` of the selection."""
    cdef Hold hold
    cdef Items items
    cdef int status
    if p.values != NULL:
        return _write_value(p, r, &p.values[k - p.first], s, f)
    # Before the lock, for which others may wait in their turns.
    take_turn(p.waiters)
    # A blind write takes the lock too: it must not come between the read and the write of another thread.
    if not lock_chunk(&hold, hash_key(p.lock_seed, r.key, r.key_size)):
        return fail_reentry(f)
    if takes_items(p, r):
        whole_items(p, r, 0, &items)
        status = _store_items(p, r, &items, s, f)
    else:
        status = _merge_chunk(p, r, s, f)
    unlock_chunk(&hold)
    return status
