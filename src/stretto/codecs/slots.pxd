cimport cython

from stretto cimport capi


cdef class Slots:
    cdef readonly object cls
    cdef readonly object unset
    cdef list slots

    @cython.locals(found=list, slot=Py_ssize_t)
    cpdef list values(self, obj)
    cpdef bint complete(self, obj)
    cpdef bint are_set(self, list values)
    cpdef check(self, obj)
    @cython.locals(found=list, place=Py_ssize_t)
    cpdef tuple given(self, list values, list made)
    @cython.locals(found=list, place=Py_ssize_t)
    cpdef tuple pick(self, list values, tuple places)
    @cython.locals(i=Py_ssize_t, place=Py_ssize_t, slot=Py_ssize_t)
    cpdef fill(self, obj, list values, tuple places, row)
