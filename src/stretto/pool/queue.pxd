cimport cython


@cython.final
cdef class Queue:
    cdef object _places
    cdef set _left

    cpdef list front(self, Py_ssize_t places)
    cpdef append(self, object one)
    cpdef first(self)
    cpdef popleft(self)
    cpdef leave(self, object one)
    cdef _drop(self)
