cimport cython

from stretto.pool.queue cimport Queue
from stretto.protocol.request cimport Request
from stretto.protocol.statement cimport Statement

cdef double _SLOW
cdef double _SAVED
cdef double _SEEN
cdef double _REST
cdef double _LEAST
cdef double _FALL
cdef double _RISE
cdef double _CREEP
cdef int _READ
cdef Py_ssize_t _DEPTH
cdef Py_ssize_t _BYTES
cdef Py_ssize_t _AHEAD


@cython.final
cdef class Lane:
    cdef readonly object link
    cdef public Py_ssize_t depth
    cdef public double load
    cdef public Py_ssize_t size
    cdef public double since
    cdef public bint fresh
    cdef public bint shut
    cdef public bint held
    cdef public bint retired
    cdef public bint rested
    cdef public double end
    cdef public object holder


@cython.final
cdef class Scheduler:
    cdef readonly Py_ssize_t size
    cdef readonly list lanes
    cdef public Py_ssize_t opening
    cdef readonly Queue waiting
    cdef public double base
    cdef public bint grow
    cdef public double wary
    cdef bint _packs
    cdef bint _rides
    cdef public double _wake
    cdef Py_ssize_t _queue
    cdef double _patience

    cpdef Lane place(self, Request request, double now)
    @cython.locals(request=Request)
    cpdef bint may_overtake(self, double now) except -1
    @cython.locals(cost=double, lane=Lane)
    cdef Lane _place(self, Request request, double now)
    @cython.locals(statement=Statement)
    cdef double _cost(self, Request request) except? -2.0
    @cython.locals(idle=Lane, best=Lane, lane=Lane, worth=double)
    cdef Lane _choose(self, bint read, double cost, double now)
    cdef _put(self, Lane lane, Request request, double cost, double now)
    cpdef Lane hold(self, double now)
    @cython.locals(lane=Lane)
    cdef Lane _hold(self, double now)
    cpdef enqueue(self, object waiter)
    @cython.locals(lane=Lane)
    cpdef tuple dispatch(self, double now)
    @cython.locals(room=Py_ssize_t, wanted=Py_ssize_t, shorts=Py_ssize_t)
    cpdef Py_ssize_t shortage(self) except -1
    @cython.locals(statement=Statement)
    cdef double _expected(self, Request request, double cost) except? -2.0
    cdef bint _is_short(self, Request request) except -1
    @cython.locals(count=Py_ssize_t, request=Request, last=Request, elapsed=double, each=double)
    cpdef bint answered(self, Lane lane, list requests, double now) except -1
    @cython.locals(base=double, first=Request)
    cdef _learn_base(self, list requests, double elapsed)
    @cython.locals(statement=Statement, known=double, least=double)
    cdef _learn(self, Request request, double seconds)
    cdef _rest(self, Lane lane)
    @cython.locals(lane=Lane)
    cpdef bint withdrawn(self, Request request, double now) except -1
    cpdef release(self, Lane lane, double now)
    cpdef Lane add(self, object link, double now)
    cpdef bint remove(self, Lane lane) except -1
    cpdef bint retire(self, Lane lane) except -1
