"""Bulk loads: what is asked of one, what is said of it while it runs and when it has ended, and how its rows are named.

A load is made of chunks, runs of rows of its source that are in the table together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stretto.errors import UsageError
from stretto.model.table import Table, table_of

CONFLICTS = (None, "ignore", "update")
ERRORS = ("raise", "report")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is: rows and bytes that were sent, and seconds since it began.

    Of a source of bytes that nobody had to cut, ``rows`` counts the ends of its lines.
    """

    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows ``first`` to before ``stop`` of the source, counted from 0; ``rows`` of them have landed."""

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
    source: Any
    columns: Sequence[str] | None
    format: str | None
    chunks: int | None
    atomic: bool
    on_conflict: str | None
    errors: str
    progress: Callable[[Progress], Any] | None
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.chunks is not None and self.chunks < 1:
            raise UsageError(f"chunks={self.chunks}: over one connection at least")
        if self.on_conflict not in CONFLICTS:
            raise UsageError(f"on_conflict={self.on_conflict!r}: it is 'ignore' or 'update'")
        if self.errors not in ERRORS:
            raise UsageError(f"errors={self.errors!r}: it is 'raise' or 'report'")


def table_named(target: Any) -> tuple[str | tuple[str, ...], Table | None]:
    """The name of what is copied into, and the Table where it is a Model."""
    if isinstance(target, type):
        table = table_of(target)
        return (table.schema, str(table.name)) if table.schema else (str(table.name),), table
    return target, None
