cimport cython
from libc.stdint cimport int64_t

from stretto cimport capi
from stretto.codecs.base cimport Codec, decode_value, encode_value
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cdef Py_ssize_t _LOWER, _UPPER, _LOWER_INC, _UPPER_INC, _ISEMPTY

cpdef make_range(lower, upper, bint lower_inc, bint upper_inc, bint empty)
cdef _fill(value, lower, upper, bint lower_inc, bint upper_inc, bint empty)
cpdef as_range(Codec codec, value)


cdef class RangeCodec(Codec):
    cdef public Codec element

    @cython.locals(flags=int)
    cpdef encode(self, WriteBuffer buf, value)
    cdef _write_bound(self, WriteBuffer buf, str which, value)
    @cython.locals(flags=int)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
    cdef _read_bound(self, ReadBuffer buf)


cdef class Multirange(Codec):
    cdef public Codec element

    @cython.locals(values=list)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(size=int64_t, _=int64_t, items=list)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
