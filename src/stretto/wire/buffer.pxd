cimport cython
from libc.stdint cimport int64_t, uint64_t

from stretto cimport capi

cdef Py_ssize_t _MAX_MESSAGE, _SLICE_FROM
cdef double _FLOAT4_LIMIT
cdef int64_t _TWO32, _MAX31, _MIN31, _MAX32, _MAX63, _MIN63


@cython.final
cdef class ReadBuffer:
    cdef readonly bytes data
    cdef const unsigned char *_p
    cdef public Py_ssize_t pos
    cdef public Py_ssize_t end
    cdef public int depth

    cpdef int attach(self, bytes data, Py_ssize_t pos, Py_ssize_t end) except -1
    cpdef Py_ssize_t remaining(self) noexcept
    cpdef int require(self, Py_ssize_t count) except -1
    cpdef int read_uint8(self) except -1
    @cython.locals(p="const unsigned char *", pos=Py_ssize_t, value=int)
    cpdef int read_int16(self) except? -1
    @cython.locals(p="const unsigned char *", pos=Py_ssize_t, value=int)
    cpdef int read_uint16(self) except -1
    @cython.locals(p="const unsigned char *", pos=Py_ssize_t, high=int64_t, value=int64_t)
    cpdef int64_t read_int32(self) except? -1
    @cython.locals(p="const unsigned char *", pos=Py_ssize_t, high=int64_t, value=int64_t)
    cpdef int64_t read_uint32(self) except -1
    @cython.locals(high=int64_t, low=int64_t)
    cpdef int64_t read_int64(self) except? -1
    cpdef double read_float4(self) except? -1
    @cython.locals(high=uint64_t, low=uint64_t)
    cpdef double read_float8(self) except? -1
    @cython.locals(p="const unsigned char *", pos=Py_ssize_t)
    cpdef bytes read_bytes(self, Py_ssize_t count)
    @cython.locals(p="const unsigned char *", pos=Py_ssize_t)
    cpdef str read_text(self, Py_ssize_t count)
    @cython.locals(start=Py_ssize_t, stop=Py_ssize_t)
    cpdef bytes read_cstring(self)
    cpdef int skip(self, Py_ssize_t count) except -1


@cython.final
cdef class WriteBuffer:
    cdef bytearray _data
    cdef Py_ssize_t _capacity
    cdef readonly Py_ssize_t pos
    cdef public int depth

    @cython.locals(need=Py_ssize_t, more=Py_ssize_t)
    cdef int _reserve(self, Py_ssize_t count) except -1
    @cython.locals(data="unsigned char *")
    cpdef int write_uint8(self, int64_t value) except -1
    cpdef int write_int16(self, int64_t value) except -1
    @cython.locals(data="unsigned char *", pos=Py_ssize_t)
    cpdef int write_uint16(self, int64_t value) except -1
    cpdef int write_int32(self, int64_t value) except -1
    cpdef int write_uint32(self, int64_t value) except -1
    @cython.locals(data="unsigned char *")
    cdef void _put_uint32(self, Py_ssize_t pos, int64_t value) noexcept
    cdef int _write_two(self, int64_t high, int64_t low) except -1
    cpdef int write_int64(self, int64_t value) except -1
    @cython.locals(bits=uint64_t)
    cpdef int write_float4(self, double value) except -1
    @cython.locals(bits=uint64_t)
    cpdef int write_float8(self, double value) except -1
    @cython.locals(data="unsigned char *", source="const unsigned char *", pos=Py_ssize_t, count=Py_ssize_t, i=Py_ssize_t)
    cpdef int write_bytes(self, bytes value) except -1
    @cython.locals(target="unsigned char *", source="const unsigned char *", pos=Py_ssize_t, count=Py_ssize_t, i=Py_ssize_t)
    cpdef int write_slice(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
    @cython.locals(count=Py_ssize_t)
    cpdef bint write_ascii(self, str value) except -1
    cpdef int write_cstring(self, bytes value) except -1
    cpdef Py_ssize_t begin_length(self) except -1
    cpdef int end_length(self, Py_ssize_t place) except -1
    cpdef int end_message(self, Py_ssize_t place) except -1
    cdef int _fill_length(self, Py_ssize_t place, Py_ssize_t count) except -1
    cpdef int truncate(self, Py_ssize_t pos) except -1
    @cython.locals(data="unsigned char *")
    cpdef bytes getvalue(self)
