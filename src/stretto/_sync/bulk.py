# Generated from src/stretto/_async/bulk.py by tools/make_sync.py: do not edit.
"""Bulk loads for blocking code, threads and gevent: from a source into a table, over one connection or several."""

from __future__ import annotations

from time import monotonic
from typing import Any

from stretto._sync.session import session_of
from stretto._sync.transacting import Transacting
from stretto.flows.ambient import scope_of
from stretto.flows.bulk import Chunk, Job, Report, table_named
from stretto.runtime.blocking import Link


class Lane(Transacting):
    """Transactions of a Database that are nobody's surroundings: what a source asks of the Database is outside."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self._shared = db._shared
        self._track_commit = db._track_commit

    def _take(self, timeout: float | None) -> Any:
        return self._db._take(timeout)

    def _give(self, link: Link) -> Any:
        return self._db._give(link)


def load(db: Any, job: Job) -> Report:
    """Do what copy_in() was asked for."""
    begun = monotonic()
    if scope_of(db) is not None:
        rows = _copy(db, job)
    else:
        lane = Lane(db)
        with lane.transaction():
            rows = _copy(lane, job)
    return Report(rows, (Chunk(0, rows, rows),), seconds=monotonic() - begun)


def _copy(door: Any, job: Job) -> int:
    name, _ = table_named(job.target)
    with session_of(door) as connection:
        tag = connection.copy_in(name, job.source, columns=job.columns, format=job.format, **job.options)
    return int(tag.rpartition(" ")[2])
