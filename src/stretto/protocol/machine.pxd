cimport cython
from libc.stdint cimport int64_t

from stretto.protocol.request cimport Request
from stretto.wire.buffer cimport ReadBuffer, WriteBuffer

cdef bytes _TABLE
cdef int _ILLEGAL
cdef int _SESSION
cdef int _CONTROL
cdef int _ADVANCE
cdef int _COPY_END
cdef int _EXHAUSTED
cdef int _SYNC
cdef int _QUERY
cdef int _EXECUTE
cdef int _PARSE
cdef int _PARAMETERS
cdef int _COLUMNS
cdef set _SESSION_TAGS


@cython.final
cdef class Machine:
    cdef readonly dict parameters
    cdef readonly str status
    cdef readonly object inflight
    cdef readonly list finished
    cdef readonly object notices
    cdef readonly object notifications
    cdef public Py_ssize_t dropped
    cdef readonly bytes tag
    cdef readonly dict prepared
    cdef public bint closed
    cdef public bint shared
    cdef public bint changed
    cdef public bytes farewell
    cdef readonly bint going
    cdef public int pid
    cdef double _now
    cdef double _last_sent
    cdef Request _head
    cdef Request _open
    cdef Py_ssize_t _statements
    cdef list _outgoing
    cdef list _unsent
    cdef bytearray _partial
    cdef Py_ssize_t _need
    cdef ReadBuffer _buf

    @cython.locals(last=int)
    cpdef bint submit(self, Request request) except -1
    cpdef bint withdraw(self, Request request) except -1
    cdef bint _controlled(self)
    cdef _end_open(self, Request request)
    cdef _prepare(self, Request request, dict wanted)
    cpdef extend(self, Request request)
    cpdef write(self, bytes data)
    cpdef bint pending(self) noexcept
    @cython.locals(outgoing=list, request=Request)
    cpdef bytes data_to_send(self, double now=*)
    @cython.locals(request=Request)
    cpdef written(self, double now)
    cpdef bint idle(self) noexcept
    cpdef Py_ssize_t depth(self) except -1
    @cython.locals(request=Request)
    cpdef bint forsaken(self) except -1
    cpdef list due(self)
    cpdef Request head(self)
    @cython.locals(buf=ReadBuffer, end=Py_ssize_t, rows_from=Py_ssize_t, start=Py_ssize_t, stop=Py_ssize_t, kind=int, length=int64_t)
    cpdef receive_data(self, bytes data, double now=*)
    @cython.locals(buf=ReadBuffer)
    cdef _keep(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(request=Request)
    cdef bint _rows_allowed(self) except -1
    @cython.locals(request=Request)
    cdef _rows(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(request=Request, then=int)
    cdef _message(self, int kind, Py_ssize_t length)
    @cython.locals(buf=ReadBuffer)
    cdef _store(self, Request request, int kind, Py_ssize_t length)
    @cython.locals(step=Py_ssize_t)
    cdef _advance(self, Request request)
    cdef _complete(self, Request request)
    @cython.locals(one=Request)
    cdef _compare(self, Request request)
    cdef _parsed(self, Request request)
    cdef _doubt(self, object statement)
    cdef _copy(self, Request request, int kind)
    @cython.locals(last=Py_ssize_t)
    cdef _error(self, Request request, bytes body)
    cdef _unprepare(self, Request request)
    @cython.locals(status=int)
    cdef _ready(self, Request request, Py_ssize_t length)
    cdef _asynchronous(self, int kind, Py_ssize_t length)
    @cython.locals(request=Request)
    cdef _notice(self, bytes body)
    cpdef list lost(self)
