"""What a source gives (lists of rows, or bytes), made ready to be sent: batches, and blocks of them. No I/O.

A batch is what is sent at once. A block is a run of batches that is one COPY of its own, so that it can be sent by any
connection, and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from stretto.errors import DatabaseError, UsageError
from stretto.flows.bulk import Job, Rejected, place_of
from stretto.flows.copy import data_message, data_of
from stretto.protocol.copying import HEADER, TRAILER, RowPlan, Walk, encode_alone, encode_rows
from stretto.protocol.records import BinaryCutter, Cutter, cutter_of, no_trailer
from stretto.wire import frontend

BLOCK_ROWS = 100_000
BLOCK_BYTES = 4 << 20
APART_ROWS = 5000
Record = tuple[int, bytes]  # its number in the source, and its bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """``count`` rows of a source, from the one numbered ``first``: CopyData messages."""

    first: int
    count: int
    data: bytes
    lines: int = 0
    records: tuple[Record, ...] = ()


@dataclass(slots=True)
class Block:
    """Batches that are one COPY. ``line``: how many lines of the source are before it."""

    first: int
    line: int = 0
    stop: int = 0
    size: int = 0
    messages: list[bytes] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Take a batch, which follows the last one."""
        self.stop = batch.first + batch.count
        self.size += len(batch.data)
        if batch.records:
            self.records += batch.records
            self.size += sum(len(data) for _, data in batch.records)
        else:
            self.messages.append(batch.data)

    def is_full(self, apart: bool, rows: int | None) -> bool:
        """Whether it is large enough to be sent. Where rows may be bad, smaller ones are: much is sent again.

        ``rows``: how many were asked for, however many bytes they are.
        """
        if rows is not None:
            return self.stop - self.first >= rows
        return self.stop - self.first >= (APART_ROWS if apart else BLOCK_ROWS) or self.size >= BLOCK_BYTES


class Reader:
    """Makes batches of what a source gives. ``opening`` and ``closing`` stand around the rows of each COPY.

    ``apart``: each row is to be had by itself (``records``); those that can't be encoded are in ``rejected`` then.
    """

    opening = b""
    closing = b""
    lines = False  # whether the server counts the lines of these rows, and not the rows
    head = b""  # a first record that is no row
    head_lines = 0

    def __init__(self, apart: bool = False, cutter: Cutter | None = None) -> None:
        self.apart = apart
        self.cutter = cutter or BinaryCutter()
        self.count = 0
        self.rejected: list[Rejected] = []

    def take(self, item: Any) -> Batch | None:
        """The batch of what came; None where no row is whole yet."""
        raise NotImplementedError

    def end(self) -> Batch | None:
        """What is left when the source has ended."""
        return None

    def message(self, records: Iterable[Record]) -> bytes:
        """The CopyData message of records."""
        return data_message(b"".join([data for _, data in records]))

    def records(self, block: Block) -> list[Record]:
        """The records of a block once more, each by itself."""
        found = [self.cutter.records(data_of(message)) for message in block.messages]
        return list(enumerate(chain.from_iterable(found), block.first))

    def line_of(self, row: int, block: Block, records: Sequence[Record]) -> int | None:
        """The line of the source, from 1, on which a row of these records of a block begins; None where it has none."""
        if not self.lines:
            return None
        return block.line + sum([self.cutter.lines(data) for number, data in records if number < row]) + 1

    def begin(self) -> bytes:
        """What is sent before the first row of a COPY; nothing for text."""
        return data_message(self.opening) if self.opening else b""

    def finish(self) -> bytes:
        """What is sent behind the last."""
        return (data_message(self.closing) if self.closing else b"") + frontend.COPY_DONE


class RowReader(Reader):
    """Lists of rows, by a RowPlan."""

    opening = HEADER
    closing = TRAILER

    def __init__(self, plan: RowPlan, apart: bool = False) -> None:
        super().__init__(apart)
        self.plan = plan

    def take(self, item: Any) -> Batch | None:
        first = self.count
        if self.apart:
            return Batch(first, len(item), b"", 0, tuple(self._encoded(item)))
        data = encode_rows(item, self.plan, first)
        self.count += len(item)
        return Batch(first, len(item), data)

    def _encoded(self, rows: list[Any]) -> Iterable[Record]:
        for row in rows:
            number = self.count
            self.count += 1
            try:
                yield number, encode_alone(row, self.plan, number)
            except (DatabaseError, UsageError) as error:
                self.rejected.append(Rejected(number, getattr(error, "column_name", None), str(error)))


class StreamReader(Reader):
    """Bytes that nobody has to cut. It counts the rows of binary, and the ends of lines of text, to see how far it is.

    PostgreSQL takes binary data that ends before its trailer for whole; here it is an error.
    """

    def __init__(self, format: str | None = None) -> None:
        super().__init__()
        self.lines = format != "binary"
        self._walk = Walk()

    def take(self, item: Any) -> Batch | None:
        data = bytes_of(item)
        first = self.count
        if self.lines:
            self.count += data.count(b"\n")
        else:
            self._walk.take(data)
            self.count = self._walk.count
        return Batch(first, self.count - first, data_message(data))

    def end(self) -> Batch | None:
        if self._walk.within:
            raise no_trailer()
        return None


class CutReader(Reader):
    """Bytes that are cut at the ends of records. ``header``: the first record is no row; it is kept in ``head``."""

    def __init__(self, cutter: Cutter, header: bool, apart: bool = False) -> None:
        super().__init__(apart, cutter)
        self.opening, self.closing = cutter.opening, cutter.closing
        self.lines = not cutter.opening
        self._header = header

    def take(self, item: Any) -> Batch | None:
        return self._batch(self.cutter.take(bytes_of(item)))

    def end(self) -> Batch | None:
        return self._batch(self.cutter.end())

    def _batch(self, data: bytes) -> Batch | None:
        if self._header and data:
            self._header = False
            self.head = self.cutter.records(data)[0]
            data = data[len(self.head) :]
            self.head_lines = self.cutter.lines(self.head)
        if not data:
            return None
        first = self.count
        if self.apart:
            records = self.cutter.records(data)
            self.count += len(records)
            return Batch(first, len(records), b"", 0, tuple(enumerate(records, first)))
        count = self.cutter.count(data)
        self.count += count
        return Batch(first, count, data_message(data), self.cutter.lines(data))


def bytes_of(item: Any) -> bytes:
    """A piece of a source as bytes. Raises UsageError for what is none."""
    if not isinstance(item, (bytes, bytearray, memoryview)):
        raise UsageError(f"COPY's source must give bytes, not {type(item).__name__}: open the file in binary mode")
    return bytes(item)


def reader_for(job: Job, plan: RowPlan | None, cut: bool, apart: bool) -> Reader:
    """The Reader for what a job's source gives. ``cut``: as whole records; ``apart``: each by itself."""
    if plan is not None:
        return RowReader(plan, apart)
    if not cut or job.format is None:
        return StreamReader(job.format)
    return CutReader(cutter_of(job.format, job.options), bool(job.options.get("header")), apart)


def row_at(error: BaseException, records: Sequence[Record], lines: bool) -> int | None:
    """Which of these records the server names in its error; None where it names none of them."""
    place = place_of(error)
    if place is None:
        return None
    line = place[0]
    if not lines:
        return line - 1 if 0 < line <= len(records) else None
    for number, (_, data) in enumerate(records):
        line -= max(data.count(b"\n"), 1)
        if line <= 0:
            return number
    return None
