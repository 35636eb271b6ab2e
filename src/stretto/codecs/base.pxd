cimport cython
from libc.stdint cimport int64_t

from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Codec:
    cdef public str name
    cdef public object oid
    cdef public int format

    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


@cython.locals(place=Py_ssize_t)
cpdef encode_value(Codec codec, WriteBuffer buf, value)
@cython.locals(count=int64_t, stop=Py_ssize_t)
cpdef decode_value(Codec codec, ReadBuffer buf)
