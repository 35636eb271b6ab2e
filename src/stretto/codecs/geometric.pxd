cimport cython
from libc.stdint cimport int64_t

from stretto cimport capi
from stretto.codecs.base cimport Codec
from stretto.codecs.checks cimport as_float
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cdef object _Point, _Circle


cdef class PointCodec(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class TwoPoints(Codec):
    cdef readonly object cls

    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class LineCodec(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(a=double, b=double)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class CircleCodec(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class PathCodec(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(closed=int)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class PolygonCodec(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef read_point(ReadBuffer buf)
cdef write_point(Codec codec, WriteBuffer buf, value)
@cython.locals(size=int64_t)
cdef list read_points(Codec codec, ReadBuffer buf, Py_ssize_t count)
cdef write_points(Codec codec, WriteBuffer buf, points)
