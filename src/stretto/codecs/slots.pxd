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
