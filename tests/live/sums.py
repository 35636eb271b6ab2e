"""What a load was to bring, and what is there: compared by count and checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

import psycopg

from stretto.flows.bulk import Chunk, Report

SUM = "select count(*), coalesce(sum(('x' || left(md5(id || '|' || name), 8))::bit(32)::bigint), 0)::int8 from {}"


def there(outside: psycopg.Connection[Any], table: str = "t") -> tuple[int, int]:
    """The count and the checksum of a table with an id and a name."""
    row = outside.execute(SUM.format(table)).fetchone()  # type: ignore[arg-type]  # not a literal
    assert row is not None
    return row[0], row[1]


def summed(rows: Iterable[tuple[int, str]]) -> tuple[int, int]:
    """The count and the checksum of rows."""
    parts = [hashlib.md5(f"{number}|{name}".encode()).digest()[:4] for number, name in rows]
    return len(parts), sum(int.from_bytes(part, "big") for part in parts)


def told(chunks: Iterable[Chunk]) -> list[int]:
    """The numbers of all rows of these chunks."""
    return [number for chunk in chunks for number in range(chunk.first, chunk.stop)]


def possible(report: Report, row: Callable[[int], tuple[int, str]]) -> list[tuple[int, int]]:
    """What a report says may be there: all chunks that have landed, and any of those of which nobody knows."""
    return [
        summed(map(row, told([*report.chunks, *unknown])))
        for count in range(len(report.unknown) + 1)
        for unknown in combinations(report.unknown, count)
    ]
