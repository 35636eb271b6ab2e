"""Rows in COPY's binary format (PostgreSQL manual, "COPY", "Binary Format")."""

from __future__ import annotations

from typing import Any

from stretto.codecs.base import Codec, encode_value
from stretto.errors import EncodeError, Error, ProtocolError, UsageError
from stretto.wire import frontend
from stretto.wire.buffer import ReadBuffer, WriteBuffer

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
ONE = ""  # in the place of a name: the value is 1, whatever the row is

SEQUENCES, MAPPINGS, OBJECTS = 0, 1, 2
_SEQUENCES, _MAPPINGS, _OBJECTS = SEQUENCES, MAPPINGS, OBJECTS  # C constants (copying.pxd)


class RowPlan:
    """How rows of one kind become columns: made once for (columns, class of row).

    ``columns`` are their names in the table, for errors; ``kind`` is what rows are that are no tuples or lists, and
    ``names`` what their values are called. ``absent``: names that no row may have a value for, because the columns are
    left to the server. ``writers``: what makes a column's values fit for the codec, None where nothing has to.
    """

    def __init__(self, columns: list[str], codecs: list[Codec], kind: int = SEQUENCES) -> None:
        self.columns = columns
        self.codecs = codecs
        self.kind = kind
        self.names = columns
        self.absent: list[str] = []
        self.writers: list[Any] | None = None


def encode_rows(rows: list[Any], plan: RowPlan, first: int) -> bytes:
    """Make one CopyData message of rows, ``first`` being the number of the first for errors.

    Raises EncodeError naming the row and the column, or UsageError for a row that is none; nothing of these was sent.
    """
    buf = WriteBuffer(1 << 16)
    place = frontend.begin_copy_data(buf)
    number = first
    for row in rows:
        encode_row(buf, row, plan, number)
        number += 1
    buf.end_message(place)
    return buf.getvalue()


def encode_alone(row: Any, plan: RowPlan, number: int) -> bytes:
    """One row's bytes, without any message. Raises as encode_rows."""
    buf = WriteBuffer()
    encode_row(buf, row, plan, number)
    return buf.getvalue()


