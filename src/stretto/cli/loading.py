"""The flights into the database: by COPY, all in one transaction, and only where they are not there yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from stretto import Database, select
from stretto.cli import flights, models

Progress = Callable[[flights.Table, int], None]


def is_loaded(db: Database) -> bool:
    """Tell whether the five tables are there, as the Models say, with all their rows."""
    if db.check_tables(*models.ALL):
        return False
    return all(db.fetchval(select(table.model).count()) == table.rows for table in flights.TABLES)


def load(db: Database, progress: Progress) -> float:
    """Make the tables, fill them, and return the seconds it took; ``progress`` hears how many rows went to a table.

    It is one transaction: a load that was broken off leaves nothing, and is done anew the next time.
    """
    begun = time.perf_counter()
    with db.transaction():
        _fill(db, progress)
    db.execute("analyze")
    return time.perf_counter() - begun


def _fill(db: Database, progress: Progress) -> None:
    db.drop_tables(*models.ALL)
    db.create_tables(*models.ALL)
    for table in flights.TABLES:
        db.copy_in(table.name, _counted(table, progress), columns=table.columns, format="csv")
    db.execute(flights.REFERENCES)


def _counted(table: flights.Table, progress: Progress) -> Iterator[bytes]:
    """The table's CSV; a piece is counted when the next one is asked for, so when it has been sent."""
    for piece in flights.chunks(table, size=1 << 18):
        yield piece
        progress(table, piece.count(b"\n"))
