cimport cython
from libc.stdint cimport int64_t

from stretto.codecs.base cimport Codec, decode_value
from stretto.codecs.composite cimport skip_value
from stretto.codecs.makers cimport Maker
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Nested(Codec):
    cdef public Py_ssize_t width
    cdef public dict inner
    cdef public object lookup
    cdef public object plan
    cdef public dict seen
    cdef public list oids
    cdef public list codecs
    cdef public Maker maker

    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(start=Py_ssize_t, key=bytes)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
    @cython.locals(width=Py_ssize_t, size=int64_t, i=Py_ssize_t, expected=int64_t, values=list, codecs=list, oids=list)
    cdef _decode(self, ReadBuffer buf, Py_ssize_t count)
    @cython.locals(codec=Codec)
    cdef _learn(self, ReadBuffer buf)