def encode_row(buf: WriteBuffer, row: Any, plan: RowPlan, number: int) -> None:
    """Append one tuple: the count of its fields and each with its length."""
    codecs = plan.codecs
    width = len(codecs)
    buf.write_uint16(width)
    i = 0
    if type(row) is tuple or type(row) is list or isinstance(row, (tuple, list)):
        if len(row) != width:
            raise unfit(number, f"has {len(row)} values, but {width} columns are copied")
        writers = plan.writers
        values = row if type(row) is tuple or type(row) is list else tuple(row)
        try:
            while i < width:
                value = values[i]
                if writers is not None and value is not None and writers[i] is not None:
                    value = writers[i](value)
                codec = codecs[i]
                encode_value(codec, buf, value)
                i += 1
        except (Error, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
            raise blame(error, plan, i, number) from error
    else:
        encode_named(buf, row, plan, number)


def encode_named(buf: WriteBuffer, row: Any, plan: RowPlan, number: int) -> None:
    """Append the fields of a mapping or object."""
    kind = plan.kind
    if kind == _SEQUENCES:
        raise unfit(number, f"is of class {type(row).__name__}, but those before it were tuples or lists")
    codecs = plan.codecs
    names = plan.names
    writers = plan.writers
    width = len(codecs)
    i = 0
    picking = True
    try:
        while i < width:
            name = names[i]
            if kind == _OBJECTS:
                value = getattr(row, name) if name else 1
            else:
                value = row[name] if name else 1
            picking = False
            if writers is not None and value is not None and writers[i] is not None:
                value = writers[i](value)
            codec = codecs[i]
            encode_value(codec, buf, value)
            picking = True
            i += 1
    except (Error, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        if picking:
            raise unfit(number, f"of class {type(row).__name__} has no value for column {plan.columns[i]!r}") from None
        raise blame(error, plan, i, number) from error
    if plan.absent:
        check_absent(row, plan, number)


def check_absent(row: Any, plan: RowPlan, number: int) -> None:
    """Raise UsageError for a row with a value that those before it had not."""
    for name in plan.absent:
        value = row.get(name) if plan.kind == _MAPPINGS else getattr(row, name, None)
        if value is not None:
            raise unfit(number, f"has a value for {name!r}, which the first row left to the server: give columns=")


def unfit(number: int, what: str) -> UsageError:
    """Say what is wrong with a row that is not like the others."""
    made = UsageError(f"row {number} {what}")
    made.row = number
    return made


def blame(error: Exception, plan: RowPlan, position: int, number: int) -> EncodeError:
    """Say which column of which row it was."""
    name = plan.columns[position]
    reason = str(error) if isinstance(error, Error) else f"the value does not fit ({type(error).__name__}: {error})"
    made = EncodeError(f"row {number}, column {name} ({plan.codecs[position].name}): {reason}")
    made.row, made.column_name = number, name
    return made


def whole_rows(data: bytes, start: int, most: int = -1) -> tuple[int, int, bool]:
    """Where the last whole row of binary data ends, how many there are, and whether the trailer was reached.

    The end is before the trailer; ``most``: no more rows than these. Raises ProtocolError for what is no such data.
    """
    buf = ReadBuffer(data, start)
    count = 0
    end = start
    while count != most and buf.remaining() >= 2:
        fields = buf.read_int16()
        if fields == -1:
            return end, count, True
        if fields < 0:
            raise ProtocolError(f"row {count} of the binary data has {fields} fields")
        while fields > 0:
            if buf.remaining() < 4:
                return end, count, False
            size = buf.read_int32()
            if size > 0:
                if buf.remaining() < size:
                    return end, count, False
                buf.skip(size)
            fields -= 1
        end = buf.pos
        count += 1
    return end, count, False


def after_header(data: bytes) -> int:
    """Where the rows begin behind the header of binary data; 0 while it is not whole. Raises UsageError for another."""
    size = len(HEADER)
    if data[:11] != HEADER[: min(11, len(data))]:
        raise UsageError("the source is no binary COPY: its signature is missing")
    if len(data) < size:
        return 0
    size += ReadBuffer(data, size - 4).read_uint32()
    return size if len(data) >= size else 0


class Walk:
    """Follows the rows of binary data through pieces that end anywhere: how many there are, and if the trailer came.

    ``within``: behind the header, and before the trailer. What is no such data is left to the server to refuse.
    """

    def __init__(self) -> None:
        self.count = 0
        self.within = False
        self._over = False
        self._rest = b""  # the beginning of a number, or of the header
        self._fields = 0  # of the row, to come
        self._skip = 0  # bytes of a field, to come

    def take(self, data: bytes) -> None:
        """Go on with the next piece."""
        if self._over:
            return
        buf = ReadBuffer(self._rest + data if self._rest else data)
        if not self.within and not self._begin(buf):
            return
        fields = self._fields
        skip = self._skip
        count = self.count
        while True:
            left = buf.remaining()
            if skip > left:
                buf.skip(left)
                skip -= left
                break
            buf.skip(skip)
            left -= skip
            skip = 0
            if fields > 0:
                if left < 4:
                    break
                size = buf.read_int32()
                if size > 0:
                    skip = size
                fields -= 1
            else:
                if left < 2:
                    break
                fields = buf.read_int16()
                if fields < 0:
                    self.within = False
                    self._over = True
                    break
                count += 1
        self._fields = fields
        self._skip = skip
        self.count = count
        self._rest = buf.read_bytes(buf.remaining())

    def _begin(self, buf: ReadBuffer) -> bool:
        """Pass the header, if all of it is there."""
        try:
            size = after_header(buf.data)
        except UsageError:
            self._over = True
            return False
        self._rest = buf.data
        if size == 0:
            return False
        buf.skip(size)
        self.within = True
        return True
