from stretto.codecs.text cimport Text
from stretto.wire.buffer cimport WriteBuffer


cdef class Enum(Text):
    cpdef encode(self, WriteBuffer buf, value)
