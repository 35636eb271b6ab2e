"""bit and varbit, and a ``values.BitString``; a str of 0 and 1 is taken too.

The wire: int32 count of bits, the bits from the high one of the first byte on.
"""

from __future__ import annotations

from typing import Any

from stretto.codecs.base import Codec, wrong_type
from stretto.codecs.checks import malformed
from stretto.codecs.values import BitString
from stretto.errors import EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer


class Bits(Codec):
    """bit, varbit and a BitString."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if isinstance(value, str):
            try:
                value = BitString(value)
            except ValueError:
                raise EncodeError(f"{self.name} takes a str of 0 and 1 only") from None
        if not isinstance(value, BitString):
            raise wrong_type(self, "a BitString, or a str of 0 and 1", value)
        buf.write_int32(len(value))
        buf.write_bytes(value.bytes)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        length = buf.read_int32()
        if length < 0 or count != 4 + (length + 7) // 8:
            raise malformed(self, f"{length} bits in {count} bytes")
        return BitString.frombytes(buf.read_bytes(count - 4), length)
