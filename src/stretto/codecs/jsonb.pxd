cimport cython

from stretto.codecs.base cimport Codec
from stretto.codecs.checks cimport utf8
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cpdef finite(text)


cdef class Json(Codec):
    cdef readonly object dumps
    cdef readonly object loads

    cpdef encode(self, WriteBuffer buf, value)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
    cdef _load(self, str text)
    cdef bytes _dump(self, value)


cdef class Jsonb(Json):
    @cython.locals(data=bytes)
    cpdef encode(self, WriteBuffer buf, value)
    @cython.locals(version=int)
    cpdef decode(self, ReadBuffer buf, Py_ssize_t count)
