"""Memory of large results."""

cimport numpy as cnp

cdef cnp.ndarray empty(int ndim, const cnp.npy_intp* shape, cnp.dtype dtype, bint fortran)
