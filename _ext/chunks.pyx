"""Read and write one chunk: fetch, decode, scatter, and back.

Only what the selection needs is read: rows of an uncompressed chunk, blocks of a large Blosc frame. Bytes are
decoded straight into the caller's memory where the region is contiguous there, else through scratch the size
of a block or a chunk. A chunk that is not there is the fill value.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from zchunk._ext.blosc cimport (
    HEADER, MAX_SPLITS, Frame, Planes, block_nbytes, block_start, decode_block, gather_planes, is_planar, open_planes,
    parse_header,
)
from zchunk._ext.chain cimport BLOSC_KIND, RAW_KIND, decode_bytes, encode_bytes, encoded_bound, encoded_limit
from zchunk._ext.codecs cimport Scratch, reserve
from zchunk._ext.copy cimport Block, copy_block, copy_run, fill_block, is_fill
from zchunk._ext.files cimport MISSING, close_file, open_read, read_at, remove_file, write_file
from zchunk._ext.locks cimport hash_key, lock_stripe, unlock_stripe
from zchunk._ext.region cimport (
    Cursor, Plan, Region, first_row, next_row, one_run, region_items, region_rows, region_span, row_span,
)
from zchunk._ext.status cimport CORRUPT, NO_MEMORY, OK, TOO_LARGE, TRAILING, TRUNCATED, Failure, fail

cdef enum:
    # Below this a file is read whole: one large read beats a small one and another.
    SMALL_FILE = 131072
    # What a read call costs beside its bytes, expressed in bytes.
    READ_COST = 16384
    # With more blocks than this a frame is read whole: finding where a block ends looks at all of them.
    MAX_LAZY_BLOCKS = 16384
    # First read of a large Blosc file: header and, as a rule, the whole block table.
    HEAD = 4096


# ---- uncompressed chunks

cdef int _read_rows(const Plan* p, const Region* r, int fd, Scratch* s, Failure* f) noexcept nogil:
    """Read an uncompressed chunk row by row."""
    cdef Cursor c
    cdef int64_t size
    first_row(&c, r, p.itemsize)
    size = (c.n - 1) * c.chunk_stride + p.itemsize
    while True:
        if c.user_stride == <int64_t>p.itemsize and c.chunk_stride == <int64_t>p.itemsize:
            if read_at(fd, <uint8_t*>c.user, size, c.offset, f) != OK:
                return f.status
        else:
            if reserve(&s.chunk, &s.chunk_size, size) == NULL:
                return fail(f, NO_MEMORY, size, 0)
            if read_at(fd, s.chunk, size, c.offset, f) != OK:
                return f.status
            copy_run(c.user, c.user_stride, <char*>s.chunk, c.chunk_stride, c.n, p.itemsize)
        if not next_row(&c):
            return OK


cdef int _read_raw(const Plan* p, const Region* r, int fd, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Read what the selection needs of an uncompressed chunk."""
    cdef int64_t span = region_span(&r.block, p.itemsize), rows = region_rows(&r.block)
    if size != p.chunk_nbytes:
        return fail(f, TRUNCATED if size < p.chunk_nbytes else TRAILING, size, p.chunk_nbytes)
    if one_run(r, p.itemsize) or rows * (READ_COST + row_span(&r.block, p.itemsize)) < span:
        return _read_rows(p, r, fd, s, f)
    if reserve(&s.chunk, &s.chunk_size, span) == NULL:
        return fail(f, NO_MEMORY, span, 0)
    if read_at(fd, s.chunk, span, r.offset, f) != OK:
        return f.status
    copy_block(&r.block, r.user, <char*>s.chunk, p.itemsize)
    return OK


# ---- Blosc frames by block: the whole frame in memory (`data`), or block by block from the file

cdef int64_t _block_end(const Frame* frame, const uint8_t* table, int64_t start) noexcept nogil:
    """Return where the block that begins at `start` ends at the latest. Blocks may be stored in any order."""
    cdef int64_t b, other, end = frame.cbytes
    for b in range(frame.nblocks):
        other = block_start(frame, table, b)
        if start < other < end:
            end = other
    return end


cdef struct Source:
    # Where a frame's bytes are: all of them at `data`, or in the file, `data` being NULL.
    const Frame* frame
    const uint8_t* table
    const uint8_t* data
    int fd


