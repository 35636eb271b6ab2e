"""Records as objects: what a subquery gives as ``row(...)`` or an array of them becomes objects, straight off the wire.

An anonymous record names the type of each of its columns with every value (record_send). The first one is asked which
they are; from then on each is only compared, and whoever asked has a maker of his own for these columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stretto.codecs.base import BINARY_FORMAT, Codec, UnknownTypes, decode_value
from stretto.codecs.composite import MAX_DEPTH, skip_value
from stretto.codecs.makers import Maker
from stretto.errors import DecodeError, EncodeError, ProtocolError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

RECORD = 2249
RECORD_ARRAY = 2287


class Nested(Codec):
    """A record of known columns, and the object that ``plan(codecs).make(values)`` makes of it.

    ``width``: how many columns it has. ``inner``: the codec of a column by its place, where it is nested itself.
    ``lookup``: ``CodecMap.get``. ``shared``: equal records become one object; else each has its own.
    """

    def __init__(
        self,
        width: int,
        inner: dict[int, Codec],
        lookup: Callable[[int], Codec | None],
        plan: Callable[[list[Codec]], Maker],
        shared: bool = False,
    ) -> None:
        self.name = "record"
        self.oid = RECORD
        self.format = 1
        self.width = width
        self.inner = inner
        self.lookup = lookup
        self.plan = plan
        self.seen: dict[bytes, Any] | None = {} if shared else None
        self.oids: list[int] = []
        self.codecs: list[Codec] = []
        self.maker: Any = None

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        raise EncodeError("a record is read only")

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        if self.seen is None:
            return self._decode(buf, count)
        start = buf.pos
        key = buf.read_bytes(count)
        found = self.seen.get(key)
        if found is None:
            buf.pos = start
            found = self._decode(buf, count)
            self.seen[key] = found
        return found

    def _decode(self, buf: ReadBuffer, count: int) -> Any:
        width = self.width
        size = buf.read_int32()
        if size != width or size > count // 8:
            raise ProtocolError(f"the server sent a record of {size} columns, {width} were asked for")
        if buf.depth >= MAX_DEPTH:
            raise ProtocolError(f"the server sent more than {MAX_DEPTH} values inside each other")
        if self.maker is None:
            self._learn(buf)
        codecs = self.codecs
        oids = self.oids
        values: list[Any] = []
        buf.depth += 1
        try:
            for i in range(width):
                expected = oids[i]
                if buf.read_uint32() != expected:
                    raise UnknownTypes([expected])  # the table was altered: all is asked anew
                values.append(decode_value(codecs[i], buf))
        finally:
            buf.depth -= 1
        return self.maker.make(values)

    def _learn(self, buf: ReadBuffer) -> None:
        """Look which types the columns have; the buffer is left where it was."""
        start = buf.pos
        oids: list[int] = []
        codecs: list[Codec] = []
        unknown: set[int] = set()
        for place in range(self.width):
            oid = buf.read_uint32()
            skip_value(buf)
            codec = self.inner.get(place)
            if codec is None:
                codec = self.lookup(oid)
            elif codec.oid != oid:
                raise ProtocolError(f"the server sent a value of type {oid} where records were asked for")
            oids.append(oid)
            if codec is None:
                unknown.add(oid)
            elif codec.format != BINARY_FORMAT:
                raise DecodeError(
                    f"{codec.name} is read from its text, but all that a record has is binary: relations with such a"
                    ' column come by include(..., strategy="trip")'
                )
            else:
                codecs.append(codec)
        buf.pos = start
        if unknown:
            raise UnknownTypes(unknown)
        self.oids = oids
        self.codecs = codecs
        self.maker = self.plan(codecs)
