"""The mixed load, `stretto.cli.race.workloads.mixed`, of 35,000 operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bars import AtLeast, AtMost, Bar
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, drive
from stretto.cli.race.workloads import mixed

_NOT_HERE = ("tortoise_", "piccolo_")  # so long that the whole run would be twice as long: in the race they are


def run(contender: Contender, job: Job) -> dict[str, float]:
    window, todo = Window(job.server_pid), mixed.operations(job.sizes.operations)
    drive(contender, mixed.carry_out(contender, job.url, job.sizes.connections, todo, lambda: window, None))
    return window.result(len(todo), seconds=window.wall)


def takes(contender: Contender, _variant: Mapping[str, Any]) -> bool:
    return not contender.module.endswith(_NOT_HERE)


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    own = "stretto asyncio, all at once"
    alchemy = ("SQLAlchemy, psycopg2, one by one", "SQLAlchemy, psycopg2, threads")
    alchemy_async = ("SQLAlchemy, asyncpg, all at once", f"SQLAlchemy, asyncpg, chunks of {mixed.CHUNK}")
    return [
        AtLeast(own, 8, alchemy + alchemy_async),
        AtLeast(own, 1.4, ("asyncpg by hand, all at once", f"asyncpg by hand, chunks of {mixed.CHUNK}")),
        AtMost(own, "rss_mb", 100, "MB"),
    ]


CASE = Case(
    name="mixed",
    about="half writes (a transaction: 3 a and 5 b, keys from the server), half reads (the first 10 a with their b)",
    setup=mixed.setup,
    run=run,
    takes=takes,
    baselines=(
        "asyncpg by hand, all at once",
        f"SQLAlchemy, asyncpg, chunks of {mixed.CHUNK}",
        "SQLAlchemy, psycopg2, one by one",
    ),
    rate=Column("rate", "operations/s", ",.0f"),
    columns=(Column("seconds", "seconds", ",.2f"), *COMMON),
    bars=bars,
)
