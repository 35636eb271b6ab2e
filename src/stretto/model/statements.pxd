cimport cython


@cython.final
cdef class Compiled:
    cdef readonly str sql
    cdef readonly list order
    cdef readonly object into


@cython.locals(values=list, found=Compiled)
cpdef tuple statement_of(object query)
