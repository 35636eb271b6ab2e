"""The row loop: from the slices of a reply to objects, in the stack of whoever asked.

One pass: each row's values are decoded into one reused list, and a ``Maker`` makes the object of it. The collector is
held off while a large reply is decoded, for it would walk the growing list again and again.
"""

from __future__ import annotations

from typing import Any

from stretto import capi
from stretto.codecs.base import Codec, decode_value
from stretto.codecs.makers import Maker
from stretto.errors import DecodeError, Error, ProtocolError
from stretto.wire.buffer import ReadBuffer

_HOLD_FROM = 1 << 14  # bytes of rows from which on the collector is held off


def decode_rows(slices: list[Any], codecs: list[Codec], maker: Maker, out: list[Any]) -> None:
    """Append to ``out`` an object for each DataRow in ``slices`` (``data, start, stop`` and again).

    Raises ProtocolError where a row is not what was described, DecodeError where a value has no place in Python.
    """
    size = 0
    for i in range(0, len(slices), 3):
        size += slices[i + 2] - slices[i + 1]
    if size >= _HOLD_FROM and capi.gc_disable():
        try:
            _decode_slices(slices, codecs, maker, out)
        finally:
            capi.gc_enable()
    else:
        _decode_slices(slices, codecs, maker, out)


def _decode_slices(slices: list[Any], codecs: list[Codec], maker: Maker, out: list[Any]) -> None:
    width = len(codecs)
    values: list[Any] = [None] * width
    buf = ReadBuffer(b"")
    for i in range(0, len(slices), 3):
        stop = slices[i + 2]
        buf.attach(slices[i], slices[i + 1], stop)
        while buf.pos < stop:
            buf.skip(1)
            start = buf.pos  # read first: C does not say which side of a sum comes first
            end = start + buf.read_uint32()
            if end > stop:
                raise ProtocolError("the server sent a row that is longer than its message")
            buf.end = end
            if buf.read_uint16() != width:
                raise ProtocolError(f"the server sent a row that has not {width} columns")
            column = 0
            try:
                while column < width:
                    codec = codecs[column]
                    values[column] = decode_value(codec, buf)
                    column += 1
            except (Error, KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError) as error:
                raise _blame(error, column, codecs[column]) from error
            if buf.pos != end:
                raise ProtocolError("the server sent a row with bytes behind its last column")
            out.append(maker.make(values))
            buf.end = stop


def _blame(error: Exception, column: int, codec: Codec) -> Exception:
    """Say which column it was; a malformed value stays a ProtocolError, all else is a DecodeError."""
    text = f"column {column + 1} ({codec.name}): {error}"
    return ProtocolError(text) if isinstance(error, ProtocolError) else DecodeError(text)
