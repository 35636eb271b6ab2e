"""Composite types and anonymous records.

Layout (record_send): int32 number of columns, then for each the uint32 OID of its type and the value with its length.
Columns that were dropped are not sent.

A record may contain records, and a composite an array of itself, so that a value can be as deep as its sender likes:
both kinds count the depth in the buffer and stop at MAX_DEPTH, before the C stack ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stretto.codecs.base import BINARY_FORMAT, Codec, UnknownTypes, decode_value, encode_value, wrong_type
from stretto.errors import DecodeError, EncodeError, ProtocolError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

MAX_DEPTH = 64

_SCALARS = (str, bytes, bytearray, int, float, set, frozenset)


class Composite(Codec):
    """A composite type with known columns.

    ``names`` and ``codecs`` are its columns in order; ``oids`` the OIDs of their types where these are not the codecs'
    (domains). ``maker`` turns the list of values into the result with its ``make(values)``; without one it is a plain
    tuple. What is encoded: a tuple or list in the order of the columns, a mapping with exactly the names as keys, or an
    object that has them as attributes.

    A value whose columns are not these raises UnknownTypes with the type's own OID: the type was altered.
    """

    def __init__(
        self,
        name: str,
        oid: int,
        names: Sequence[str],
        codecs: Sequence[Codec],
        maker: Any = None,
        oids: Sequence[int] | None = None,
    ) -> None:
        self.name = name
        self.oid = oid
        self.format = 1
        self.maker = maker
        self.fill(names, codecs, oids)

    def fill(self, names: Sequence[str], codecs: Sequence[Codec], oids: Sequence[int] | None = None) -> None:
        """Set the columns; a type that contains itself gets them after it was made."""
        self.names = list(names)
        self.codecs = list(codecs)
        self.oids = [codec.oid for codec in codecs] if oids is None else list(oids)
        if not len(self.names) == len(self.codecs) == len(self.oids):
            raise ValueError(f"{self.name}: names, codecs and oids differ in number")

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        values = as_columns(self, self.names, value)
        if buf.depth >= MAX_DEPTH:
            raise EncodeError(f"{self.name}: more than {MAX_DEPTH} values inside each other")
        codecs = self.codecs
        oids = self.oids
        buf.write_int32(len(values))
        i = 0
        buf.depth += 1
        try:
            for item in values:
                buf.write_uint32(oids[i])
                encode_value(codecs[i], buf, item)
                i += 1
        except (EncodeError, TypeError, ValueError, OverflowError) as error:
            raise EncodeError(f"{self.name}.{self.names[i]}: {error}") from None
        finally:
            buf.depth -= 1

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        size = buf.read_int32()
        if size < 0 or size > count // 8:
            raise ProtocolError(f"the server sent a {self.name} of {size} columns, which do not fit its message")
        if buf.depth >= MAX_DEPTH:
            raise ProtocolError(f"the server sent more than {MAX_DEPTH} values inside each other")
        if size != len(self.codecs):
            raise UnknownTypes([self.oid])
        values: list[Any] = []
        codecs = self.codecs
        oids = self.oids
        buf.depth += 1
        try:
            for i in range(size):
                expected = oids[i]
                if buf.read_uint32() != expected:
                    raise UnknownTypes([self.oid])
                values.append(decode_value(codecs[i], buf))
        finally:
            buf.depth -= 1
        if self.maker is not None:
            return self.maker.make(values)
        return tuple(values)


class Record(Codec):
    """An anonymous ``record`` and a tuple (or what ``maker.make(values)`` makes of it); it cannot be encoded.

    Each column's codec is found by the OID that the value carries: first in ``known`` (the dict that CodecMap fills),
    then by ``lookup``. All the OIDs of one record that have no codec are raised together as UnknownTypes.
    """

    def __init__(
        self,
        name: str,
        oid: int,
        known: dict[int, Codec],
        lookup: Callable[[int], Codec | None],
        maker: Any = None,
    ) -> None:
        self.name = name
        self.oid = oid
        self.format = 1
        self.known = known
        self.lookup = lookup
        self.maker = maker

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        raise EncodeError(
            f"{self.name} cannot be a parameter: PostgreSQL reads no anonymous composite values; "
            "cast it to a named composite type, or send the columns as parameters of their own"
        )

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        size = buf.read_int32()
        if size < 0 or size > count // 8:
            raise ProtocolError(f"the server sent a record of {size} columns, which do not fit its message")
        if buf.depth >= MAX_DEPTH:
            raise ProtocolError(f"the server sent more than {MAX_DEPTH} values inside each other")
        known = self.known
        values: list[Any] = []
        unknown: set[int] = set()
        buf.depth += 1
        try:
            for _ in range(size):
                oid = buf.read_uint32()
                codec = known.get(oid)
                if codec is None:
                    codec = self.lookup(oid)
                if codec is None:
                    unknown.add(oid)
                    skip_value(buf)
                elif codec.format != BINARY_FORMAT:
                    raise DecodeError(
                        f"{codec.name} is read from its text, but all that a {self.name} has is binary: select the"
                        " columns by themselves, or cast this one to text"
                    )
                else:
                    values.append(decode_value(codec, buf))
        finally:
            buf.depth -= 1
        if unknown:
            raise UnknownTypes(unknown)
        if self.maker is not None:
            return self.maker.make(values)
        return tuple(values)


def skip_value(buf: ReadBuffer) -> None:
    """Consume a value with its length without looking at it."""
    count = buf.read_int32()
    if count < -1:
        raise ProtocolError(f"the server sent a value of length {count}")
    if count > 0:
        buf.skip(count)


def as_columns(codec: Codec, names: list[str], value: Any) -> Any:
    """Return the columns' values in order; raises EncodeError that names what is missing or surplus."""
    if isinstance(value, (tuple, list)):
        if len(value) != len(names):
            raise EncodeError(f"{codec.name} has {len(names)} columns, not {len(value)}")
        return value
    if isinstance(value, Mapping):
        return _from_mapping(codec, names, value)
    # str.title, int.real: what is plainly a scalar is not asked for attributes.
    if isinstance(value, _SCALARS) or not any(hasattr(value, name) for name in names):
        raise wrong_type(codec, "a tuple, a mapping or an object with its columns as attributes", value)
    missing = [name for name in names if not hasattr(value, name)]
    if missing:
        raise EncodeError(f"{codec.name}: {type(value).__name__} has no attribute {', '.join(missing)}")
    return [getattr(value, name) for name in names]


def _from_mapping(codec: Codec, names: list[str], value: Mapping[str, Any]) -> list[Any]:
    missing = [name for name in names if name not in value]
    if missing:
        raise EncodeError(f"{codec.name}: the mapping has no key {', '.join(missing)}")
    if len(value) != len(names):
        surplus = [str(key) for key in value if key not in names]
        raise EncodeError(f"{codec.name} has no column {', '.join(surplus)}")
    return [value[name] for name in names]
