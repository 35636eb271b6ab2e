from stretto cimport capi
from stretto.codecs.base cimport Codec
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cdef object _UUID, _unknown
cdef Py_ssize_t _int, _is_safe


cdef class Uuid(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
