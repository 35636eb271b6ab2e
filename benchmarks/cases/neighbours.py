"""Point selects while two slow statements run again and again on the same pool: does anybody wait for a sleeper?

A contender takes ``(url, connections)`` and yields two functions of its pool, for all callers: ``key -> row``, and one
that lets the server sleep for so many seconds.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from benchmarks import load
from benchmarks.bars import AtLeast, AtMost, Bar
from benchmarks.cases import COMMON, WAITS, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, drive, opened
from benchmarks.sizes import Sizes
from stretto.cli.race.workloads import points, select

SLEEPERS = 2


def setup(db: Any, sizes: Sizes) -> None:
    points.fill(db, "point", sizes.points)


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    return [{"callers": callers} for callers in sizes.neighbours]


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    callers, sizes = job.variant["callers"], job.sizes
    stall = load.stall(2 * sizes.seconds)
    async with opened(contender, job.url, max(sizes.connections, SLEEPERS + 1)) as (ask, sleep):
        await select.check([ask], sizes.points)
        functions, arguments = [ask] * callers, [load.keys(caller, sizes.points) for caller in range(callers)]
        async with _sleepers(contender.asynchronous, sleep, sizes.sleep) as slept:
            await load.callers(contender.asynchronous, functions, arguments, sizes.warmup)
            with Window(job.server_pid) as window:
                waits = await load.callers(contender.asynchronous, functions, arguments, 2 * sizes.seconds)
        await select.check([ask], sizes.points)
    found = load.latencies(waits)
    found["fairness"] = found["max_ms"] / found["mean_ms"]
    return window.result(len(waits), **found, sleep_ms=load.latencies(slept)["mean_ms"], stall_ms=stall * 1e3)


@asynccontextmanager
async def _sleepers(asynchronous: bool, sleep: Callable[[float], Any], seconds: float) -> AsyncIterator[list[float]]:
    """Sleep on the server all the while; gives how long each took, which is there at the end."""
    if not asynchronous:
        with _sleeping_threads(sleep, seconds) as slept:
            yield slept
        return
    slept, stop = [], asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            slept.append(await load.timed_async(sleep, seconds))

    async with asyncio.TaskGroup() as group:
        for _ in range(SLEEPERS):
            group.create_task(work())
        yield slept
        stop.set()


@contextmanager
def _sleeping_threads(sleep: Callable[[float], Any], seconds: float) -> Iterator[list[float]]:
    slept: list[float] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            slept.append(load.timed(sleep, seconds))

    threads = [threading.Thread(target=work) for _ in range(SLEEPERS)]
    for thread in threads:
        thread.start()
    try:
        yield slept
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def bars(variant: Mapping[str, Any]) -> list[Bar]:
    if variant["callers"] != 50:
        return []
    own = "stretto AsyncDatabase"
    return [
        AtLeast(own, 4, ("asyncpg pool",)),
        AtMost(own, "p99_ms", 5, "ms, p99"),
        AtMost(own, "fairness", 10, "times the mean, the longest wait"),
    ]


CASE = Case(
    name="neighbours",
    about=f"point selects beside {SLEEPERS} x pg_sleep on one pool; max/mean: of the waits; sleep: what a sleep took; "
    "stall: how long the client's core stood still at most while the process only read the clock, for as long before",
    bars=bars,
    setup=setup,
    variants=variants,
    run=run,
    baselines=("asyncpg pool", "psycopg 3 asyncio pool"),
    rate=Column("rate", "selects/s", ",.0f"),
    columns=(
        *WAITS,
        Column("mean_ms", "mean ms", ".3g"),
        Column("fairness", "max/mean", ",.0f"),
        Column("sleep_ms", "sleep ms", ",.0f"),
        Column("stall_ms", "stall ms", ".3g"),
        *COMMON[:2],
    ),
)
