"""ReadBuffer and WriteBuffer: the only arithmetic on bytes in the project.

Rules of this room. Every read is checked against ``end`` before a byte is touched: no length that a server sent is
trusted, and what goes wrong is a ``ProtocolError``. Every write checks the range of its value, so that nothing wraps.
Integers are big-endian two's complement (PostgreSQL manual, "Message Data Types"). The types are in ``buffer.pxd``:
operands are widened there before they are shifted.
"""

from __future__ import annotations

from stretto import capi
from stretto.errors import EncodeError, ProtocolError

# A message's length is an int4 on the wire, and the server takes none above 1 GB (PQ_LARGE_MESSAGE_LIMIT).
MAX_MESSAGE = 0x3FFFFFFF

# What rounds to infinity: the largest float4 and half a unit in its last place.
FLOAT4_LIMIT = 3.4028235677973366e38

# C constants (buffer.pxd): a number above 2**31 - 1 that is written in an expression is a Python object to Cython, and
# takes the arithmetic around it along.
_MAX_MESSAGE = MAX_MESSAGE
_FLOAT4_LIMIT = FLOAT4_LIMIT
_TWO32 = 0x100000000
_MAX31, _MIN31 = 0x7FFFFFFF, -0x80000000
_MAX32 = 0xFFFFFFFF
_MAX63 = 0x7FFFFFFFFFFFFFFF
_MIN63 = -_MAX63 - 1

_SLICE_FROM = 48  # from this length on a slice assignment beats a loop over the bytes


class ReadBuffer:
    """A cursor over ``data[pos:end]``. Reading past ``end`` raises ProtocolError and leaves ``pos`` where it was.

    ``depth`` counts the values that are being read inside each other; it is kept, and bounded, by their codecs.
    """

    def __init__(self, data: bytes, pos: int = 0, end: int = -1) -> None:
        self.depth = 0
        self.attach(data, pos, len(data) if end < 0 else end)

    def attach(self, data: bytes, pos: int, end: int) -> None:
        """Look at other bytes from now on."""
        if pos < 0 or end < pos or end > len(data):
            raise ProtocolError(f"no such range of {len(data)} bytes: {pos} to {end}")
        self.data = data
        self._p = data
        self.pos = pos
        self.end = end

    def remaining(self) -> int:
        """Count the bytes not read yet."""
        return self.end - self.pos

    def require(self, count: int) -> None:
        """Raise ProtocolError unless ``count`` more bytes are there."""
        if count < 0 or count > self.end - self.pos:
            raise ProtocolError(f"the server's message ends {count - (self.end - self.pos)} bytes too early")

    def read_uint8(self) -> int:
        self.require(1)
        value = self._p[self.pos]
        self.pos += 1
        return value

    def read_int16(self) -> int:
        self.require(2)
        p = self._p
        pos = self.pos
        value = p[pos] << 8 | p[pos + 1]
        self.pos = pos + 2
        return value - 0x10000 if value >= 0x8000 else value

    def read_uint16(self) -> int:
        self.require(2)
        p = self._p
        pos = self.pos
        value = p[pos] << 8 | p[pos + 1]
        self.pos = pos + 2
        return value

    def read_int32(self) -> int:
        self.require(4)
        p = self._p
        pos = self.pos
        high = p[pos]
        value = high << 24 | p[pos + 1] << 16 | p[pos + 2] << 8 | p[pos + 3]
        self.pos = pos + 4
        return value - _TWO32 if value > _MAX31 else value

    def read_uint32(self) -> int:
        self.require(4)
        p = self._p
        pos = self.pos
        high = p[pos]
        value = high << 24 | p[pos + 1] << 16 | p[pos + 2] << 8 | p[pos + 3]
        self.pos = pos + 4
        return value

    def read_int64(self) -> int:
        self.require(8)
        high = self.read_int32()
        low = self.read_uint32()
        return high * _TWO32 + low

    def read_float4(self) -> float:
        """Read a float4; the value is its exact float8."""
        return capi.float4_from_bits(self.read_uint32())

    def read_float8(self) -> float:
        high = self.read_uint32()
        low = self.read_uint32()
        return capi.float8_from_bits(high << 32 | low)

    def read_bytes(self, count: int) -> bytes:
        self.require(count)
        p = self._p
        pos = self.pos
        self.pos = pos + count
        return p[pos : pos + count]

    def read_text(self, count: int) -> str:
        """Read ``count`` bytes of UTF-8; what is not UTF-8 raises ProtocolError."""
        self.require(count)
        p = self._p
        pos = self.pos
        self.pos = pos + count
        try:
            return p[pos : pos + count].decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError(f"the server sent text that is not UTF-8: {error.reason}") from None

    def read_cstring(self) -> bytes:
        """Read up to a zero byte, which is consumed and not returned."""
        stop = self.data.find(b"\0", self.pos, self.end)
        if stop < 0:
            raise ProtocolError("the server sent a string without its terminating zero byte")
        start = self.pos
        self.pos = stop + 1
        return self.data[start:stop]

    def skip(self, count: int) -> None:
        self.require(count)
        self.pos += count


