"""What a transaction around one statement costs, beside the same statement alone.

A contender takes ``(url, callers, connections, sql)`` and yields a list with a function for each caller,
``key -> row``, that runs `sql` (with ``{parameter}`` where the key goes) in a transaction, or without one where its
name says so.
"""

from __future__ import annotations

from typing import Any

from benchmarks import load
from benchmarks.cases import COMMON, WAITS, Case, Column, Job, takes_callers
from benchmarks.contenders import Contender
from benchmarks.measure import Window, drive, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points, select

SQL = {
    "select": select.SQL,
    "update": f"update point set price = price where id = {{parameter}} returning {', '.join(points.FIELDS)}",
}


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "point", sizes.points)


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    return [{"what": what, "callers": callers} for what in SQL for callers in sizes.writers[:2]]


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    callers, sizes = job.variant["callers"], job.sizes
    async with opened(contender, job.url, callers, sizes.connections, SQL[job.variant["what"]]) as functions:
        await select.check(functions, sizes.points)
        keys = [load.keys(caller, sizes.points) for caller in range(callers)]
        await load.callers(contender.asynchronous, functions, keys, sizes.warmup)
        with Window(job.server_pid) as window:
            waits = await load.callers(contender.asynchronous, functions, keys, sizes.seconds)
        await select.check(functions, sizes.points)
    return window.result(len(waits), **load.latencies(waits))


CASE = Case(
    name="transaction",
    about="begin, one statement by primary key that gives the row, commit",
    setup=setup,
    variants=variants,
    takes=takes_callers,
    run=run,
    baselines=("asyncpg held", "asyncpg pool", "psycopg 3 asyncio pool", "psycopg 3 blocking pool"),
    rate=Column("rate", "transactions/s", ",.0f"),
    columns=(*COMMON[:2], *WAITS),
)
