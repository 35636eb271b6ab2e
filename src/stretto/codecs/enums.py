"""Enums. The binary format is the label.

Labels are not checked here: the server knows them, and they may be added to at any time.
"""

from __future__ import annotations

import enum
from typing import Any

from stretto.codecs.checks import utf8
from stretto.codecs.text import Text
from stretto.wire.buffer import WriteBuffer


class Enum(Text):
    """An enum type and a str; a member of a Python Enum is encoded as its value."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if isinstance(value, enum.Enum):
            value = value.value
        buf.write_bytes(utf8(self, value))
