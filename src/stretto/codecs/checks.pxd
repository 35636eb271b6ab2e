cimport cython
from libc.stdint cimport int64_t

from stretto.codecs.base cimport Codec

cdef Py_ssize_t _MAX_MESSAGE

cpdef as_int(Codec codec, value)
@cython.locals(number=double)
cpdef double as_float(Codec codec, value) except? -1
@cython.locals(number=int64_t)
cpdef int64_t bounded(Codec codec, value, int64_t low, int64_t high) except? -1
cpdef unsigned64(Codec codec, value)
@cython.locals(data=bytes)
cpdef bytes utf8(Codec codec, value)
cpdef int check_size(Py_ssize_t count) except -1
