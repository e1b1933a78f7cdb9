"""The drain loop: locate, fetch, decode, scatter (and back) for many chunks in one GIL release.

A `Job` is a regular selection of a chunked array in a local folder and the memory it is read into or written
from. Each thread that calls `Job.run` takes the next chunk by an atomic counter until none is left. The first
failure stops all; `Job.failure` tells it, and `zchunk.engine` raises. What each chunk costs does not depend
on how many there are: its place is computed from its number, never stored.

`zchunk.engine` also has the generic path, the definition of what happens here. This one skips work.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset
cimport numpy as cnp

from zchunk._ext.blosc cimport HEADER, Frame, block_nbytes, block_start, decode_block, parse_header
from zchunk._ext.chain cimport BLOSC_KIND, RAW_KIND, Spec, decode_bytes, encode_bytes, encoded_bound, parse_spec
from zchunk._ext.codecs cimport Scratch, release, reserve
from zchunk._ext.copy cimport MAX_NDIM, Block, coalesce, copy_block, copy_run, fill_block, is_fill
from zchunk._ext.files cimport MISSING, close_file, open_read, read_at, remove_file, write_file
from zchunk._ext.locks cimport hash_key, lock_stripe, unlock_stripe
from zchunk._ext.projection cimport Axis, Part, axis_init, axis_part
from zchunk._ext.status cimport CORRUPT, NO_MEMORY, OK, SYSTEM, TOO_LARGE, TRAILING, TRUNCATED, Failure, fail

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    static int64_t zc_take(int64_t *p) { return __atomic_fetch_add(p, 1, __ATOMIC_RELAXED); }
    static int64_t zc_get(int64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    /* True for the one caller that sets it. */
    static int zc_claim(int64_t *p) {
        int64_t zero = 0;
        return __atomic_compare_exchange_n(p, &zero, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    static int64_t zc_now_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    int64_t zc_take(int64_t* p)
    int64_t zc_get(int64_t* p)
    int zc_claim(int64_t* p)
    int64_t zc_now_ns()

cnp.import_array()

cdef enum:
    MAX_KEY = 1536
    # Below this a file is read whole: one large read beats a small one and another.
    SMALL_FILE = 131072
    # What a read call costs beside its bytes, expressed in bytes.
    READ_COST = 16384
    # With more blocks than this a frame is read whole: finding where a block ends looks at all of them.
    MAX_LAZY_BLOCKS = 16384
    # First read of a large Blosc file: header and, as a rule, the whole block table.
    HEAD = 4096


cdef struct Plan:
    int ndim
    Axis axes[MAX_NDIM]
    int64_t chunk_strides[MAX_NDIM]
    int memory_order[MAX_NDIM]      # axes from the slowest to the fastest in the chunk's memory
    char* user                      # the caller's array, one axis per axis of the chunked array
    int64_t user_strides[MAX_NDIM]
    size_t itemsize
    int64_t chunk_nbytes
    const char* fill                # one item
    Spec codec
    int folder                      # descriptor of the array's folder
    char separator
    bint writing
    bint write_empty
    int durability
    uint64_t lock_seed
    int64_t total
    # Shared among the threads.
    int64_t next
    int64_t stop
    int64_t claimed                 # set by the one thread that may write the next two
    int64_t failed
    Failure failure


cdef struct Region:
    # Where one chunk meets the selection: `block` has the user's strides in dst and the chunk's in src,
    # axes in the chunk's memory order.
    Block block
    char* user
    int64_t offset                  # of the first item, in the chunk
    bint full                       # the selection covers all of the chunk that lies in the array
    bint padded                     # part of the chunk lies beyond the array
    size_t key_size
    char key[MAX_KEY]


# ---- locate

cdef size_t _append_number(char* at, int64_t n) noexcept nogil:
    cdef char digits[20]
    cdef size_t size = 0, i
    while True:
        digits[size] = <char>(48 + n % 10)
        size += 1
        n //= 10
        if n == 0:
            break
    for i in range(size):
        at[i] = digits[size - 1 - i]
    return size


cdef size_t _chunk_key(const int64_t* coords, int ndim, char separator, char* key) noexcept nogil:
    cdef size_t n = 0
    cdef int i
    for i in range(ndim):
        if i:
            key[n] = separator
            n += 1
        n += _append_number(key + n, coords[i])
    if ndim == 0:
        key[0] = c"0"
        n = 1
    key[n] = 0
    return n


cdef void _locate(const Plan* p, int64_t k, Region* r) noexcept nogil:
    """Fill `r` for the k-th chunk, the last axis counting fastest."""
    cdef Part parts[MAX_NDIM]
    cdef int64_t coords[MAX_NDIM]
    cdef const Axis* axis
    cdef int64_t valid, j
    cdef int i, d
    r.user = p.user
    r.offset = 0
    r.full = True
    r.padded = False
    for d in range(p.ndim - 1, -1, -1):
        axis = &p.axes[d]
        j = k % axis.parts
        k //= axis.parts
        axis_part(axis, j, &parts[d])
        coords[d] = parts[d].chunk
        valid = axis.extent - parts[d].chunk * axis.chunk
        if valid < axis.chunk:
            r.padded = True
        else:
            valid = axis.chunk
        if parts[d].count != valid:
            r.full = False
        r.user += parts[d].outer * p.user_strides[d]
        r.offset += parts[d].inner * p.chunk_strides[d]
    r.block.ndim = p.ndim
    for i in range(p.ndim):
        d = p.memory_order[i]
        r.block.shape[i] = parts[d].count
        r.block.dst[i] = p.user_strides[d]
        r.block.src[i] = p.axes[d].step * p.chunk_strides[d]
    coalesce(&r.block)
    r.key_size = _chunk_key(coords, p.ndim, p.separator, r.key)


cdef inline bint _one_run(const Region* r, size_t itemsize) noexcept nogil:
    """Whether the region is contiguous both in the chunk and in the user's memory."""
    if r.block.ndim == 0:
        return True
    return (r.block.ndim == 1 and r.block.dst[0] == <int64_t>itemsize and r.block.src[0] == <int64_t>itemsize)


