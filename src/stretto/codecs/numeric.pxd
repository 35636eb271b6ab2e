from stretto.codecs.base cimport Codec
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Int4(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
