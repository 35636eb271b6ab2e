"""Characters and bytes: text, varchar, bpchar, name, "char", xml, bytea, and the types that travel as text.

A str goes in and comes out; NUL and lone surrogates raise EncodeError, for PostgreSQL has neither. ``bpchar`` keeps its
padding. The connection's ``client_encoding`` is UTF8: a server whose database is SQL_ASCII must hold UTF-8.
"""

from __future__ import annotations

from typing import Any

from stretto.codecs.base import TEXT_FORMAT, Codec, wrong_type
from stretto.codecs.checks import check_size, malformed, utf8
from stretto.errors import EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer


class Text(Codec):
    """Every type whose binary format is its text, and a str."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if type(value) is not str or not buf.write_ascii(value):
            buf.write_bytes(utf8(self, value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_text(count)


class TextCodec(Text):
    """A type without a useful binary format: the server's own text, both ways."""

    def __init__(self, name: str, oid: int = 0) -> None:
        super().__init__(name, oid, TEXT_FORMAT)


class VersionedText(Codec):
    """A type whose binary format is the byte 1 and its text (jsonpath, ltree), and a str."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        data = utf8(self, value)
        buf.write_uint8(1)
        buf.write_bytes(data)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        version = buf.read_uint8()
        if version != 1:
            raise malformed(self, f"version {version}")
        return buf.read_text(count - 1)


class Char(Codec):
    r""" "char", one byte, and a str as the server writes it: empty for 0, a character up to 127, ``\377`` beyond."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_uint8(byte_of(self, value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        byte = buf.read_uint8()
        if byte > 127:
            return f"\\{byte:03o}"
        return chr(byte) if byte else ""


def byte_of(codec: Codec, value: Any) -> int:
    """Turn the text of a "char" into its byte."""
    data = utf8(codec, value)
    if len(data) <= 1:
        return data[0] if data else 0
    octal = data[1:]
    if data.startswith(b"\\") and len(octal) == 3 and not octal.strip(b"01234567") and octal[:1] <= b"3":
        return int(octal, 8)
    raise EncodeError(f'{codec.name} takes one ASCII character, an empty str, or "\\377" for a byte above 127')


class Bytea(Codec):
    """bytea and bytes; bytearray and memoryview are taken too, a str is not."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if type(value) is not bytes:
            if not isinstance(value, (bytes, bytearray, memoryview)):
                raise wrong_type(self, "bytes, a bytearray or a memoryview", value)
            check_size(memoryview(value).nbytes)
            value = bytes(value)
        buf.write_bytes(value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_bytes(count)
