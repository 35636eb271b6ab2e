cimport cython
from libc.stdint cimport int64_t

from stretto.codecs.base cimport Codec
from stretto.codecs.checks cimport bounded, unsigned64
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class UInt4(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Reg(UInt4):
    cpdef encode(self, WriteBuffer buf, value)


cdef class UInt8(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Tid(Codec):
    @cython.locals(block=int64_t, offset=int64_t)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(block=int64_t)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Lsn(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(high=object)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class SnapshotCodec(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(size=int64_t, xmin=int64_t, xmax=int64_t)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Void(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


# high and low are Python's ints: shifted by 32 an int64 would wrap
@cython.locals(high=object, low=object)
cdef read_uint64(ReadBuffer buf)
cdef write_uint64(WriteBuffer buf, value)