cdef inline int64_t _items(const Block* b) noexcept nogil:
    cdef int64_t n = 1
    cdef int i
    for i in range(b.ndim):
        n *= b.shape[i]
    return n


cdef inline int64_t _span(const Block* b, size_t itemsize) noexcept nogil:
    """Bytes from the region's first item in the chunk to the end of its last."""
    cdef int64_t n = itemsize
    cdef int i
    for i in range(b.ndim):
        n += (b.shape[i] - 1) * b.src[i]
    return n


cdef inline int64_t _rows(const Block* b) noexcept nogil:
    cdef int64_t n = 1
    cdef int i
    for i in range(b.ndim - 1):
        n *= b.shape[i]
    return n


cdef inline int64_t _row_span(const Block* b, size_t itemsize) noexcept nogil:
    if b.ndim == 0:
        return itemsize
    return (b.shape[b.ndim - 1] - 1) * b.src[b.ndim - 1] + itemsize


# ---- rows of a region, each from wherever the chunk's bytes are

cdef struct Cursor:
    # The rows of a region, in the order of the chunk's memory.
    const Block* block
    int64_t at[MAX_NDIM]
    char* user
    int64_t offset
    int64_t n
    int64_t user_stride
    int64_t chunk_stride


cdef void _first_row(Cursor* c, const Region* r, size_t itemsize) noexcept nogil:
    cdef int i, last = r.block.ndim - 1
    c.block = &r.block
    c.user = r.user
    c.offset = r.offset
    for i in range(last):
        c.at[i] = 0
    c.n, c.user_stride, c.chunk_stride = 1, itemsize, itemsize
    if last >= 0:
        c.n, c.user_stride, c.chunk_stride = r.block.shape[last], r.block.dst[last], r.block.src[last]


cdef bint _next_row(Cursor* c) noexcept nogil:
    cdef int i = c.block.ndim - 2
    while i >= 0:
        c.at[i] += 1
        c.user += c.block.dst[i]
        c.offset += c.block.src[i]
        if c.at[i] < c.block.shape[i]:
            return True
        c.user -= c.block.dst[i] * c.block.shape[i]
        c.offset -= c.block.src[i] * c.block.shape[i]
        c.at[i] = 0
        i -= 1
    return False


