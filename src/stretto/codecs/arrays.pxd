cimport cython
from libc.stdint cimport int64_t

from stretto.codecs.base cimport Codec, decode_value, encode_value
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Array(Codec):
    cdef public Codec element
    cdef public int64_t element_oid
    cdef public tuple nests
    cdef public int lower

    @cython.locals(sizes=list, start=Py_ssize_t)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(element=Codec, i=Py_ssize_t)
    cdef _write_level(self, WriteBuffer buf, values, list sizes, Py_ssize_t level)
    @cython.locals(stop=Py_ssize_t, dimensions=int64_t, oid=int64_t, element=Codec, sizes=list)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
    cpdef Codec element_of(self, int64_t oid)
    @cython.locals(sizes=list, total=int64_t, room=int64_t, size=int64_t)
    cdef list _read_sizes(self, ReadBuffer buf, int64_t dimensions, Py_ssize_t stop)
    @cython.locals(items=list, size=Py_ssize_t, _=Py_ssize_t)
    cdef list _read_level(self, ReadBuffer buf, Codec element, list sizes, Py_ssize_t level)


cdef class AnyArray(Array):
    cdef public object lookup
