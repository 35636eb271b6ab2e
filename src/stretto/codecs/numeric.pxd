cimport cython
from libc.stdint cimport int64_t

from stretto cimport capi
from stretto.codecs.base cimport Codec
from stretto.codecs.checks cimport as_float, as_int, bounded
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cdef int64_t _MIN64, _MAX64
cdef int64_t _POSITIVE, _NEGATIVE, _NAN, _INFINITE, _MINUS_INFINITE
cdef tuple _POWERS
cdef object _Decimal


cdef class Bool(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Int2(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Int4(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Int8(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Float4(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Float8(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Numeric(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    # mantissa: at most 16 digits, or 15 and a point, then 3 zeros: below 2**63
    @cython.locals(size=int64_t, mantissa=int64_t, scale=int64_t, negative=bint, i=Py_ssize_t, character=Py_UCS4, groups=int64_t, unit=int64_t, count=int64_t, digit=int64_t)
    cdef bint _encode_short(self, WriteBuffer buf, str text) except -1
    cdef _encode_long(self, WriteBuffer buf, value)
    @cython.locals(size=int64_t, scale=int64_t, whole=int64_t, weight=int64_t, lead=int64_t, i=int64_t, group=int64_t, left=int64_t)
    cdef _encode_digits(self, WriteBuffer buf, sign, tuple digits, exponent)
    # mantissa: less than 10**16 as it is read, 10**18 as it is scaled, by the guard on size and shift
    @cython.locals(size=int64_t, weight=int64_t, sign=int64_t, scale=int64_t, shift=int64_t, mantissa=int64_t, unit=int64_t)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
    @cython.locals(groups=list, text=str)
    cdef _decode_long(self, ReadBuffer buf, int64_t size, int64_t sign, int64_t scale, int64_t shift)
    @cython.locals(digit=int64_t)
    cdef int64_t _digit(self, ReadBuffer buf) except -1


cdef write_header(WriteBuffer buf, int64_t size, int64_t weight, int64_t sign, int64_t scale)
