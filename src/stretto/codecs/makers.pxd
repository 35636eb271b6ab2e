cimport cython

from stretto cimport capi


cdef class Maker:
    cpdef make(self, list values)


@cython.final
cdef class Column:
    cdef readonly str name
    cdef readonly object index


cdef class TupleMaker(Maker):
    cpdef make(self, list values)


cdef class RowMaker(Maker):
    cdef object cls

    cpdef make(self, list values)


cdef class DictMaker(Maker):
    cdef list names

    @cython.locals(row=dict, i=Py_ssize_t)
    cpdef make(self, list values)


cdef class AnyMaker(Maker):
    cpdef make(self, list values)


cdef class ScalarMaker(Maker):
    cdef object cls
    cdef str column
    cdef str type_name

    cpdef make(self, list values)


cdef class SlotsMaker(Maker):
    cdef object cls
    cdef list slots
    cdef list constants
    cdef list factories
    cdef Py_ssize_t count
    cdef bint complete
    cdef bint untracked

    @cython.locals(i=Py_ssize_t, slot=Py_ssize_t)
    cpdef make(self, list values)
    @cython.locals(slot=Py_ssize_t, pair=tuple)
    cdef _complete(self, obj)


cdef class ModelMaker(Maker):
    cdef readonly object cls
    cdef readonly list members
    cdef readonly object origin
    cdef list slots
    cdef Py_ssize_t origin_slot
    cdef Py_ssize_t loaded_slot
    cdef Py_ssize_t count

    @cython.locals(i=Py_ssize_t, slot=Py_ssize_t)
    cpdef make(self, list values)


cdef class AttributeMaker(Maker):
    cdef object cls
    cdef list names
    cdef list constants
    cdef list factories

    @cython.locals(i=Py_ssize_t)
    cpdef make(self, list values)


cdef class CallMaker(Maker):
    cdef object cls

    cpdef make(self, list values)


cdef class KeywordMaker(Maker):
    cdef object cls
    cdef list names

    cpdef make(self, list values)


cdef class ValidateMaker(Maker):
    cdef object validate
    cdef list names

    cpdef make(self, list values)


cdef class ArrangedMaker(Maker):
    cdef readonly Maker inner
    cdef readonly list order
    cdef readonly list converters

    @cython.locals(i=Py_ssize_t, arranged=list)
    cpdef make(self, list values)


cdef class CompositeMaker(Maker):
    cdef readonly Maker inner

    cpdef make(self, list values)
