"""A graph of objects, `stretto.cli.race.workloads.graph`, of 1,000 parents.

The rate is that of fetching; what it takes to visit every object, and to drop them all, is measured apart. The garbage
collector is on with its usual thresholds.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.bars import AtLeast, Bar
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import graph


def setup(db: Any, sizes: Sizes) -> None:
    graph.fill(db, sizes.parents)


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    count, phases = job.sizes.parents, []
    async with opened(contender, job.url) as fetch:
        graph.check(await call(fetch), count)
        gc.collect()
        window, clock = Window(job.server_pid), time.perf_counter
        for _ in range(job.sizes.repeats):
            started = clock()
            with window:
                parents = await call(fetch)
            fetched = clock()
            expect(graph.visit(parents), count * graph.CHILDREN * graph.GRANDCHILDREN, "number of grandchildren")
            visited = clock()
            del parents
            phases.append((fetched - started, visited - fetched, clock() - visited))
    fetch_ms, visit_ms, drop_ms = (statistics.median(phase) * 1e3 for phase in zip(*phases, strict=True))
    objects = count * graph.EACH
    figures = window.result(objects * job.sizes.repeats, fetch_ms=fetch_ms, visit_ms=visit_ms, drop_ms=drop_ms)
    return {**figures, "rate": objects / fetch_ms * 1e3}


def bars(_variant: Mapping[str, Any]) -> list[Bar]:
    found: list[Bar] = []
    for own in ("stretto asyncio", "stretto blocking"):
        found += [
            AtLeast(own, 1 / 0.7, ("asyncpg three queries, stitched", "asyncpg three whole tables, stitched")),
            AtLeast(own, 15, ("SQLAlchemy selectinload, psycopg2", "SQLAlchemy selectinload, asyncpg")),
            AtLeast(own, 8, ("Tortoise prefetch_related",)),
        ]
    return found


CASE = Case(
    name="graph",
    about=f"parents x {graph.CHILDREN} x {graph.GRANDCHILDREN} below them as objects; the rate is of fetching; GC on",
    setup=setup,
    run=run,
    baselines=(
        "asyncpg three queries, stitched",
        "SQLAlchemy selectinload, asyncpg",
        "Tortoise prefetch_related",
    ),
    rate=Column("rate", "objects/s", ",.0f"),
    columns=(
        Column("fetch_ms", "fetch ms"),
        Column("visit_ms", "visit ms"),
        Column("drop_ms", "drop ms"),
        *COMMON,
    ),
    bars=bars,
)
