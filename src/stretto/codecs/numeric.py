"""Numbers: int2, int4, int8, oid and its kin, float4, float8, numeric, money, bool."""

from __future__ import annotations

from typing import Any

from stretto.codecs.base import Codec, wrong_type
from stretto.wire.buffer import ReadBuffer, WriteBuffer


class Int4(Codec):
    """int4 and an int; a bool, a float or a Decimal is refused."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if type(value) is not int:
            value = as_int(self, value)
        buf.write_int32(value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_int32()


def as_int(codec: Codec, value: Any) -> int:
    """Turn an int subclass or an object with ``__index__`` (numpy's integers) into an int; refuse bool."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise wrong_type(codec, "an int", value)
    return int(value.__index__())
