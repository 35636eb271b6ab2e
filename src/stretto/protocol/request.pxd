cimport cython


@cython.final
cdef class Request:
    cdef public bytes data
    cdef public bytes script
    cdef readonly bytes said
    cdef readonly object statement
    cdef public Py_ssize_t step
    cdef public int state
    cdef public bint done
    cdef public bint queued
    cdef public bint sent
    cdef public bint abandoned
    cdef public bint partial
    cdef public bint lasting
    cdef public bint suspended
    cdef public int allow_copy
    cdef public int copying
    cdef public list slices
    cdef public Py_ssize_t buffered
    cdef public bint consumed
    cdef public bytes tag
    cdef public list results
    cdef public bytes columns
    cdef public bytes parameters
    cdef public bytes copy_response
    cdef public bytes error
    cdef public object failure
    cdef public bytes forget
    cdef public list parsing
    cdef public dict described
    cdef public bint refused
    cdef public str text
    cdef public bytes before
    cdef public bytes before_script
    cdef public int before_due
    cdef public bint snapshot
    cdef public list undo
    cdef public bytes extra
    cdef public bytes extra_script
    cdef public bint hurry
    cdef public bint given_up
    cdef public int resent
    cdef public int status
    cdef public object waiter
    cdef public int kind
    cdef public str what
    cdef public double cost
    cdef public double placed
    cdef public object lane
    cdef public bint patient
    cdef public double called
    cdef public double taken
    cdef public double sent_at
    cdef public double due
    cdef public double began
    cdef public double heard
    cdef public double decoding
    cdef public int behind
    cdef public int pid
    cdef public list call

    cpdef bint ready(self) noexcept
    cpdef say(self, bytes data, bytes script)
    cpdef prepend(self, bytes script)
    cpdef lead(self)
    cpdef unlead(self)
    cpdef extend(self, bytes script)
    cpdef again(self)
    cpdef list take(self)
