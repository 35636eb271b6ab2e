from stretto.wire.buffer cimport WriteBuffer


cpdef Py_ssize_t begin_bind(WriteBuffer buf, bytes head) except -1
cpdef int end_bind(WriteBuffer buf, Py_ssize_t place, bytes tail) except -1
cdef Py_ssize_t _begin(WriteBuffer buf, int tag) except -1
