"""The row loop: from the slices of a reply to objects, in the stack of whoever asked.

One pass: each row's values are decoded into one reused list, and a ``Maker`` makes the object of it. The collector is
held back while a large reply is decoded, for it would walk the growing list again and again (``LargeReply``).
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from stretto.codecs.base import Codec
from stretto.codecs.makers import Maker
from stretto.errors import DecodeError, Error, ProtocolError
from stretto.protocol.collector import relieve, resume
from stretto.wire.buffer import ReadBuffer


class LargeReply:
    """While one is entered, young objects are collected far more rarely; several may be, in any order and thread."""

    YOUNG = 200_000

    def __enter__(self) -> None:
        relieve(self.YOUNG)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        resume(self.YOUNG)


def decode_rows(slices: list[Any], codecs: list[Codec], maker: Maker, out: list[Any]) -> None:
    """Append to ``out`` an object for each DataRow in ``slices`` (``data, start, stop`` and again).

    Raises ProtocolError where a row is not what was described, DecodeError where a value has no place in Python.
    """
    codecs = maker.columns(codecs)
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
            _decode_row(buf, codecs, width, values)
            if buf.pos != end:
                raise ProtocolError("the server sent a row with bytes behind its last column")
            out.append(maker.make(values))
            buf.end = stop


def _decode_row(buf: ReadBuffer, codecs: list[Codec], width: int, values: list[Any]) -> None:
    """As ``decode_value`` for each column, written out: it is the hottest loop there is."""
    column = 0
    try:
        while column < width:
            codec = codecs[column]
            count = buf.read_int32()
            if count >= 0:
                buf.require(count)
                after = buf.pos + count
                values[column] = codec.decode(buf, count)
                if buf.pos != after:
                    raise ProtocolError(f"{count} bytes were sent, {count + buf.pos - after} of which were expected")
            elif count == -1:
                values[column] = None
            else:
                raise ProtocolError(f"the server sent a value of length {count}")
            column += 1
    except (Error, KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError) as error:
        raise _blame(error, column, codecs[column]) from error


def _blame(error: Exception, column: int, codec: Codec) -> Exception:
    """Say which column it was; a malformed value stays a ProtocolError, all else is a DecodeError."""
    text = f"column {column + 1} ({codec.name}): {error}"
    return ProtocolError(text) if isinstance(error, ProtocolError) else DecodeError(text)
