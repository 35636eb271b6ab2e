cimport cython

from stretto.codecs.base cimport Codec
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer


cdef class Inet(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(family=int, prefix=int)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class Cidr(Codec):
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(family=int, prefix=int)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


cdef class MacAddress(Codec):
    cdef readonly int size

    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)


@cython.locals(size=int)
cdef bytes read_address(Codec codec, ReadBuffer buf, int family, int prefix, Py_ssize_t count)
cdef no_scope(Codec codec, address)
cdef write_address(Codec codec, WriteBuffer buf, address, int prefix, int is_cidr)
