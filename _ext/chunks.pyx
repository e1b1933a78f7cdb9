"""Read and write one chunk: fetch, decode, scatter, and back.

Only what the selection needs is read. Bytes are decoded straight into the caller's memory where the region is
contiguous there, else through scratch the size of a block or a chunk. A chunk that is not there is the fill
value.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from zchunk._ext.blosc cimport Frame, open_frame
from zchunk._ext.chain cimport BLOSC_KIND, RAW_KIND, decode_bytes, encode_bytes, encoded_bound, encoded_limit
from zchunk._ext.codecs cimport Scratch, reserve
from zchunk._ext.copy cimport Block, copy_block, fill_block, is_fill
from zchunk._ext.files cimport MISSING, remove_file, write_file
from zchunk._ext.locks cimport hash_key, lock_stripe, unlock_stripe
from zchunk._ext.region cimport Plan, Region, one_run, region_items
from zchunk._ext.scatter cimport scatter_frame, scatter_raw
from zchunk._ext.source cimport Source, close_source, load_source, open_source
from zchunk._ext.status cimport NO_MEMORY, OK, TRAILING, TRUNCATED, Failure, fail

cdef enum:
    # A file up to this size is read whole: its bytes cost less than the calls that could spare some of them.
    SMALL_FILE = 32768


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
    copy_block(&r.block, r.user, <char*>s.chunk + r.offset, p.itemsize)
    return OK


cdef int _read_blosc(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil:
    cdef Frame frame
    if source.size <= SMALL_FILE and load_source(source, SMALL_FILE, s, f) != OK:
        return f.status
    if open_frame(source, p.chunk_nbytes, &frame, s, f) != OK:
        return f.status
    if frame.blocksize % p.itemsize and frame.nblocks > 1:
        return _read_whole(p, r, source, s, f)
    return scatter_frame(p, r, &frame, s, f)


cdef int _read(const Plan* p, const Region* r, Source* source, Scratch* s, Failure* f) noexcept nogil:
    if p.codec.kind == BLOSC_KIND:
        return _read_blosc(p, r, source, s, f)
    if p.codec.kind != RAW_KIND:
        return _read_whole(p, r, source, s, f)
    if source.size < p.chunk_nbytes:
        return fail(f, TRUNCATED, source.size, p.chunk_nbytes)
    if source.size > p.chunk_nbytes:
        return fail(f, TRAILING, source.size, p.chunk_nbytes)
    return scatter_raw(p, r, source, 0, s, f)


cdef int read_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    cdef Source source
    cdef int status = open_source(p.folder, r.key, &source, f)
    if status == MISSING:
        fill_block(&r.block, r.user, p.fill, p.itemsize)
        return OK
    if status != OK:
        return f.status
    status = _read(p, r, &source, s, f)
    close_source(&source)
    return status


# ---- write one chunk

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
    cdef int status = open_source(p.folder, r.key, &source, f)
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


cdef int _store_chunk(const Plan* p, const Region* r, const uint8_t* chunk, Scratch* s, Failure* f) noexcept nogil:
    """Encode the chunk's bytes and replace its file, or remove it if nothing but fill values is left."""
    cdef int64_t got
    if not p.write_empty and is_fill(<const char*>chunk, p.chunk_nbytes, p.fill, p.itemsize):
        return remove_file(p.folder, r.key, p.durability, f)
    if p.codec.kind == RAW_KIND:
        return write_file(p.folder, r.key, chunk, p.chunk_nbytes, p.durability, f)
    if reserve(&s.encoded, &s.encoded_size, encoded_bound(&p.codec, p.chunk_nbytes)) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    got = encode_bytes(&p.codec, chunk, p.chunk_nbytes, s.encoded, s)
    if got < 0:
        return fail(f, <int>-got, p.chunk_nbytes, encoded_bound(&p.codec, p.chunk_nbytes))
    return write_file(p.folder, r.key, s.encoded, got, p.durability, f)


cdef int _merge_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Build the chunk's new bytes in `s.chunk` and store them."""
    cdef Block b = r.block
    cdef int i
    if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if not r.full:
        if _load_chunk(p, r, s, f) != OK:
            return f.status
    elif r.padded:
        _fill_chunk(p, s)
    for i in range(b.ndim):
        b.dst[i], b.src[i] = r.block.src[i], r.block.dst[i]
    copy_block(&b, <char*>s.chunk + r.offset, r.user, p.itemsize)
    return _store_chunk(p, r, s.chunk, s, f)


cdef int write_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    cdef uint64_t stripe = hash_key(p.lock_seed, r.key, r.key_size)
    cdef int status
    # A blind write takes the lock too: it must not fall between another's read and replace.
    lock_stripe(stripe)
    if r.full and not r.padded and one_run(r, p.itemsize):
        status = _store_chunk(p, r, <const uint8_t*>r.user, s, f)
    else:
        status = _merge_chunk(p, r, s, f)
    unlock_stripe(stripe)
    return status
