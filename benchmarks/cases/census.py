"""The census of the race as a benchmark: both phases' rates, with and without waiting for the disk.

`commits` is synchronous_commit: where it is off nobody waits for the disk, and what is left is the driver and the
server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bars import AtLeast, Bar, NotSlower
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, opened
from stretto.cli.race.workloads import records
from stretto.cli.race.workloads.census import LINES, PLACES, WARM, all_of, check, setup


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    places = max(job.sizes.elements // records.PER_PLACE, 1)
    workers = job.variant["workers"]
    async with opened(contender, _url(job), workers, job.sizes.shared_by_workers) as subject:
        await call(subject.value, records.START)
        await all_of(WARM, subject, contender.asynchronous, workers * 10)
        with Window(job.server_pid) as first:
            await all_of(PLACES, subject, contender.asynchronous, places)
        await call(subject.value, records.ANALYZE)
        with Window(job.server_pid) as second:
            lines = await all_of(LINES, subject, contender.asynchronous, places * records.SEGMENTS, job.sizes.sample)
        connections = await call(subject.value, records.CONNECTIONS)
        await check(subject.value, places, lines)
    geo, elements = first.result(places), lines * records.PER_LINE
    figures = {"geo_rate": geo["rate"], "geo_client_us": geo["client_us"], "connections": connections}
    return second.result(elements, elements=elements, **figures)


def _url(job: Job) -> str:
    """The server, with a name that tells which connections are this process's, and what a commit waits for."""
    settings = f"application_name=census_{os.getpid()}&options=-c%20synchronous_commit%3D{job.variant['commits']}"
    return f"{job.url}{'&' if urlsplit(job.url).query else '?'}{settings}"


OWN = ("stretto asyncio", "stretto run()", "stretto gevent", "stretto threads")
PEERS = (
    "psycopg2 threads",
    "psycopg2 threads, pool",
    "psycopg2 gevent",
    "psycopg 3 threads",
    "psycopg 3 threads, pool",
    "psycopg 3 asyncio",
    "psycopg 3 asyncio, pool",
    "asyncpg",
    "asyncpg + uvloop",
    "asyncpg, pool",
    "asyncpg, pool + uvloop",
    "aiopg",
)
BULK = "stretto copy_in of rows"
BY_HAND = ("asyncpg COPY of rows", "psycopg 3 COPY of rows", "asyncpg COPY of lines", "psycopg 3 COPY of lines")


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    phases = (("geo_rate", "records/s"), ("rate", "elements/s"))
    return [
        *(AtLeast(own, 1.5, PEERS, key, unit) for own in OWN for key, unit in phases),
        AtLeast(BULK, 8, OWN + PEERS),
        NotSlower(BULK, BY_HAND),
    ]


CASE = Case(
    name="census",
    about=f"per place a record, then {records.SEGMENTS} lines: a select, a join and {records.PER_LINE} inserts each",
    setup=setup,
    run=run,
    baselines=("psycopg2 threads", "asyncpg", BY_HAND[0]),
    rate=Column("rate", "elements/s", ",.0f"),
    columns=(
        Column("geo_rate", "records/s", ",.0f"),
        Column("elements", "elements", ",.0f"),
        Column("connections", "connections", ".0f"),
        *COMMON,
        Column("geo_client_us", "client us/record", ",.3g"),
    ),
    variants=lambda sizes: [{"workers": sizes.workers, "commits": commits} for commits in sizes.commits],
    bars=bars,
)
