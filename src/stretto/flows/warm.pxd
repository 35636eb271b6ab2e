cimport cython

from stretto.protocol.request cimport Request
from stretto.protocol.rows cimport decode_rows
from stretto.protocol.statement cimport Statement


@cython.final
cdef class Fetch:
    cdef object _shared
    cdef object _sql
    cdef tuple _args
    cdef object _into
    cdef object _finish
    cdef object _maker_for
    cdef object _cold
    cdef Statement _statement
    cdef object _maker
    cdef object _rest
    cdef readonly object result

    @cython.locals(request=Request)
    cpdef Request send(self, Request value)
    @cython.locals(rows=list, statement=Statement)
    cpdef Request step(self, Request value)
    @cython.locals(statement=Statement, request=Request)
    cdef Request _begin(self)
    cdef Request _go_on(self, object begun)
    cpdef Request throw(self, object error)
    cpdef close(self)
