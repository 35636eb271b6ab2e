cimport cython

from stretto cimport capi


@cython.final
cdef class Key:
    cdef list slots
    cdef bint single

    @cython.locals(slot=Py_ssize_t, i=Py_ssize_t, values=list)
    cpdef of(self, obj)


@cython.locals(place=Py_ssize_t, by_key=dict, twins=set, several=bint)
cpdef bint attach_one(list parents, Key local, list targets, Key remote, member)
@cython.locals(by_key=dict, found=list)
cpdef attach_many(list parents, Key local, list children, Key remote, member)
@cython.locals(by_key=dict, by_target=dict, found=list)
cpdef attach_through(list parents, Key local, list pairs, Py_ssize_t width, list targets, Key remote, member)
@cython.locals(place=Py_ssize_t, by_key=dict, found=list)
cdef dict _lists(list parents, Key local, member)
