"""The flights into the database: by COPY, all in one transaction, and only where they are not there yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from stretto import Connection, Database
from stretto.cli import flights

Progress = Callable[[flights.Table, int], None]


def is_loaded(db: Database) -> bool:
    """Tell whether the five tables are there with all their rows."""
    names = [table.name for table in flights.TABLES]
    if not db.fetchval("select bool_and(to_regclass(name) is not null) from unnest($1::text[]) as name", names):
        return False
    return all(db.fetchval(f"select count(*) from {table.name}") == table.rows for table in flights.TABLES)  # noqa: S608  # our own names


def load(db: Database, progress: Progress) -> float:
    """Make the tables, fill them, and return the seconds it took; ``progress`` hears how many rows went to a table.

    It is one transaction: a load that was broken off leaves nothing, and is done anew the next time.
    """
    begun = time.perf_counter()
    with db.connection() as connection:
        connection.execute("begin")
        _fill(connection, progress)
        connection.execute("commit")
    db.execute("analyze")
    return time.perf_counter() - begun


def _fill(connection: Connection, progress: Progress) -> None:
    for table in flights.TABLES:
        connection.execute(f"drop table if exists {table.name} cascade")
    connection.execute(flights.SCHEMA)
    for table in flights.TABLES:
        connection.copy_in(table.name, _counted(table, progress), columns=table.columns, format="csv")
    connection.execute(flights.REFERENCES)


def _counted(table: flights.Table, progress: Progress) -> Iterator[bytes]:
    """The table's CSV; a piece is counted when the next one is asked for, so when it has been sent."""
    for piece in flights.chunks(table, size=1 << 18):
        yield piece
        progress(table, piece.count(b"\n"))
