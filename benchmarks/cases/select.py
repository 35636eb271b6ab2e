"""Point selects by primary key, with 1, 10, 100 and 1000 callers at a time; `stretto.cli.race.workloads.select`."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Any

from benchmarks import load
from benchmarks.bars import AtLeast, AtMost, Bar, NotSlower
from benchmarks.cases import COMMON, WAITS, Case, Column, Job, takes_callers
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points, select


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "point", sizes.points)


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    return [{"callers": callers} for callers in sizes.callers]


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, (_program if contender.program else _run)(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    callers, sizes = job.variant["callers"], job.sizes
    together = min(contender.together, callers)
    async with opened(contender, job.url, callers, sizes.connections) as functions:
        expect(len(functions) * together, callers, "callers served")
        await select.check(functions, sizes.points, together)
        arguments = [select.arguments(caller, sizes.points, together) for caller in range(len(functions))]
        await load.callers(contender.asynchronous, functions, arguments, sizes.warmup)
        with Window(job.server_pid) as window:
            waits = await load.callers(contender.asynchronous, functions, arguments, sizes.seconds)
        await select.check(functions, sizes.points, together)
    return window.result(len(waits) * together, **load.latencies(waits))


async def _program(contender: Contender, job: Job) -> dict[str, float]:
    callers, sizes = job.variant["callers"], job.sizes
    async with opened(contender, job.url, callers, sizes.points) as program:
        # Its connections are gone before the server's times could be read.
        with Window(None, resource.RUSAGE_CHILDREN) as window:
            selects, rate = await call(program, sizes.seconds)
    figures = window.result(selects)
    del figures["rss_mb"]  # ours, not the program's
    return {**figures, "rate": rate}


_LOOPS = ("", " + uvloop")
_HELD = (
    *(f"asyncpg held{loop}" for loop in _LOOPS),
    "psycopg 3 asyncio held",
    "psycopg 3 blocking held",
    "psycopg2 held",
)
_POOLS = (
    *(f"asyncpg pool{loop}" for loop in _LOOPS),
    "psycopg 3 asyncio pool",
    "psycopg 3 blocking pool",
    "psycopg 3 pipeline by hand",
    "psycopg2 pool",
    "psycopg2 gevent",
)


def bars(variant: Mapping[str, Any]) -> list[Bar]:
    own, blocking = "stretto AsyncDatabase", "stretto Database"
    match variant["callers"]:
        case 1:
            return [
                *(NotSlower(f"{own}{loop}", (f"asyncpg held{loop}",)) for loop in _LOOPS),
                NotSlower(blocking, ("psycopg 3 blocking held", "psycopg2 held")),
            ]
        case 10:
            return [AtLeast(own, 1.8, (*_HELD, *_POOLS)), AtLeast(blocking, 1.3, ("psycopg2 held",))]
        case 100:
            return [
                AtLeast(own, 12, ("asyncpg pool",)),
                AtLeast(own, 3.5, _POOLS),
                AtLeast(own, 0.5, ("pgbench pipeline",)),
                AtMost(own, "client_us", 9, "us of the client a select"),
            ]
    return []


CASE = Case(
    name="select",
    bars=bars,
    about="point select of five columns by primary key, autocommit",
    setup=setup,
    variants=variants,
    takes=takes_callers,
    run=run,
    baselines=(
        "asyncpg held",
        "asyncpg pool",
        "psycopg 3 blocking held|psycopg 3 asyncio pool",
        "psycopg2 held|psycopg2 pool|psycopg2 gevent",
        "pgbench pipeline|pgbench",
    ),
    rate=Column("rate", "selects/s", ",.0f"),
    columns=(*COMMON, *WAITS),
)
