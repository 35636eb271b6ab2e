"""Point selects by primary key, with 1, 10 and 100 callers at a time.

A contender takes ``(url, callers, connections)`` and yields a list with a function for each caller, ``key -> row``.
Blocking ones are called from as many threads, the others from as many tasks.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

from benchmarks import data
from benchmarks.cases import COMMON, Case, Column, Job
from benchmarks.contenders import Contender
from benchmarks.measure import Window, call, drive, expect, opened
from benchmarks.sizes import Sizes

SQL = "select id, name, created, price, active from point where id = {parameter}"
_SAMPLE = 20  # keys that are checked, for each of the first callers
_CHECKED_CALLERS = 10


def setup(db: Any, sizes: Sizes) -> None:
    data.fill(db, "point", sizes.points)


def variants(sizes: Sizes) -> list[dict[str, Any]]:
    return [{"callers": callers} for callers in sizes.callers]


def takes(contender: Contender, variant: Mapping[str, Any]) -> bool:
    return contender.callers is None or variant["callers"] in contender.callers


def run(contender: Contender, job: Job) -> dict[str, float]:
    return drive(contender, _run(contender, job))


async def _run(contender: Contender, job: Job) -> dict[str, float]:
    callers, sizes = job.variant["callers"], job.sizes
    async with opened(contender, job.url, callers, sizes.connections) as functions:
        if len(functions) != callers:
            raise ValueError(f"{contender.name} made {len(functions)} functions for {callers} callers")
        await _check(functions, sizes)
        keys = [_keys(caller, sizes.points) for caller in range(callers)]
        work = _tasks if contender.asynchronous else _threads
        await call(work, functions, keys, sizes.warmup)
        with Window(job.server_pid) as window:
            waits = await call(work, functions, keys, sizes.seconds)
        await _check(functions, sizes)
    waits = sorted(wait for each in waits for wait in each)
    share = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    latencies = {name: waits[min(int(len(waits) * part), len(waits) - 1)] * 1e3 for name, part in share.items()}
    return window.result(len(waits), **latencies)


async def _check(functions: list[Callable[[int], Any]], sizes: Sizes) -> None:
    for caller, function in enumerate(functions[:_CHECKED_CALLERS]):
        keys = _keys(caller, sizes.points)
        for _ in range(min(_SAMPLE, sizes.points)):
            key = next(keys)
            row = await call(function, key)
            found = tuple(row) if hasattr(row, "__iter__") else tuple(getattr(row, name) for name in data.FIELDS)
            expect(found, data.value(key), f"row {key}")


def _keys(seed: int, points: int) -> cycle[int]:
    return cycle(random.Random(seed).choices(range(1, points + 1), k=1000))


async def _tasks(functions: list[Any], keys: list[cycle[int]], seconds: float) -> list[list[float]]:
    stop = time.perf_counter() + seconds
    return await asyncio.gather(*(_ask_async(*each, stop) for each in zip(functions, keys, strict=True)))


async def _ask_async(function: Callable[[int], Any], keys: cycle[int], stop: float) -> list[float]:
    waits, clock = [], time.perf_counter
    now = clock()
    while now < stop:
        before = now
        await function(next(keys))
        now = clock()
        waits.append(now - before)
    return waits


def _threads(functions: list[Any], keys: list[cycle[int]], seconds: float) -> list[list[float]]:
    stop = time.perf_counter() + seconds
    if len(functions) == 1:
        return [_ask(functions[0], keys[0], stop)]
    results: list[list[float]] = []

    def work(function: Callable[[int], Any], own: cycle[int]) -> None:
        results.append(_ask(function, own, stop))

    threads = [threading.Thread(target=work, args=each) for each in zip(functions, keys, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(results) != len(threads):
        raise RuntimeError(f"{len(threads) - len(results)} of {len(threads)} callers failed")
    return results


def _ask(function: Callable[[int], Any], keys: cycle[int], stop: float) -> list[float]:
    waits, clock = [], time.perf_counter
    now = clock()
    while now < stop:
        before = now
        function(next(keys))
        now = clock()
        waits.append(now - before)
    return waits


CASE = Case(
    name="select",
    about="point select of five columns by primary key, autocommit",
    setup=setup,
    variants=variants,
    takes=takes,
    run=run,
    baselines=(
        "asyncpg held",
        "asyncpg pool",
        "psycopg 3 blocking held|psycopg 3 blocking pool",
        "psycopg2 held|psycopg2 pool",
    ),
    rate=Column("rate", "selects/s", ",.0f"),
    columns=(
        *COMMON,
        Column("p50_ms", "p50 ms", ".3g"),
        Column("p99_ms", "p99 ms", ".3g"),
        Column("max_ms", "max ms", ".3g"),
    ),
)
