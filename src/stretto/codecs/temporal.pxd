cimport cython
from libc.stdint cimport int64_t, uint64_t

from stretto cimport capi
from stretto.codecs.base cimport Codec
from stretto.codecs.checks cimport bounded
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cdef object _UTC
cdef int64_t _DAY, _EPOCH, _FIRST_DAY, _LAST_DAY, _MIN32, _MAX32, _MIN64, _MAX64, _MAX_DELTA


cdef class Temporal(Codec):
    cdef readonly str infinity

    cdef _endless(self, int64_t sign)


cdef class Date(Temporal):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(days=int64_t, packed="unsigned int")
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Timestamp(Temporal):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
    # since: not negative, for micros is at least year 1
    @cython.locals(since=uint64_t, whole=uint64_t, days=uint64_t, seconds="unsigned int", minutes="unsigned int", packed="unsigned int")
    cdef _moment(self, int64_t micros, tz)


cdef class Timestamptz(Timestamp):
    @cython.locals(micros=int64_t)
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Time(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
    @cython.locals(seconds=int64_t, minutes=int64_t)
    cdef _clock(self, int64_t micros, tz)


cdef class Timetz(Time):
    @cython.locals(micros=int64_t)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(micros=int64_t, west=int64_t)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class IntervalCodec(Temporal):
    cdef readonly bint exact

    @cython.locals(micros=int64_t, days=int64_t, months=int64_t)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(micros=int64_t, days=int64_t)
    cdef _encode_delta(self, WriteBuffer buf, value)
    @cython.locals(micros=int64_t, days=int64_t, months=int64_t, whole=int64_t, total=int64_t, rest=int64_t, seconds=int64_t)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef bint is_endless(int64_t micros, int64_t days, int64_t months) noexcept
cdef int write_interval(WriteBuffer buf, int64_t micros, int64_t days, int64_t months) except -1
@cython.locals(cycle="unsigned int", day="unsigned int", year="unsigned int", month="unsigned int")
cdef unsigned int civil(uint64_t days) noexcept
@cython.locals(year=int64_t, month=int64_t)
cdef int64_t days_of(value) noexcept
cdef int64_t micros_of(value) noexcept
cdef int64_t offset_of(offset) noexcept
