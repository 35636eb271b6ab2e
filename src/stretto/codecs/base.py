"""Codec: the two directions of one type. CodecMap: the codecs of one Database, by type OID and by name.

Rules of this room. ``encode`` writes the payload of a value that is not None and nothing else: its caller writes the
length, the NULLs and the format. ``decode`` consumes exactly the ``count`` bytes that the caller announces: the caller
checks that it did, so a codec may read freely (ReadBuffer lets nobody past the message's end). A value that does not
fit raises EncodeError, TypeError, ValueError or OverflowError; the caller adds which argument it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stretto.errors import EncodeError, ProtocolError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

TEXT_FORMAT = 0
BINARY_FORMAT = 1


class UnknownTypes(Exception):  # noqa: N818  # a signal between the floors, never seen by a user
    """A value contains types that the CodecMap does not know (yet), or knows as they were before an ALTER TYPE.

    ``oids`` are their OIDs: whoever decodes asks the catalogue for them, hands the rows to ``CodecMap.define``, and
    decodes once more.
    """

    def __init__(self, oids: Iterable[int]) -> None:
        self.oids = frozenset(oids)
        super().__init__(f"types not known yet: {sorted(self.oids)}")


class Codec:
    """Both directions of one PostgreSQL type.

    ``name`` is the type's name as PostgreSQL prints it; ``oid`` its OID, 0 while unknown; ``format`` is what it
    travels in, BINARY_FORMAT or TEXT_FORMAT, both ways.
    """

    def __init__(self, name: str, oid: int = 0, format: int = BINARY_FORMAT) -> None:
        self.name = name
        self.oid = oid
        self.format = format

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        """Append the payload of ``value``, which is not None."""
        raise NotImplementedError

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        """Consume ``count`` bytes and return the value."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} oid={self.oid}>"


def encode_value(codec: Codec, buf: WriteBuffer, value: Any) -> None:
    """Append a value with its length: an int32 and the payload, or -1 for None."""
    if value is None:
        buf.write_int32(-1)
    else:
        place = buf.begin_length()
        codec.encode(buf, value)
        buf.end_length(place)


def decode_value(codec: Codec, buf: ReadBuffer) -> Any:
    """Consume an int32 length and the payload; None for -1. A codec that read more or less raises ProtocolError."""
    count = buf.read_int32()
    if count < 0:
        if count == -1:
            return None
        raise ProtocolError(f"the server sent a value of length {count}")
    buf.require(count)
    stop = buf.pos + count
    value = codec.decode(buf, count)
    if buf.pos != stop:
        raise ProtocolError(
            f"a value of type {codec.name} has {count} bytes, {count + buf.pos - stop} of which were expected"
        )
    return value


def wrong_type(codec: Codec, expected: str, value: object) -> EncodeError:
    """Make the error for a value whose class the codec does not take. The value is not shown: it may be secret."""
    return EncodeError(f"{codec.name} takes {expected}, not {type(value).__name__}")
