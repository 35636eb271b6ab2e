cimport cython


cpdef object key_of(object node, list values)
cpdef tuple keys_of(object nodes, list values)
cdef object _plain(object value)
@cython.locals(operands=tuple)
cpdef object _condition(object node, list values)