cdef int _fetch_block(
    const Source* source, int64_t b, const uint8_t** stored, int64_t* n, Scratch* s, Failure* f
) noexcept nogil:
    """Give the stored bytes of block `b`; `n` is how many there are at most."""
    cdef const Frame* frame = source.frame
    cdef int64_t start = block_start(frame, source.table, b)
    if start < 0:
        return fail(f, CORRUPT, frame.cbytes, frame.nbytes)
    if source.data != NULL:
        stored[0], n[0] = source.data + start, frame.cbytes - start
        return OK
    n[0] = block_nbytes(frame, b)
    if not frame.raw:
        # No stream is longer than what it decodes to, whatever the table says.
        n[0] = min(_block_end(frame, source.table, start) - start, n[0] + 4 * MAX_SPLITS)
    stored[0] = reserve(&s.chunk, &s.chunk_size, n[0])
    if stored[0] == NULL:
        return fail(f, NO_MEMORY, n[0], 0)
    return read_at(source.fd, s.chunk, n[0], start, f)


cdef int _scatter_planes(const Plan* p, const Region* r, const Source* source, Scratch* s, Failure* f) noexcept nogil:
    """Do what `_scatter_blocks` does for a planar frame: put items together only where they are wanted."""
    cdef Cursor c
    cdef Planes planes
    cdef const uint8_t* stored
    cdef int64_t size = p.itemsize, low = 0, high = 0, b, i, n, at, avail
    first_row(&c, r, size)
    while True:
        i = 0
        while i < c.n:
            at = c.offset + i * c.chunk_stride
            if at >= high or at < low:
                b = at // source.frame.blocksize
                low = b * source.frame.blocksize
                high = low + block_nbytes(source.frame, b)
                if (_fetch_block(source, b, &stored, &avail, s, f) != OK
                        or open_planes(source.frame, b, stored, avail, &planes, s, f) != OK):
                    return f.status
            n = (high - at + c.chunk_stride - 1) // c.chunk_stride
            if n > c.n - i:
                n = c.n - i
            gather_planes(planes.at, <int>size, (at - low) // size, c.chunk_stride // size, n,
                          c.user + i * c.user_stride, c.user_stride, p.streaming)
            i += n
        if not next_row(&c):
            return OK


cdef int _scatter_blocks(const Plan* p, const Region* r, const Source* source, Scratch* s, Failure* f) noexcept nogil:
    """Decode the blocks that the region touches, each once, and scatter from there.

    Rows come in the order of the chunk's memory, and no item straddles two blocks.
    """
    cdef Cursor c
    cdef const uint8_t* stored
    cdef uint8_t* target
    cdef int64_t low = 0, high = 0, b, i, n, at, avail
    cdef bint contiguous
    first_row(&c, r, p.itemsize)
    contiguous = c.user_stride == <int64_t>p.itemsize and c.chunk_stride == <int64_t>p.itemsize
    if reserve(&s.block, &s.block_size, source.frame.blocksize) == NULL:
        return fail(f, NO_MEMORY, source.frame.blocksize, 0)
    while True:
        i = 0
        while i < c.n:
            at = c.offset + i * c.chunk_stride
            if at >= high or at < low:
                b = at // source.frame.blocksize
                low = b * source.frame.blocksize
                high = low + block_nbytes(source.frame, b)
                target = s.block
                if contiguous and at == low and (c.n - i) * c.chunk_stride >= high - low:
                    # The row swallows the block: decode it in place.
                    target = <uint8_t*>c.user + i * c.user_stride
                if (_fetch_block(source, b, &stored, &avail, s, f) != OK
                        or decode_block(source.frame, b, stored, avail, target, s, f) != OK):
                    return f.status
                if target != s.block:
                    i += (high - low) // <int64_t>p.itemsize
                    high = low
                    continue
            n = (high - at + c.chunk_stride - 1) // c.chunk_stride
            if n > c.n - i:
                n = c.n - i
            copy_run(c.user + i * c.user_stride, c.user_stride, <char*>s.block + (at - low), c.chunk_stride, n,
                     p.itemsize)
            i += n
        if not next_row(&c):
            return OK


cdef int _scatter(
    const Plan* p, const Region* r, const Frame* frame, const uint8_t* data, int fd, Scratch* s, Failure* f
) noexcept nogil:
    cdef Source source
    source.frame, source.table, source.data, source.fd = frame, s.encoded + HEADER, data, fd
    if is_planar(frame, p.itemsize):
        return _scatter_planes(p, r, &source, s, f)
    return _scatter_blocks(p, r, &source, s, f)


