"""What copy_table() tells: while it copies, and when it has ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How far a copy is. ``expected``: how many rows the source's statistics promise, where they say so."""

    rows: int
    bytes: int
    parts: int
    total_parts: int
    expected: int | None


@dataclass(frozen=True, slots=True)
class CopiedPart:
    """One part that has landed: rows of ``source`` (``where`` says which), as many, as so many bytes of COPY."""

    source: str
    where: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TableCopy:
    """What a copy of a table has brought to its target.

    ``rows`` are there now, ``dropped`` ones the transform did not want; ``bytes`` of COPY's ``format`` have travelled.
    ``parts`` are those that landed, ``unknown`` those whose COMMIT nobody answered; a staged copy's parts have the rows
    that were brought, before the target's triggers saw them. ``checksum`` is what both sides had in common, where it
    was asked for (the transform's rows have none: they were counted).
    """

    table: str
    rows: int
    dropped: int
    bytes: int
    seconds: float
    format: str
    parts: tuple[CopiedPart, ...]
    unknown: tuple[CopiedPart, ...] = ()
    verified: bool = False
    checksum: str | None = None

    def __str__(self) -> str:
        return f"COPY {self.rows}"
