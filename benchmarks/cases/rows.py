"""Many rows of five columns (int4, text, timestamptz, numeric, bool) as rows and as objects.

A contender takes ``(url,)`` and yields a function that fetches all rows of `SQL` as a list, and how a user reads one:
``"attributes"``, ``"names"`` or ``"unpack"``. The rate is that of fetching and reading every field; dropping the list
is measured apart. The garbage collector is on with its usual thresholds.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.bars import AtLeast, Bar
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points

SQL = "select id, name, created, price, active from many"


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "many", sizes.rows)


def _read_attributes(rows: list[Any]) -> None:
    for row in rows:
        _id = row.id
        _name = row.name
        _created = row.created
        _price = row.price
        _active = row.active


def _read_names(rows: list[Any]) -> None:
    for row in rows:
        _id = row["id"]
        _name = row["name"]
        _created = row["created"]
        _price = row["price"]
        _active = row["active"]


def _read_unpack(rows: list[Any]) -> None:
    for _id, _name, _created, _price, _active in rows:
        pass


_READ: dict[str, Callable[[list[Any]], None]] = {
    "attributes": _read_attributes,
    "names": _read_names,
    "unpack": _read_unpack,
}


def _as_values(rows: list[Any], way: str) -> list[tuple[Any, ...]]:
    if way == "attributes":
        return [tuple(getattr(row, name) for name in points.FIELDS) for row in rows]
    if way == "names":
        return [tuple(row[name] for name in points.FIELDS) for row in rows]
    return [tuple(row) for row in rows]


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    count, phases = job.sizes.rows, []
    async with opened(contender, job.url) as (fetch, way):
        found = _as_values(await call(fetch), way)
        expect(len(found), count, "number of rows")
        for row, expected in zip(found, points.values(count), strict=True):
            expect(row, expected, f"row {expected[0]}")
        del found, row, expected
        gc.collect()
        window = Window(job.server_pid)
        clock = time.perf_counter
        for _ in range(job.sizes.repeats):
            with window:
                started = clock()
                rows = await call(fetch)
                fetched = clock()
                _READ[way](rows)
                read = clock()
            expect(len(rows), count, "number of rows")
            dropping = clock()
            del rows
            phases.append((fetched - started, read - fetched, clock() - dropping))
    fetch_ns, read_ns, drop_ns = (statistics.median(phase) / count * 1e9 for phase in zip(*phases, strict=True))
    figures = window.result(count * job.sizes.repeats, fetch_ns=fetch_ns, read_ns=read_ns, drop_ns=drop_ns)
    return {**figures, "rate": 1e9 / (fetch_ns + read_ns)}


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    return [
        bar
        for own in ("stretto asyncio slotted dataclass", "stretto blocking slotted dataclass")
        for bar in (
            AtLeast(own, 2, ("asyncpg Records",)),
            AtLeast(own, 1.5, ("psycopg2 tuples",)),
            AtLeast(own, 10, ("SQLAlchemy ORM, asyncpg", "SQLAlchemy ORM, psycopg2")),
        )
    ]


CASE = Case(
    name="rows",
    bars=bars,
    about="rows x 5 columns (int4, text, timestamptz, numeric, bool) in one list, fetched and every field read; GC on",
    setup=setup,
    run=run,
    baselines=("asyncpg Records", "psycopg2 tuples", "SQLAlchemy ORM, psycopg2"),
    rate=Column("rate", "rows/s", ",.0f"),
    columns=(
        Column("fetch_ns", "fetch ns/row", ",.0f"),
        Column("read_ns", "read ns/row", ",.0f"),
        Column("drop_ns", "drop ns/row", ",.0f"),
        *COMMON,
    ),
)
