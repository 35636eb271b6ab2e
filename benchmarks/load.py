"""Callers that ask again as soon as they have their answer: as threads (greenlets, where gevent is in) or as tasks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

from benchmarks.measure import call


def keys(seed: int, count: int) -> cycle[int]:
    """Keys from 1 to `count`, in an order that belongs to a caller."""
    return cycle(random.Random(seed).choices(range(1, count + 1), k=1000))


async def callers(
    asynchronous: bool, functions: Sequence[Callable[[Any], Any]], arguments: Sequence[Iterator[Any]], seconds: float
) -> list[float]:
    """Let each function be called by a caller of its own, once at least, and return how long each call took."""
    waits = await call(_tasks if asynchronous else _threads, functions, arguments, seconds)
    return [wait for each in waits for wait in each]


def latencies(waits: list[float]) -> dict[str, float]:
    """Median, 99th percentile, longest and mean of the waits, in milliseconds."""
    ordered = sorted(waits)
    share = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    found = {name: ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1e3 for name, part in share.items()}
    return {**found, "mean_ms": sum(ordered) / len(ordered) * 1e3}


async def _tasks(functions: Sequence[Any], arguments: Sequence[Iterator[Any]], seconds: float) -> list[list[float]]:
    stop = time.perf_counter() + seconds
    return await asyncio.gather(*(_ask_async(*each, stop) for each in zip(functions, arguments, strict=True)))


async def _ask_async(function: Callable[[Any], Any], arguments: Iterator[Any], stop: float) -> list[float]:
    waits, clock = [], time.perf_counter
    now = clock()
    while not waits or now < stop:
        before = now
        await function(next(arguments))
        now = clock()
        waits.append(now - before)
    return waits


def _threads(functions: Sequence[Any], arguments: Sequence[Iterator[Any]], seconds: float) -> list[list[float]]:
    stop = time.perf_counter() + seconds
    if len(functions) == 1:
        return [_ask(functions[0], arguments[0], stop)]
    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(_ask, functions, arguments, [stop] * len(functions)))


def _ask(function: Callable[[Any], Any], arguments: Iterator[Any], stop: float) -> list[float]:
    waits, clock = [], time.perf_counter
    now = clock()
    while not waits or now < stop:
        before = now
        function(next(arguments))
        now = clock()
        waits.append(now - before)
    return waits


def timed(function: Callable[[Any], Any], argument: Any) -> float:
    """Seconds that one call takes."""
    before = time.perf_counter()
    function(argument)
    return time.perf_counter() - before


async def timed_async(function: Callable[[Any], Any], argument: Any) -> float:
    """Seconds that one call of a coroutine function takes."""
    before = time.perf_counter()
    await function(argument)
    return time.perf_counter() - before