cdef int _decode_blosc(const Plan* p, const Region* r, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Decode what is needed of the frame in `s.encoded`."""
    cdef Frame frame
    if parse_header(s.encoded, size, p.chunk_nbytes, &frame, f) != OK:
        return f.status
    if frame.blocksize % p.itemsize and frame.nblocks > 1:
        return _decode_whole(p, r, size, s, f)
    return _scatter(p, r, &frame, s.encoded, -1, s, f)


cdef int _read_blosc(const Plan* p, const Region* r, int fd, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Read a large frame: its header, then its blocks one by one if the selection needs few of them."""
    cdef Frame frame
    cdef int64_t head = HEAD, span = region_span(&r.block, p.itemsize), needed
    if reserve(&s.encoded, &s.encoded_size, size) == NULL:
        return fail(f, NO_MEMORY, size, 0)
    if read_at(fd, s.encoded, head, 0, f) != OK or parse_header(s.encoded, size, p.chunk_nbytes, &frame, f) != OK:
        return f.status
    # Every row can touch one block more than it fills.
    needed = region_rows(&r.block) * (row_span(&r.block, p.itemsize) + frame.blocksize)
    if needed > span + frame.blocksize:
        needed = span + frame.blocksize
    if needed * 2 < p.chunk_nbytes and frame.nblocks <= MAX_LAZY_BLOCKS and frame.blocksize % p.itemsize == 0:
        if frame.table_end > head and read_at(fd, s.encoded + head, frame.table_end - head, head, f) != OK:
            return f.status
        return _scatter(p, r, &frame, NULL, fd, s, f)
    if read_at(fd, s.encoded + head, size - head, head, f) != OK:
        return f.status
    return _decode_blosc(p, r, size, s, f)


# ---- read one chunk

cdef int _decode_whole(const Plan* p, const Region* r, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Decode the `size` bytes in `s.encoded`, straight to the user if the region is the chunk."""
    if one_run(r, p.itemsize) and region_items(&r.block) * <int64_t>p.itemsize == p.chunk_nbytes:
        return decode_bytes(&p.codec, s.encoded, size, <uint8_t*>r.user, p.chunk_nbytes, s, f)
    if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if decode_bytes(&p.codec, s.encoded, size, s.chunk, p.chunk_nbytes, s, f) != OK:
        return f.status
    copy_block(&r.block, r.user, <char*>s.chunk + r.offset, p.itemsize)
    return OK


cdef int _load(const Plan* p, int fd, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Read the whole file into `s.encoded`, unless it is larger than any encoding of such a chunk."""
    if size > encoded_limit(&p.codec, p.chunk_nbytes):
        return fail(f, TOO_LARGE, size, encoded_limit(&p.codec, p.chunk_nbytes))
    if reserve(&s.encoded, &s.encoded_size, size) == NULL:
        return fail(f, NO_MEMORY, size, 0)
    return read_at(fd, s.encoded, size, 0, f)


cdef int _read_file(const Plan* p, const Region* r, int fd, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    if p.codec.kind == RAW_KIND:
        return _read_raw(p, r, fd, size, s, f)
    if p.codec.kind == BLOSC_KIND and SMALL_FILE < size <= encoded_limit(&p.codec, p.chunk_nbytes):
        return _read_blosc(p, r, fd, size, s, f)
    if _load(p, fd, size, s, f) != OK:
        return f.status
    if p.codec.kind == BLOSC_KIND:
        return _decode_blosc(p, r, size, s, f)
    return _decode_whole(p, r, size, s, f)


cdef int read_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    cdef int64_t size = 0
    cdef int fd = open_read(p.folder, r.key, &size, f), status
    if fd == MISSING:
        fill_block(&r.block, r.user, p.fill, p.itemsize)
        return OK
    if fd < 0:
        return f.status
    status = _read_file(p, r, fd, size, s, f)
    close_file(fd)
    f.stored = size
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
    cdef int64_t size = 0
    cdef int status, fd = open_read(p.folder, r.key, &size, f)
    if fd == MISSING:
        _fill_chunk(p, s)
        return OK
    if fd < 0:
        return f.status
    status = _load(p, fd, size, s, f)
    close_file(fd)
    f.stored = size
    return status if status != OK else decode_bytes(&p.codec, s.encoded, size, s.chunk, p.chunk_nbytes, s, f)


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
