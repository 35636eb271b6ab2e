cimport cython
from libc.stdint cimport int64_t

from stretto.codecs.base cimport Codec
from stretto.codecs.makers cimport Maker
from stretto.wire.buffer cimport ReadBuffer


@cython.locals(i=Py_ssize_t, width=Py_ssize_t, stop=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, values=list, buf=ReadBuffer)
cpdef decode_rows(list slices, list codecs, Maker maker, list out)

@cython.locals(column=Py_ssize_t, count=int64_t, after=Py_ssize_t, codec=Codec)
cdef int _decode_row(ReadBuffer buf, list codecs, Py_ssize_t width, list values) except -1
