cimport cython

from stretto.codecs.base cimport Codec
from stretto.codecs.checks cimport check_size, utf8
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Text(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class TextCodec(Text):
    pass


cdef class VersionedText(Codec):
    @cython.locals(data=bytes)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(version=int)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Char(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(byte=int)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Bytea(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
