cimport cython

from stretto.codecs.base cimport Codec, encode_value
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cdef int _SEQUENCES, _MAPPINGS, _OBJECTS


cdef class RowPlan:
    cdef public list columns, codecs, names, absent, writers
    cdef public int kind


@cython.locals(buf=WriteBuffer, place=Py_ssize_t, number=Py_ssize_t)
cpdef bytes encode_rows(list rows, RowPlan plan, Py_ssize_t first)

@cython.locals(buf=WriteBuffer)
cpdef bytes encode_alone(row, RowPlan plan, Py_ssize_t number)

@cython.locals(i=Py_ssize_t, width=Py_ssize_t, codecs=list, writers=list, codec=Codec)
cpdef encode_row(WriteBuffer buf, row, RowPlan plan, Py_ssize_t number)

@cython.locals(
    i=Py_ssize_t, width=Py_ssize_t, kind=int, codecs=list, names=list, writers=list, codec=Codec, picking=bint
)
cpdef encode_named(WriteBuffer buf, row, RowPlan plan, Py_ssize_t number)

@cython.locals(buf=ReadBuffer, count=Py_ssize_t, end=Py_ssize_t, fields=int, size=cython.longlong)
cpdef tuple whole_rows(bytes data, Py_ssize_t start, Py_ssize_t most=*)


@cython.final
cdef class Walk:
    cdef readonly Py_ssize_t count
    cdef readonly bint within
    cdef bint _over
    cdef bytes _rest
    cdef int _fields
    cdef Py_ssize_t _skip

    @cython.locals(
        buf=ReadBuffer, fields=int, skip=Py_ssize_t, count=Py_ssize_t, left=Py_ssize_t, size=cython.longlong
    )
    cpdef take(self, bytes data)
    @cython.locals(size=Py_ssize_t)
    cdef bint _begin(self, ReadBuffer buf) except -1
