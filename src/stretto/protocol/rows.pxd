cimport cython

from stretto cimport capi
from stretto.codecs.base cimport Codec, decode_value
from stretto.codecs.makers cimport Maker
from stretto.wire.buffer cimport ReadBuffer


@cython.locals(i=Py_ssize_t, size=Py_ssize_t)
cpdef decode_rows(list slices, list codecs, Maker maker, list out)

@cython.locals(i=Py_ssize_t, width=Py_ssize_t, column=Py_ssize_t, stop=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, values=list, buf=ReadBuffer, codec=Codec)
cdef _decode_slices(list slices, list codecs, Maker maker, list out)
