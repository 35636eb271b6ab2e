"""Codecs that a user gives: two functions for a type, set once for a Database.

A text codec's functions deal in str, a binary one's in bytes. A text codec is taken along in binary wherever that shows
no difference to its functions: where the binary format is the text (json, text, enums), is the text after a version
byte (jsonb), or is a value whose text can be told exactly (numeric, integers, uuid). So arrays, composites and records
of such types stay in binary. A text codec of any other type travels in the text format.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from stretto.codecs.base import BINARY_FORMAT, TEXT_FORMAT, Codec
from stretto.codecs.checks import malformed, utf8
from stretto.errors import EncodeError, UsageError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

# Types whose binary format is their text, and those that have a version byte, 1, before it.
TEXT_IS_BINARY = frozenset({"bpchar", "citext", "json", "name", "refcursor", "text", "unknown", "varchar"})
VERSIONED = frozenset({"jsonb", "jsonpath", "ltree", "lquery", "ltxtquery"})

# SQL's names of types that the catalogue has under others.
ALIASES = {
    "bigint": "int8",
    "bit varying": "varbit",
    "boolean": "bool",
    "character": "bpchar",
    "character varying": "varchar",
    "dec": "numeric",
    "decimal": "numeric",
    "double precision": "float8",
    "int": "int4",
    "integer": "int4",
    "real": "float4",
    "smallint": "int2",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
}


class Functions(NamedTuple):
    """What a user gave; ``format`` is "text" or "binary"."""

    encoder: Callable[[Any], Any]
    decoder: Callable[[Any], Any]
    format: str


class Custom(Codec):
    """A type by its user's functions, in the format that they deal in; ``version`` is for the types of VERSIONED."""

    def __init__(self, name: str, oid: int, functions: Functions, format: int, version: bool = False) -> None:
        super().__init__(name, oid, format)
        self.functions = functions
        self.version = version

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if self.version:
            buf.write_uint8(1)
        encoded = self.functions.encoder(value)
        if self.functions.format == "text":
            if not isinstance(encoded, str):
                raise wrong_result(self, "a str", encoded)
            buf.write_bytes(utf8(self, encoded))
        else:
            if not isinstance(encoded, (bytes, bytearray, memoryview)):
                raise wrong_result(self, "bytes", encoded)
            buf.write_bytes(bytes(encoded))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        if self.version:
            version = buf.read_uint8()
            if version != 1:
                raise malformed(self, f"version {version}")
            count -= 1
        if self.functions.format == "text":
            return self.functions.decoder(buf.read_text(count))
        return self.functions.decoder(buf.read_bytes(count))


class Bridged(Codec):
    """A text codec of a type whose text can be told from its value: binary by the type's own codec, ``base``."""

    def __init__(self, base: Codec, functions: Functions) -> None:
        super().__init__(base.name, base.oid, BINARY_FORMAT)
        self.base = base
        self.functions = functions
        self.to_text, self.from_text = BRIDGES[base.name]

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        encoded = self.functions.encoder(value)
        if not isinstance(encoded, str):
            raise wrong_result(self, "a str", encoded)
        try:
            inner = self.from_text(encoded)
        except (ValueError, ArithmeticError):
            raise EncodeError(f"the encoder of {self.name} returned text that is no {self.name}") from None
        self.base.encode(buf, inner)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return self.functions.decoder(self.to_text(self.base.decode(buf, count)))


# For each type: from the value of its own codec to PostgreSQL's text, and back.
BRIDGES: dict[str, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    "int2": (str, int),
    "int4": (str, int),
    "int8": (str, int),
    "numeric": (lambda value: format(value, "f"), Decimal),
    "oid": (str, int),
    "uuid": (str, UUID),
}


def make_custom(name: str, oid: int, functions: Functions, kind: str | None, base: Codec | None) -> Codec:
    """Make the codec of a type by a user's functions.

    ``kind`` is the type's TypeInfo.kind (None for a built-in scalar) and ``base`` the built-in codec that is replaced.
    """
    if functions.format == "binary":
        return Custom(name, oid, functions, BINARY_FORMAT)
    if name in VERSIONED:
        return Custom(name, oid, functions, BINARY_FORMAT, version=True)
    if name in TEXT_IS_BINARY or kind == "e":
        return Custom(name, oid, functions, BINARY_FORMAT)
    if base is not None and name in BRIDGES:
        return Bridged(base, functions)
    return Custom(name, oid, functions, TEXT_FORMAT)


def canonical(typename: str) -> str:
    """Return the catalogue's name of a type; an array's name raises UsageError."""
    name = ALIASES.get(typename.lower(), typename)
    if name.endswith("[]"):
        raise UsageError(f"{typename}: a codec is set for the type of the elements, and its arrays follow")
    return name


def wrong_result(codec: Codec, expected: str, encoded: object) -> EncodeError:
    """Make the error for an encoder that returned another class than it must."""
    return EncodeError(f"the encoder of {codec.name} must return {expected}, not {type(encoded).__name__}")
