cimport cython
from libc.stdint cimport int64_t

from stretto.codecs.base cimport Codec, decode_value, encode_value
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Composite(Codec):
    cdef public list names
    cdef public list codecs
    cdef public list oids
    cdef public object maker

    cpdef fill(self, names, codecs, oids=*)
    @cython.locals(i=Py_ssize_t, codecs=list, oids=list)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(size=int64_t, i=int64_t, expected=int64_t, values=list, codecs=list, oids=list)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Record(Codec):
    cdef public dict known
    cdef public object lookup
    cdef public object maker

    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(size=int64_t, _=int64_t, values=list, known=dict, oid=object, codec=Codec)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


@cython.locals(count=int64_t)
cpdef skip_value(ReadBuffer buf)
