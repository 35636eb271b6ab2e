"""A table from one database to another of the same server: both are its work, the client's is to pass the data on.

A contender takes ``(url, to)``, the URLs of both databases, and yields a function that fills the empty `TABLE` of the
second with that of the first. A `program` is made of processes of its own, whose CPU is counted.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bars import AtLeast, Bar
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes
from stretto.cli import urls
from stretto.cli.race.workloads import points

TABLE = "moved"
_SAME = "select count(*), sum(hashtextextended(m::text, 0)) from moved m"


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, TABLE, sizes.copy_rows)


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    from stretto import Database

    with _second(job.url) as to, Database(job.url) as source, Database(to) as target:
        target.execute(f"create table {TABLE} ({points.COLUMNS}, primary key (id))")
        expected = source.fetchrow(_SAME)
        who = resource.RUSAGE_CHILDREN if contender.program else resource.RUSAGE_SELF
        window = Window(job.server_pid, who)
        seconds = []
        async with opened(contender, job.url, to) as copy:
            await call(copy)
            for _ in range(job.sizes.repeats):
                expect(target.fetchrow(_SAME), expected, "count and checksum")
                target.execute(f"truncate {TABLE}")
                before = window.wall
                with window:
                    await call(copy)
                seconds.append(window.wall - before)
        expect(target.fetchrow(_SAME), expected, "count and checksum")
    rows = job.sizes.copy_rows
    figures = window.result(rows * job.sizes.repeats)
    if contender.program:
        del figures["rss_mb"]  # ours, not the programs'
    return {**figures, "rate": rows / statistics.median(seconds)}


@contextmanager
def _second(url: str) -> Iterator[str]:
    """A second database beside that of the run."""
    from stretto import Database

    name = f"{urlsplit(url).path.lstrip('/')}_to"
    with Database(url) as db:
        db.execute(f"drop database if exists {name} with (force)")
        db.execute(f"create database {name}")
        try:
            yield urls.in_database(url, name)
        finally:
            db.execute(f"drop database {name} with (force)")


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    return [AtLeast("stretto blocking", 1.0, ("pg_dump | psql",))]


CASE = Case(
    name="copy_table",
    about="a table of 5 columns and a primary key into the empty one of another database",
    setup=setup,
    run=run,
    baselines=("pg_dump | psql", "psql | psql binary"),
    rate=Column("rate", "rows/s", ",.0f"),
    columns=COMMON,
    bars=bars,
)
