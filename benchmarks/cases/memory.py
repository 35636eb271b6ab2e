"""What an open connection, idle after one select, holds of the client's memory.

A contender takes ``(url, count)`` and yields two functions: one that opens so many connections more (`count` in all at
most), selects a row on each and keeps them, and one that gives the single value of a query.
"""

from __future__ import annotations

import gc
import time
from typing import Any

from benchmarks.cases import Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import call, drive, expect, memory, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points

FIRST = 2  # they bring what all share: imports, descriptions, the allocator's first blocks
# Ours are those that began after the one that asks, which is the first: others may be ending yet.
_OPEN = """
    select count(*)::int from pg_stat_activity
    where backend_start > (select backend_start from pg_stat_activity where pid = pg_backend_pid())
          and datname = current_database() and backend_type = 'client backend'
"""
_PAGE = 4 / 1024  # MB: less than that is not seen


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "point", sizes.points)


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    count = job.sizes.idle
    async with opened(contender, job.url, count + FIRST) as (grow, value):
        await call(grow, FIRST)
        gc.collect()
        before, begun = memory(), time.perf_counter()
        await call(grow, count)
        seconds = time.perf_counter() - begun
        gc.collect()
        grown = max(memory() - before, _PAGE)
        expect(await call(value, _OPEN), count + FIRST - 1, "connections opened")
    kilobytes = grown * 1024 / count
    return {"rate": 1 / kilobytes, "kb": kilobytes, "open_ms": seconds / count * 1e3, "rss_mb": before + grown}


CASE = Case(
    name="memory",
    about="an open, idle connection that has answered one select: growth of the client's resident memory",
    setup=setup,
    run=run,
    baselines=("asyncpg", "psycopg 3 blocking", "psycopg2"),
    rate=Column("kb", "KB a connection", ".1f"),
    columns=(Column("open_ms", "to open, ms", ".2f"), Column("rss_mb", "RSS MB", ",.0f")),
)
