"""COPY of tuples, objects or a CSV file into an empty table without indexes (logged, durable as the server is).

A contender takes ``(url, source)``, the source being one of the run's, and yields two functions: one that copies a list
of tuples, a list of objects or the file of that path into `TABLE`, and one that returns the single value of a query. A
`program` takes CSV only, and its copying function returns the seconds that it measured itself.
"""

from __future__ import annotations

import csv
import resource
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.bars import AtLeast, Bar, NotSlower
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points

CHUNKS = 4  # connections of those that use several
TABLE = "loaded"
TYPES = ("int4", "text", "timestamptz", "numeric", "bool")
_EMPTY = "select empty_loaded()"
_DIFFERENT = "select count(*) from (select * from loaded except all select * from to_load) d"


@dataclass(slots=True)
class Item:
    """A row as an object."""

    id: int
    name: str
    created: datetime
    price: Decimal
    active: bool


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "to_load", sizes.copy_rows)
    db.execute(f"create table loaded ({points.COLUMNS})")
    db.execute("create function empty_loaded() returns int language plpgsql as 'begin truncate loaded; return 1; end'")


@contextmanager
def made(source: str, count: int) -> Iterator[Any]:
    """What is copied: a list, or the path of a file that is removed at the end."""
    if source == "tuples":
        yield list(points.values(count))
    elif source == "objects":
        yield [Item(*values) for values in points.values(count)]
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
            csv.writer(file).writerows(points.values(count))
            file.flush()
            yield Path(file.name)


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    source, count, seconds = job.variant["source"], job.sizes.copy_rows, []
    with made(source, count) as rows:
        async with opened(contender, job.url, source) as (copy, value):
            await call(value, _EMPTY)
            await call(copy, rows)
            expect(await call(value, "select count(*) from loaded"), count, "number of rows")
            expect(await call(value, _DIFFERENT), 0, "rows that differ")
            window = Window(job.server_pid, resource.RUSAGE_CHILDREN if contender.program else resource.RUSAGE_SELF)
            for _ in range(job.sizes.repeats):
                await call(value, _EMPTY)
                before = window.wall
                with window:
                    own = await call(copy, rows)
                seconds.append(own if contender.program else window.wall - before)
            expect(await call(value, "select count(*) from loaded"), count, "number of rows")
    figures = window.result(count * job.sizes.repeats)
    if contender.program:
        del figures["rss_mb"]  # ours, not the program's
    return {**figures, "rate": count / statistics.median(seconds)}


def takes(contender: Contender, variant: Mapping[str, Any]) -> bool:
    return not contender.program or variant["source"] == "CSV"


OWN = ("stretto blocking", "stretto asyncio")
PARALLEL = f"stretto blocking, {CHUNKS} chunks"


def bars(variant: Mapping[str, Any]) -> list[Bar]:
    if variant["source"] == "CSV":
        peers = [(0.9, "psql \\copy")]
    else:
        peers = [(1.5, "asyncpg"), (2.0, "psycopg 3")]
    return [
        *(AtLeast(own, times, (peer,)) for own in OWN for times, peer in peers),
        NotSlower(PARALLEL, ("stretto blocking, 1 chunk",)),
    ]


CASE = Case(
    name="copy",
    about="rows of 5 columns by COPY into an empty, logged table without indexes",
    setup=setup,
    run=run,
    baselines=("asyncpg", "psycopg 3", "psql \\copy"),
    rate=Column("rate", "rows/s", ",.0f"),
    columns=COMMON,
    variants=lambda sizes: [{"source": source} for source in sizes.sources],
    takes=takes,
    bars=bars,
)
