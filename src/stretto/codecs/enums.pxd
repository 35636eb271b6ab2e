from stretto.codecs.base cimport Codec
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Text(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Enum(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
