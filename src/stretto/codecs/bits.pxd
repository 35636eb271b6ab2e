cimport cython
from libc.stdint cimport int64_t

from stretto.codecs.base cimport Codec
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Bits(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(length=int64_t)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