cdef int _read_rows(const Plan* p, const Region* r, int fd, Scratch* s, Failure* f) noexcept nogil:
    """Read an uncompressed chunk row by row."""
    cdef Cursor c
    cdef int64_t size
    _first_row(&c, r, p.itemsize)
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
        if not _next_row(&c):
            return OK


cdef int _read_raw(const Plan* p, const Region* r, int fd, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Read what the selection needs of an uncompressed chunk."""
    cdef int64_t span = _span(&r.block, p.itemsize), rows = _rows(&r.block)
    if size != p.chunk_nbytes:
        return fail(f, TRUNCATED if size < p.chunk_nbytes else TRAILING, size, p.chunk_nbytes)
    if _one_run(r, p.itemsize) or rows * (READ_COST + _row_span(&r.block, p.itemsize)) < span:
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


cdef int _fetch_block(
    const Frame* frame, const uint8_t* table, const uint8_t* data, int fd, int64_t b, uint8_t* dst, Scratch* s, Failure* f
) noexcept nogil:
    cdef int64_t start = block_start(frame, table, b), n
    if start < 0:
        return fail(f, CORRUPT, frame.cbytes, frame.nbytes)
    if data != NULL:
        return decode_block(frame, b, data + start, frame.cbytes - start, dst, s, f)
    n = block_nbytes(frame, b) if frame.raw else _block_end(frame, table, start) - start
    if reserve(&s.chunk, &s.chunk_size, n) == NULL:
        return fail(f, NO_MEMORY, n, 0)
    if read_at(fd, s.chunk, n, start, f) != OK:
        return f.status
    return decode_block(frame, b, s.chunk, n, dst, s, f)


cdef int _scatter_blocks(
    const Plan* p, const Region* r, const Frame* frame, const uint8_t* table, const uint8_t* data, int fd,
    Scratch* s, Failure* f,
) noexcept nogil:
    """Decode the blocks that the region touches, each once, and scatter from there.

    Rows come in the order of the chunk's memory, and no item straddles two blocks.
    """
    cdef Cursor c
    cdef int64_t low = 0, high = 0, b, i, n, at
    cdef bint contiguous
    _first_row(&c, r, p.itemsize)
    contiguous = c.user_stride == <int64_t>p.itemsize and c.chunk_stride == <int64_t>p.itemsize
    if reserve(&s.block, &s.block_size, frame.blocksize) == NULL:
        return fail(f, NO_MEMORY, frame.blocksize, 0)
    while True:
        i = 0
        while i < c.n:
            at = c.offset + i * c.chunk_stride
            if at >= high or at < low:
                b = at // frame.blocksize
                low = b * frame.blocksize
                high = low + block_nbytes(frame, b)
                if contiguous and at == low and (c.n - i) * c.chunk_stride >= high - low:
                    # The row swallows the block: decode it in place.
                    if _fetch_block(frame, table, data, fd, b, <uint8_t*>c.user + i * c.user_stride, s, f) != OK:
                        return f.status
                    i += (high - low) // <int64_t>p.itemsize
                    high = low
                    continue
                if _fetch_block(frame, table, data, fd, b, s.block, s, f) != OK:
                    return f.status
            n = (high - at + c.chunk_stride - 1) // c.chunk_stride
            if n > c.n - i:
                n = c.n - i
            copy_run(c.user + i * c.user_stride, c.user_stride, <char*>s.block + (at - low), c.chunk_stride, n, p.itemsize)
            i += n
        if not _next_row(&c):
            return OK


cdef int _decode_blosc(const Plan* p, const Region* r, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Decode what is needed of the frame in `s.encoded`."""
    cdef Frame frame
    if parse_header(s.encoded, size, p.chunk_nbytes, &frame, f) != OK:
        return f.status
    if frame.blocksize % p.itemsize and frame.nblocks > 1:
        return _decode_whole(p, r, size, s, f)
    return _scatter_blocks(p, r, &frame, s.encoded + HEADER, s.encoded, -1, s, f)


cdef int _read_blosc(const Plan* p, const Region* r, int fd, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Read a large frame: its header, then its blocks one by one if the selection needs few of them."""
    cdef Frame frame
    cdef int64_t head = HEAD, span = _span(&r.block, p.itemsize), needed
    if reserve(&s.encoded, &s.encoded_size, size) == NULL:
        return fail(f, NO_MEMORY, size, 0)
    if read_at(fd, s.encoded, head, 0, f) != OK or parse_header(s.encoded, size, p.chunk_nbytes, &frame, f) != OK:
        return f.status
    # Every row can touch one block more than it fills.
    needed = _rows(&r.block) * (_row_span(&r.block, p.itemsize) + frame.blocksize)
    if needed > span + frame.blocksize:
        needed = span + frame.blocksize
    if needed * 2 < p.chunk_nbytes and frame.nblocks <= MAX_LAZY_BLOCKS and frame.blocksize % p.itemsize == 0:
        if frame.table_end > head and read_at(fd, s.encoded + head, frame.table_end - head, head, f) != OK:
            return f.status
        return _scatter_blocks(p, r, &frame, s.encoded + HEADER, NULL, fd, s, f)
    if read_at(fd, s.encoded + head, size - head, head, f) != OK:
        return f.status
    return _decode_blosc(p, r, size, s, f)


# ---- read one chunk

cdef int _decode_whole(const Plan* p, const Region* r, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    """Decode the `size` bytes in `s.encoded`, straight to the user if the region is the chunk."""
    if _one_run(r, p.itemsize) and _items(&r.block) * <int64_t>p.itemsize == p.chunk_nbytes:
        return decode_bytes(&p.codec, s.encoded, size, <uint8_t*>r.user, p.chunk_nbytes, s, f)
    if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if decode_bytes(&p.codec, s.encoded, size, s.chunk, p.chunk_nbytes, s, f) != OK:
        return f.status
    copy_block(&r.block, r.user, <char*>s.chunk + r.offset, p.itemsize)
    return OK


cdef int _check_size(const Plan* p, int64_t size, Failure* f) noexcept nogil:
    """Refuse a file larger than any encoding of such a chunk, before memory is taken for it."""
    cdef int64_t limit = <int64_t>encoded_bound(&p.codec, p.chunk_nbytes)
    limit += limit // 2 + 65536
    return fail(f, TOO_LARGE, size, limit) if size > limit else OK


cdef int _read_file(const Plan* p, const Region* r, int fd, int64_t size, Scratch* s, Failure* f) noexcept nogil:
    if p.codec.kind == RAW_KIND:
        return _read_raw(p, r, fd, size, s, f)
    if _check_size(p, size, f) != OK:
        return f.status
    if p.codec.kind == BLOSC_KIND and size > SMALL_FILE:
        return _read_blosc(p, r, fd, size, s, f)
    if reserve(&s.encoded, &s.encoded_size, size) == NULL:
        return fail(f, NO_MEMORY, size, 0)
    if read_at(fd, s.encoded, size, 0, f) != OK:
        return f.status
    if p.codec.kind == BLOSC_KIND:
        return _decode_blosc(p, r, size, s, f)
    return _decode_whole(p, r, size, s, f)


cdef int _read_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    cdef int64_t size = 0
    cdef int fd = open_read(p.folder, r.key, &size, f), status
    if fd == MISSING:
        fill_block(&r.block, r.user, p.fill, p.itemsize)
        return OK
    if fd < 0:
        return f.status
    status = _read_file(p, r, fd, size, s, f)
    close_file(fd)
    return status


# ---- write one chunk

cdef int _load_chunk(const Plan* p, const Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Fill `s.chunk` with the stored chunk, or with the fill value if there is none."""
    cdef int64_t size = 0
    cdef Block b
    cdef int status, fd = open_read(p.folder, r.key, &size, f)
    if fd == MISSING:
        b.ndim = 1
        b.shape[0] = p.chunk_nbytes // <int64_t>p.itemsize
        b.dst[0] = p.itemsize
        fill_block(&b, <char*>s.chunk, p.fill, p.itemsize)
        return OK
    if fd < 0:
        return f.status
    status = _check_size(p, size, f)
    if status == OK and reserve(&s.encoded, &s.encoded_size, size) == NULL:
        status = fail(f, NO_MEMORY, size, 0)
    if status == OK:
        status = read_at(fd, s.encoded, size, 0, f)
    close_file(fd)
    if status == OK:
        status = decode_bytes(&p.codec, s.encoded, size, s.chunk, p.chunk_nbytes, s, f)
    return status


cdef int _store_chunk(const Plan* p, const Region* r, const uint8_t* chunk, Scratch* s, Failure* f) noexcept nogil:
    """Encode the chunk's bytes and replace its file, or remove it if nothing but fill values is left."""
    cdef int64_t got
    if not p.write_empty and is_fill(<const char*>chunk, p.chunk_nbytes, p.fill, p.itemsize):
        return remove_file(p.folder, r.key, f)
    if p.codec.kind == RAW_KIND:
        return write_file(p.folder, r.key, chunk, p.chunk_nbytes, p.durability, f)
    if reserve(&s.encoded, &s.encoded_size, encoded_bound(&p.codec, p.chunk_nbytes)) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    got = encode_bytes(&p.codec, chunk, p.chunk_nbytes, s.encoded, s)
    if got < 0:
        return fail(f, <int>-got, p.chunk_nbytes, encoded_bound(&p.codec, p.chunk_nbytes))
    return write_file(p.folder, r.key, s.encoded, got, p.durability, f)


cdef int _merge_chunk(const Plan* p, Region* r, Scratch* s, Failure* f) noexcept nogil:
    """Build the chunk's new bytes in `s.chunk` and store them."""
    cdef Block b = r.block, whole
    if reserve(&s.chunk, &s.chunk_size, p.chunk_nbytes) == NULL:
        return fail(f, NO_MEMORY, p.chunk_nbytes, 0)
    if not r.full:
        if _load_chunk(p, r, s, f) != OK:
            return f.status
    elif r.padded:
        whole.ndim = 1
        whole.shape[0] = p.chunk_nbytes // <int64_t>p.itemsize
        whole.dst[0] = p.itemsize
        fill_block(&whole, <char*>s.chunk, p.fill, p.itemsize)
    b.dst, b.src = r.block.src, r.block.dst
    copy_block(&b, <char*>s.chunk + r.offset, r.user, p.itemsize)
    return _store_chunk(p, r, s.chunk, s, f)


cdef int _write_chunk(const Plan* p, Region* r, Scratch* s, Failure* f) noexcept nogil:
    cdef uint64_t stripe = hash_key(p.lock_seed, r.key, r.key_size)
    cdef int status
    # A blind write takes the lock too: it must not fall between another's read and replace.
    lock_stripe(stripe)
    if r.full and not r.padded and _one_run(r, p.itemsize):
        status = _store_chunk(p, r, <const uint8_t*>r.user, s, f)
    else:
        status = _merge_chunk(p, r, s, f)
    unlock_stripe(stripe)
    return status


# ---- drain

cdef void _drain(Plan* p, int64_t budget_ns) noexcept nogil:
    cdef Scratch s
    cdef Region r
    cdef Failure f
    cdef int64_t k, until = 0
    cdef int status
    memset(&s, 0, sizeof(s))
    if budget_ns:
        until = zc_now_ns() + budget_ns
    while not zc_get(&p.stop):
        k = zc_take(&p.next)
        if k >= p.total:
            break
        _locate(p, k, &r)
        memset(&f, 0, sizeof(f))
        status = _write_chunk(p, &r, &s, &f) if p.writing else _read_chunk(p, &r, &s, &f)
        if status != OK:
            # Not by `stop`: a cancel must not hide what a thread still at work finds.
            if zc_claim(&p.claimed):
                p.failure = f
                p.failed = k
            zc_claim(&p.stop)
        if budget_ns and zc_now_ns() > until:
            break
    release(&s)


# ---- boundary

cdef class Job:
    """A regular selection of a chunked array in a local folder, to be read or written.

    Parameters
    ----------
    array : numpy.ndarray
        Read into or written from; one axis per axis of the chunked array, any strides.
    axes : sequence of tuple
        Per axis ``(start, step, count, chunk, extent)``, see `_ext.projection`.
    order : {"C", "F"}
        Memory order of a chunk.
    spec : tuple
        The codec, see `_ext.chain`.
    fill : bytes
        One item.
    folder : int
        Descriptor of the folder that the chunk keys are relative to. It must stay open while `run` runs.
    separator : str
        One character between coordinates.
    writing, write_empty : bool
        Direction; whether a chunk of nothing but fill values is stored.
    durability : int
        0 in place, 1 atomic, 2 atomic and synced.
    lock_seed : int
        Hash of store and array path; the key's stripe is `locks.Stripe(lock_seed, key)`.
    """

    cdef Plan plan
    cdef object _array
    cdef bytes _fill

    def __init__(self, cnp.ndarray array not None, axes, str order, spec, bytes fill not None, int folder,
                 str separator, *, bint writing=False, bint write_empty=True, int durability=1, uint64_t lock_seed=0):
        cdef Plan* p = &self.plan
        cdef int i, d, ndim = cnp.PyArray_NDIM(array)
        cdef Axis* a
        cdef int64_t stride
        if ndim != len(axes) or ndim > MAX_NDIM:
            raise ValueError(f"{len(axes)} axes for an array of {ndim} dimensions (at most {MAX_NDIM})")
        if cnp.PyArray_ITEMSIZE(array) != len(fill) or not fill:
            raise ValueError(f"the array has items of {cnp.PyArray_ITEMSIZE(array)} bytes, the fill value {len(fill)}")
        if not writing and not cnp.PyArray_ISWRITEABLE(array):
            raise ValueError("the array to read into is read-only")
        if order not in ("C", "F") or len(separator) != 1 or durability not in (0, 1, 2):
            raise ValueError(f"order={order!r}, separator={separator!r}, durability={durability}")
        self._array = array
        self._fill = fill
        parse_spec(spec, &p.codec)
        p.ndim = ndim
        p.user = <char*>cnp.PyArray_DATA(array)
        p.itemsize = len(fill)
        p.fill = self._fill
        p.folder = folder
        p.separator = <char>ord(separator)
        p.writing = writing
        p.write_empty = write_empty
        p.durability = durability
        p.lock_seed = lock_seed
        p.total = 1
        for d in range(ndim):
            a = &p.axes[d]
            a.start, a.step, a.count, a.chunk, a.extent = axes[d]
            if (a.start < 0 or a.step < 1 or a.chunk < 1 or a.count != cnp.PyArray_DIM(array, d)
                    or (a.count and a.start + (a.count - 1) * a.step >= a.extent)):
                raise ValueError(f"axis {d}: {axes[d]} does not fit shape {(<object>array).shape}")
            axis_init(a)
            p.user_strides[d] = cnp.PyArray_STRIDE(array, d)
            if a.parts and p.total > (<int64_t>1 << 62) // a.parts:
                raise ValueError(f"the selection touches more chunks than can be counted: {axes}")
            p.total *= a.parts
        stride = p.itemsize
        for i in range(ndim):
            d = i if order == "F" else ndim - 1 - i
            p.memory_order[ndim - 1 - i] = d
            p.chunk_strides[d] = stride
            stride *= p.axes[d].chunk
        p.chunk_nbytes = stride

    @property
    def total(self):
        """Number of chunks that the selection touches."""
        return self.plan.total

    def run(self, double seconds=0.0):
        """Work on chunks until none is left, or for about `seconds`. Return whether some may be left.

        Any number of threads may call this at once.
        """
        cdef int64_t budget = <int64_t>(seconds * 1e9)
        with nogil:
            _drain(&self.plan, budget)
        return self.plan.next < self.plan.total and not self.plan.stop

    def cancel(self):
        """Make every `run` return after the chunk it is at."""
        zc_claim(&self.plan.stop)

    def failure(self):
        """Return None, or ``(status, errno, found, expected, key)`` of the first chunk that failed.

        To be asked when every `run` has returned.
        """
        cdef Region r
        if self.plan.failure.status == OK:
            return None
        _locate(&self.plan, self.plan.failed, &r)
        return (self.plan.failure.status, self.plan.failure.err, self.plan.failure.found,
                self.plan.failure.expected, r.key[:r.key_size].decode())
