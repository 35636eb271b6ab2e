"""A large result read row by row in bounded memory.

A contender takes ``(url,)`` and yields a function that gives an iterator, or an async one, over the rows of `SQL`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bars import AtMost, Bar
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, drive, expect, forget_peak, memory, opened, peak_memory
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points

SQL = "select id, name, created, price, active from stream"
BATCH = 1000  # rows a batch, for everybody


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "stream", sizes.stream_rows)


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    count = job.sizes.stream_rows
    async with opened(contender, job.url) as stream:
        await _check(stream(), contender.asynchronous, count)
        forget_peak()
        before = memory()
        with Window(job.server_pid) as window:
            read = await _consume(stream(), contender.asynchronous)
        growth = peak_memory() - before
        expect(read, count, "number of rows")
    return window.result(count, growth_mb=growth)


async def _check(rows: Any, asynchronous: bool, count: int) -> None:
    expected = points.values(count)
    if asynchronous:
        async for row in rows:
            expect(tuple(row), next(expected), "row")
    else:
        for row in rows:
            expect(tuple(row), next(expected), "row")
    expect(next(expected, None), None, "rows after the last")


async def _consume(rows: Any, asynchronous: bool) -> int:
    count = 0
    if asynchronous:
        async for _id, _name, _created, _price, _active in rows:
            count += 1
    else:
        for _id, _name, _created, _price, _active in rows:
            count += 1
    return count


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    return [AtMost(own, "growth_mb", 4, "MB of growth") for own in ("stretto blocking", "stretto asyncio")]


CASE = Case(
    name="stream",
    bars=bars,
    about=f"rows x 5 columns read one by one, {BATCH} in a batch; growth: peak memory over that after a first pass",
    setup=setup,
    run=run,
    baselines=("asyncpg cursor", "psycopg 3 server-side cursor"),
    rate=Column("rate", "rows/s", ",.0f"),
    columns=(Column("growth_mb", "growth MB", ".1f"), *COMMON),
)
