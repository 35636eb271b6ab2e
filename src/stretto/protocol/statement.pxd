cimport cython

from stretto.codecs.base cimport Codec, encode_value
from stretto.protocol.request cimport Request
from stretto.wire cimport frontend
from stretto.wire.buffer cimport WriteBuffer

cdef bytes _EXECUTE_SYNC
cdef bytes _EXECUTE


@cython.final
cdef class Statement:
    cdef readonly str sql
    cdef readonly bytes name
    cdef readonly bytes parse
    cdef readonly bytes parse_script
    cdef readonly tuple oids
    cdef readonly list parameters
    cdef readonly tuple columns
    cdef readonly list codecs
    cdef readonly dict makers
    cdef readonly object traits
    cdef readonly int kind
    cdef public double service
    cdef public double least
    cdef bytes _head
    cdef bytes _tail

    @cython.locals(buf=WriteBuffer, request=Request)
    cpdef Request bind(self, tuple args)
    @cython.locals(buf=WriteBuffer)
    cpdef Request bind_portal(self, tuple args, int limit, bytes name)
    @cython.locals(count=Py_ssize_t, i=Py_ssize_t, place=Py_ssize_t, codec=Codec)
    cdef _bind(self, WriteBuffer buf, tuple args, Py_ssize_t row, bytes head=*)