class WriteBuffer:
    """A growing run of bytes. A value out of its type's range raises EncodeError before anything is written.

    ``depth`` counts the values that are being written inside each other; it is kept, and bounded, by their codecs.
    """

    def __init__(self, capacity: int = 256) -> None:
        if capacity > _MAX_MESSAGE:
            raise EncodeError("a message of 1 GB or more cannot be sent: split the value")
        self._data = bytearray(capacity)
        self._capacity = capacity
        self.pos = 0
        self.depth = 0

    def _reserve(self, count: int) -> None:
        need = self.pos + count
        if need > self._capacity:
            if need > _MAX_MESSAGE:
                raise EncodeError("a message of 1 GB or more cannot be sent: split the value, or use COPY")
            more = max(need, 2 * self._capacity) - self._capacity
            self._data.extend(bytes(more))
            self._capacity += more

    def write_uint8(self, value: int) -> None:
        if value < 0 or value > 0xFF:
            raise EncodeError("the value is out of range for a byte")
        self._reserve(1)
        data = self._data
        data[self.pos] = value
        self.pos += 1

    def write_int16(self, value: int) -> None:
        if value < -0x8000 or value > 0x7FFF:
            raise EncodeError("the value is out of range for int2")
        self.write_uint16(value & 0xFFFF)

    def write_uint16(self, value: int) -> None:
        if value < 0 or value > 0xFFFF:
            raise EncodeError("the value is out of range for a 16-bit count")
        self._reserve(2)
        data = self._data
        pos = self.pos
        data[pos] = value >> 8 & 0xFF
        data[pos + 1] = value & 0xFF
        self.pos = pos + 2

    def write_int32(self, value: int) -> None:
        if value < _MIN31 or value > _MAX31:
            raise EncodeError("the value is out of range for int4")
        self.write_uint32(value & _MAX32)

    def write_uint32(self, value: int) -> None:
        if value < 0 or value > _MAX32:
            raise EncodeError("the value is out of range for a 32-bit number")
        self._reserve(4)
        self._put_uint32(self.pos, value)
        self.pos += 4

    def _put_uint32(self, pos: int, value: int) -> None:
        data = self._data
        data[pos] = value >> 24 & 0xFF
        data[pos + 1] = value >> 16 & 0xFF
        data[pos + 2] = value >> 8 & 0xFF
        data[pos + 3] = value & 0xFF

    def write_int64(self, value: int) -> None:
        if value < _MIN63 or value > _MAX63:
            raise EncodeError("the value is out of range for int8")
        self._write_two(value >> 32 & _MAX32, value & _MAX32)

    def _write_two(self, high: int, low: int) -> None:
        self._reserve(8)
        self._put_uint32(self.pos, high)
        self._put_uint32(self.pos + 4, low)
        self.pos += 8

    def write_float4(self, value: float) -> None:
        if value - value == 0 and (value >= _FLOAT4_LIMIT or value <= -_FLOAT4_LIMIT):
            raise EncodeError("the value is out of range for float4")
        bits = capi.bits_from_float4(value)
        if value != 0 and bits & 0x7FFFFFFF == 0:
            raise EncodeError("the value is out of range for float4: it would become 0")
        self.write_uint32(bits)

    def write_float8(self, value: float) -> None:
        bits = capi.bits_from_float8(value)
        self._write_two(bits >> 32, bits & _MAX32)

    def write_bytes(self, value: bytes) -> None:
        count = len(value)
        self._reserve(count)
        pos = self.pos
        if count < _SLICE_FROM:
            data = self._data
            source = value
            for i in range(count):
                data[pos + i] = source[i]
        else:
            self._data[pos : pos + count] = value
        self.pos = pos + count

    def write_slice(self, data: bytes, start: int, stop: int) -> None:
        """Write ``data[start:stop]``; raises ValueError for a slice that is not inside."""
        count = stop - start
        if start < 0 or count < 0 or stop > len(data):
            raise ValueError(f"no such slice: {start}:{stop} of {len(data)} bytes")
        self._reserve(count)
        pos = self.pos
        if count < _SLICE_FROM:
            target = self._data
            source = data
            for i in range(count):
                target[pos + i] = source[start + i]
        else:
            self._data[pos : pos + count] = data[start:stop]
        self.pos = pos + count

    def write_ascii(self, value: str) -> bool:
        """Write a str of ASCII without NUL; tell of any other, or one of 1 GB, by False and write nothing."""
        count = capi.ascii_length(value)
        if count < 0 or count > _MAX_MESSAGE:
            return False
        self._reserve(count)
        capi.put_ascii(self._data, self.pos, value)
        self.pos += count
        return True

    def write_cstring(self, value: bytes) -> None:
        """Write ``value`` and a zero byte; a zero byte inside raises EncodeError."""
        if b"\0" in value:
            raise EncodeError("a NUL character cannot be sent to PostgreSQL: remove it, or use bytea")
        self.write_bytes(value)
        self.write_uint8(0)

    def begin_length(self) -> int:
        """Leave room for an int32 length; give its place to ``end_length`` when what it counts is written."""
        self._reserve(4)
        self.pos += 4
        return self.pos - 4

    def end_length(self, place: int) -> None:
        """Fill in the length at ``place``: the bytes written since, without the length's own four."""
        self._fill_length(place, self.pos - place - 4)

    def end_message(self, place: int) -> None:
        """Fill in a message's length at ``place``: the bytes written since, its own four included."""
        self._fill_length(place, self.pos - place)

    def _fill_length(self, place: int, count: int) -> None:
        if count < 0 or count > _MAX_MESSAGE:
            raise EncodeError("a value or message of 1 GB or more cannot be sent: split it, or use COPY")
        self._put_uint32(place, count)

    def truncate(self, pos: int) -> None:
        """Forget everything from ``pos`` on."""
        if pos < 0 or pos > self.pos:
            raise ValueError(f"no such position: {pos}")
        self.pos = pos

    def getvalue(self) -> bytes:
        data = self._data
        return bytes(data[: self.pos])
