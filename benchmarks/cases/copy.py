"""COPY of Python tuples into an empty table without indexes (logged, and durable as the server is).

A contender takes ``(url,)`` and yields two functions: one that copies a list of tuples into `TABLE`, and
one that returns the single value of a query.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points

TABLE = "loaded"
TYPES = ("int4", "text", "timestamptz", "numeric", "bool")
_EMPTY = "select empty_loaded()"
_DIFFERENT = "select count(*) from (select * from loaded except all select * from to_load) d"


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "to_load", sizes.copy_rows)
    db.execute(f"create table loaded ({points.COLUMNS})")
    db.execute("create function empty_loaded() returns int language plpgsql as 'begin truncate loaded; return 1; end'")


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    rows = list(points.values(job.sizes.copy_rows))
    seconds = []
    async with opened(contender, job.url) as (copy, value):
        await call(value, _EMPTY)
        await call(copy, rows)
        expect(await call(value, "select count(*) from loaded"), len(rows), "number of rows")
        expect(await call(value, _DIFFERENT), 0, "rows that differ")
        window = Window(job.server_pid)
        for _ in range(job.sizes.repeats):
            await call(value, _EMPTY)
            before = window.wall
            with window:
                await call(copy, rows)
            seconds.append(window.wall - before)
        expect(await call(value, "select count(*) from loaded"), len(rows), "number of rows")
    figures = window.result(len(rows) * job.sizes.repeats)
    return {**figures, "rate": len(rows) / statistics.median(seconds)}


CASE = Case(
    name="copy",
    about="tuples of 5 columns by COPY into an empty, logged table without indexes",
    setup=setup,
    run=run,
    baselines=("asyncpg copy_records_to_table", "psycopg 3 copy binary"),
    rate=Column("rate", "rows/s", ",.0f"),
    columns=COMMON,
)
