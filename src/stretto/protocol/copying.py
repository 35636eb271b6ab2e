"""Rows in COPY's binary format (PostgreSQL manual, "COPY", "Binary Format")."""

from __future__ import annotations

from typing import Any

from stretto.codecs.base import Codec, encode_value
from stretto.errors import Error, UsageError
from stretto.protocol.statement import blame
from stretto.wire import frontend
from stretto.wire.buffer import WriteBuffer

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"


def encode_rows(rows: list[Any], codecs: list[Codec], first: int, header: bool) -> bytes:
    """Make one CopyData message of rows (sequences of values), ``first`` being the number of the first for errors.

    Raises EncodeError naming the row and the column; then nothing of these rows was sent.
    """
    buf = WriteBuffer(1 << 16)
    place = frontend.begin_copy_data(buf)
    if header:
        buf.write_bytes(HEADER)
    width = len(codecs)
    number = first
    for row in rows:
        encode_row(buf, row, codecs, width, number)
        number += 1
    buf.end_message(place)
    return buf.getvalue()


def encode_row(buf: WriteBuffer, row: Any, codecs: list[Codec], width: int, number: int) -> None:
    """Append one tuple: the count of its fields and each with its length."""
    if not isinstance(row, (tuple, list)):
        raise UsageError(f"row {number} is of class {type(row).__name__}, but those before it were tuples or lists")
    values = row if type(row) is tuple or type(row) is list else tuple(row)
    if len(values) != width:
        raise UsageError(f"row {number} has {len(values)} values, but {width} columns are copied")
    buf.write_uint16(width)
    i = 0
    try:
        while i < width:
            codec = codecs[i]
            encode_value(codec, buf, values[i])
            i += 1
    except (Error, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        raise blame(error, i, codecs[i], number) from error
