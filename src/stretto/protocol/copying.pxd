cimport cython

from stretto.codecs.base cimport Codec, encode_value
from stretto.wire.buffer cimport WriteBuffer


@cython.locals(buf=WriteBuffer, place=Py_ssize_t, width=Py_ssize_t, number=Py_ssize_t)
cpdef bytes encode_rows(list rows, list codecs, Py_ssize_t first, bint header)

@cython.locals(i=Py_ssize_t, codec=Codec)
cpdef encode_row(WriteBuffer buf, row, list codecs, Py_ssize_t width, Py_ssize_t number)
