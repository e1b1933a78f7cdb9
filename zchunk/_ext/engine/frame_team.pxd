"""Frames that several threads encode together."""

from libc.stdint cimport int64_t

from zchunk._ext.memory.scratch cimport Scratch
from zchunk._ext.engine.plan cimport Plan
from zchunk._ext.memory.status cimport Failure

cdef struct Team

cdef Team* make_team(const Plan* p, int threads) noexcept nogil
cdef void free_team(Team* team) noexcept nogil
cdef int64_t team_blocks(const Team* team) noexcept nogil
cdef int team_block(Team* team, const Plan* p, int64_t k, int64_t b, Scratch* s, Failure* f) noexcept nogil
