"""Text by any other name: enums, and the types that are shown as the server writes them.

An enum's binary format is its label. Labels are not checked here: the server knows them, and they may be added to.
"""

from __future__ import annotations

import enum
from typing import Any

from stretto.codecs.base import Codec, wrong_type
from stretto.errors import EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer


def write_text(codec: Codec, buf: WriteBuffer, value: Any) -> None:
    """Append a str as UTF-8; raises EncodeError for another class, a NUL character or a lone surrogate."""
    if not isinstance(value, str):
        raise wrong_type(codec, "a str", value)
    if "\0" in value:
        raise EncodeError(f"{codec.name}: PostgreSQL takes no NUL character in text: remove it, or use bytea")
    try:
        buf.write_bytes(value.encode())
    except UnicodeEncodeError:
        raise EncodeError(f"{codec.name}: a lone surrogate has no UTF-8 form") from None


class Text(Codec):
    """A type and a str: in binary where its binary format is text (citext), else in the text format."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        write_text(self, buf, value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_text(count)


class Enum(Codec):
    """An enum type and a str; a member of a Python Enum is encoded as its value."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if isinstance(value, enum.Enum):
            value = value.value
        write_text(self, buf, value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_text(count)
