"""Types of extensions: hstore, citext, ltree and its queries, pgvector. They are known by name, since their OIDs vary.

Layouts. hstore: int32 number of pairs, then for each an int32 length and the key, an int32 length (-1 for NULL) and the
value. ltree, lquery, ltxtquery: a version byte, 1, and the text. vector and halfvec: int16 number of dimensions, int16
unused, the float4 or float2 values. sparsevec: int32 number of dimensions, int32 number of values, int32 unused, the
int32 indices counted from 0, the float4 values.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from stretto.codecs.arrays import as_sequence
from stretto.codecs.base import Codec, wrong_type
from stretto.codecs.checks import malformed, utf8
from stretto.codecs.text import Text, VersionedText
from stretto.errors import EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer


class Hstore(Codec):
    """hstore and a dict of str to str or None; any mapping is encoded."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise wrong_type(self, "a mapping of str to str or None", value)
        buf.write_int32(len(value))
        for key, item in value.items():
            self._write(buf, key)
            if item is None:
                buf.write_int32(-1)
            else:
                self._write(buf, item)

    def _write(self, buf: WriteBuffer, text: Any) -> None:
        place = buf.begin_length()
        buf.write_bytes(utf8(self, text))
        buf.end_length(place)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        size = buf.read_int32()
        if size < 0 or size > count // 8:
            raise malformed(self, f"{size} pairs do not fit its message")
        pairs: dict[str, str | None] = {}
        for _ in range(size):
            key = buf.read_text(buf.read_int32())
            length = buf.read_int32()
            pairs[key] = None if length == -1 else buf.read_text(length)
        return pairs


class Vector(Codec):
    """pgvector's vector (``kind`` "f", float4) or halfvec ("e", float2) and a list of float.

    Any sequence of numbers is encoded, numpy's arrays and pgvector's own classes included.
    """

    def __init__(self, name: str, oid: int = 0, kind: str = "f") -> None:
        super().__init__(name, oid)
        self.kind = kind
        self.width = struct.calcsize(kind)

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        items = as_sequence(self, value.to_list() if hasattr(value, "to_list") else value)
        buf.write_int16(len(items))
        buf.write_int16(0)
        buf.write_bytes(pack(self, f">{len(items)}{self.kind}", items))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        size = buf.read_uint16()
        buf.skip(2)
        return list(struct.unpack(f">{size}{self.kind}", buf.read_bytes(size * self.width)))


class SparseVector:
    """A value of pgvector's sparsevec: ``elements`` maps indices, counted from 0, to what is not 0."""

    __slots__ = ("dimensions", "elements")

    def __init__(self, elements: Mapping[int, float], dimensions: int) -> None:
        self.elements = dict(elements)
        self.dimensions = dimensions

    def to_list(self) -> list[float]:
        """Return all the values, the zeros too."""
        return [self.elements.get(i, 0.0) for i in range(self.dimensions)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseVector):
            return NotImplemented
        return self.dimensions == other.dimensions and self.elements == other.elements

    __hash__ = None  # type: ignore[assignment]  # it holds a dict that may change

    def __repr__(self) -> str:
        return f"SparseVector({self.elements!r}, {self.dimensions})"


class Sparsevec(Codec):
    """sparsevec and a SparseVector; a sequence of all the values is encoded too."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        vector = as_sparse(self, value)
        indices = sorted(vector.elements)
        buf.write_int32(vector.dimensions)
        buf.write_int32(len(indices))
        buf.write_int32(0)
        for index in indices:
            buf.write_int32(index)
        buf.write_bytes(pack(self, f">{len(indices)}f", [vector.elements[index] for index in indices]))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        dimensions = buf.read_int32()
        size = buf.read_int32()
        buf.skip(4)
        if size < 0 or size > count // 8:
            raise malformed(self, f"{size} values do not fit its message")
        indices = [buf.read_int32() for _ in range(size)]
        values = struct.unpack(f">{size}f", buf.read_bytes(4 * size))
        return SparseVector(dict(zip(indices, values, strict=True)), dimensions)


def as_sparse(codec: Codec, value: Any) -> SparseVector:
    """Return a SparseVector; pgvector's own class and plain sequences are taken."""
    if isinstance(value, SparseVector):
        return value
    items = as_sequence(codec, value.to_list() if hasattr(value, "to_list") else value)
    return SparseVector({i: item for i, item in enumerate(items) if item}, len(items))


def pack(codec: Codec, layout: str, items: Any) -> bytes:
    """Pack numbers; what is none, or too large for the layout, raises EncodeError."""
    try:
        return struct.pack(layout, *items)
    except (struct.error, TypeError):
        raise EncodeError(f"{codec.name} takes a list of numbers, and one of them is none") from None
    except OverflowError:
        raise EncodeError(f"{codec.name}: one of the numbers is out of range") from None


def extension_codec(name: str, oid: int) -> Codec | None:
    """Return the codec of an extension's type, or None for a type that we do not know."""
    make = _CODECS.get(name)
    return None if make is None else make(name, oid)


_CODECS: dict[str, Any] = {
    "hstore": Hstore,
    "citext": Text,
    "ltree": VersionedText,
    "lquery": VersionedText,
    "ltxtquery": VersionedText,
    "vector": Vector,
    "halfvec": lambda name, oid: Vector(name, oid, "e"),
    "sparsevec": Sparsevec,
}
