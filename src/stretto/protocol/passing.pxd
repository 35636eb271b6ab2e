cimport cython

from stretto.wire.buffer cimport WriteBuffer


@cython.locals(buf=WriteBuffer, i=Py_ssize_t, end=Py_ssize_t)
cpdef bytes join_slices(list slices, Py_ssize_t size)
