"""Bulk loads: what is asked of one, what is said of it while it runs and when it has ended, and how its rows are named.

A load is made of chunks, runs of rows of its source that are in the table together or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stretto.errors import BulkError, DatabaseError, UsageError

CONFLICTS = (None, "ignore", "update")
ERRORS = ("raise", "report")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is: rows and bytes that were sent, and seconds since it began.

    Of CSV and text that nobody had to cut, ``rows`` counts the ends of lines.
    """

    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows ``first`` to before ``stop`` of the source, counted from 0; ``rows`` of them have landed.

    Of CSV and text that nobody had to cut nobody counts the rows: ``stop`` is as many as the server took.
    """

    first: int
    stop: int
    rows: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was left out: its number in the source (from 0), the column where that is known, and why."""

    row: int
    column: str | None
    reason: str
    sqlstate: str | None = None

    @classmethod
    def by(cls, row: int, error: DatabaseError) -> Rejected:
        """The row that the server has refused."""
        place = place_of(error)
        column = error.column_name or (None if place is None else place[1])
        detail = "" if error.detail is None else f" ({error.detail})"
        return cls(row, column, f"{error.message}{detail}", error.sqlstate)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a load; its str() is the command tag, as ``COPY 3``.

    ``rows`` are in the table now, ``chunks`` say which of the source they were, in its order; ``rejected`` were left
    out. ``unknown``: chunks whose COMMIT had no answer and could not be found out (only in a BulkError).
    """

    rows: int
    chunks: tuple[Chunk, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    unknown: tuple[Chunk, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"COPY {self.rows}"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What copy_in() was asked for, checked. Raises UsageError for what can't be."""

    target: Any
    source: Any = field(repr=False)  # its rows are nobody else's to see
    columns: Sequence[str] | None
    format: str | None
    chunks: int | None
    atomic: bool
    on_conflict: str | None
    errors: str
    progress: Callable[[Progress], Any] | None
    options: Mapping[str, Any]
    chunk_size: int | None = None
    on: Any = None

    def __post_init__(self) -> None:
        if self.chunks is not None and self.chunks < 1:
            raise UsageError(f"chunks={self.chunks}: over one connection at least")
        if self.chunk_size is not None and self.chunk_size < 1:
            raise UsageError(f"chunk_size={self.chunk_size}: one row at least")
        if self.on is not None and self.on_conflict is None:
            raise UsageError("on= names the key that on_conflict= looks at: say 'ignore' or 'update', too")
        if self.on_conflict not in CONFLICTS:
            raise UsageError(f"on_conflict={self.on_conflict!r}: it is 'ignore' or 'update'")
        if self.errors not in ERRORS:
            raise UsageError(f"errors={self.errors!r}: it is 'raise' or 'report'")


_PLACE = re.compile(r"^COPY .+?, \w+ (\d+)(?:, \w+ ([^:\n]+))?", re.MULTILINE)
_LINE = re.compile(r"^(COPY .+?, \w+ )\d+", re.MULTILINE)
_ROWS_FAULT = {"22", "23", "44", "54", "P0"}  # the classes of errors that are a row's own: its data, its constraints


def is_rows_fault(error: BaseException) -> bool:
    """Whether the server refused a row, and might take others."""
    return isinstance(error, DatabaseError) and (error.sqlstate or "")[:2] in _ROWS_FAULT


def place_of(error: BaseException) -> tuple[int, str | None] | None:
    """The line (from 1) and the column that the server names in COPY's context; None where it names none."""
    found = _PLACE.search(getattr(error, "where", None) or "")
    return None if found is None else (int(found[1]), found[2])


def locate(error: BaseException, first: int, line: int | None) -> None:
    """Say in a server's error which row of the source it was: the COPY began at row ``first``.

    ``line``: the server counts the lines of text, and so many were before.
    """
    place = place_of(error)
    if place is None or not isinstance(error, DatabaseError) or error.row is not None:
        return
    if error.column_name is None:
        error.column_name = place[1]
    if line is None:
        name_row(error, first + place[0] - 1, None)
    elif line:
        _place(error, f"line {line + place[0]} of the source", line + place[0])


def name_row(error: DatabaseError, row: int, line: int | None) -> None:
    """Say in a server's error which row of the source it was, and in its text on which line that begins, if any."""
    error.row = row
    if line is None:
        _place(error, f"row {row}", row + 1)
    else:
        _place(error, f"line {line} of the source", line)


def _place(error: DatabaseError, name: str, line: int) -> None:
    """Put the place before the message, and have the context say the source's line instead of the COPY's own."""
    error.message = f"{name}: {error.message}"
    if error.where is not None:
        error.where = _LINE.sub(rf"\g<1>{line}", error.where, count=1)


def advise(error: DatabaseError) -> None:
    """Say how the row is found, where the server names none and it can't be brought again."""
    if is_rows_fault(error) and error.row is None and place_of(error) is None and error.hint is None:
        error.hint = 'errors="report" finds which row it is.'


def failed(error: BaseException, report: Report) -> BulkError:
    """The error for a load by chunks that did not come to its end."""
    unknown = f", {len(report.unknown)} chunks may have" if report.unknown else ""
    reason = str(error) or type(error).__name__
    made = BulkError(f"{report.rows} rows in {len(report.chunks)} chunks have landed{unknown}: {reason}", report=report)
    made.__cause__ = error
    return made
