cimport cython

from stretto cimport capi
from stretto.codecs.makers cimport Maker


cdef class ModelMaker(Maker):
    cdef readonly object cls
    cdef readonly list members
    cdef readonly object origin
    cdef bint slotted
    cdef list slots
    cdef Py_ssize_t origin_slot
    cdef Py_ssize_t loaded_slot
    cdef Py_ssize_t count

    @cython.locals(i=Py_ssize_t, slot=Py_ssize_t)
    cpdef make(self, list values)


cdef class GraphMaker(ModelMaker):
    cdef list relation_slots
    cdef list many

    @cython.locals(i=Py_ssize_t, slot=Py_ssize_t, count=Py_ssize_t, columns=list)
    cpdef make(self, list values)


cdef class RootMaker(Maker):
    cdef Maker inner
    cdef list codecs

    cpdef list columns(self, list codecs)
    cpdef make(self, list values)
