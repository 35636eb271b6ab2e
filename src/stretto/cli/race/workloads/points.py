"""The data of the cases: made by the server, and known here, so that each contender's answer can be checked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

FIELDS = ("id", "name", "created", "price", "active")
Values = tuple[int, str, datetime, Decimal, bool]
_START = datetime(2024, 1, 1, tzinfo=UTC)

COLUMNS = "id int4, name text, created timestamptz, price numeric(10, 2), active bool"
_SELECT = """
    select i, 'name of ' || i, timestamptz '2024-01-01 00:00+00' + i * interval '1.000001 second',
           (i * 7 % 100000) / 100.0, i % 3 = 0
    from generate_series(1, {count}) i
"""


def fill(db: Any, table: str, count: int) -> None:
    """Make a table of `count` rows anew by a stretto Database, and leave it as one that has been in use for a while."""
    db.execute(f"drop table if exists {table}")
    db.execute(f"create table {table} ({COLUMNS}, primary key (id))")
    db.execute(f"insert into {table} {_SELECT.format(count=count)}")
    db.execute(f"vacuum (freeze, analyze) {table}")


def value(i: int) -> Values:
    """The row with that id."""
    cents = i * 7 % 100000
    created = _START + timedelta(seconds=i, microseconds=i)
    return i, f"name of {i}", created, Decimal(cents).scaleb(-2), i % 3 == 0


def values(count: int) -> Iterator[Values]:
    """The rows of a table of `count`."""
    return map(value, range(1, count + 1))
