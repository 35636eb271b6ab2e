"""Callers that ask again as soon as they have their answer: as threads (greenlets, where gevent is in) or as tasks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

from stretto.cli.race.subject import call


def keys(seed: int, count: int) -> cycle[int]:
    """Keys from 1 to `count`, in an order that belongs to a caller."""
    return cycle(random.Random(seed).choices(range(1, count + 1), k=1000))  # noqa: S311  # not a secret


async def callers(
    asynchronous: bool,
    functions: Sequence[Callable[[Any], Any]],
    arguments: Sequence[Iterator[Any]],
    seconds: float,
    waits: Callable[[], list[float]] = list,
) -> list[float]:
    """Let each function be called by a caller of its own, once at least, and return how long each call took.

    `waits` gives each caller the list to which it appends these, so that they can be counted meanwhile.
    """
    kept = [waits() for _ in functions]
    await call(_tasks if asynchronous else _threads, functions, arguments, kept, seconds)
    return [wait for each in kept for wait in each]


async def _tasks(
    functions: Sequence[Any], arguments: Sequence[Iterator[Any]], waits: Sequence[list[float]], seconds: float
) -> None:
    stop = time.perf_counter() + seconds
    await asyncio.gather(*(_ask_async(*each, stop) for each in zip(functions, arguments, waits, strict=True)))


async def _ask_async(function: Callable[[Any], Any], arguments: Iterator[Any], waits: list[float], stop: float) -> None:
    clock = time.perf_counter
    now = clock()
    while not waits or now < stop:
        before = now
        await function(next(arguments))
        now = clock()
        waits.append(now - before)


def _threads(
    functions: Sequence[Any], arguments: Sequence[Iterator[Any]], waits: Sequence[list[float]], seconds: float
) -> None:
    stop = time.perf_counter() + seconds
    if len(functions) == 1:
        _ask(functions[0], arguments[0], waits[0], stop)
        return
    with ThreadPoolExecutor(len(functions)) as pool:
        for _ in pool.map(_ask, functions, arguments, waits, [stop] * len(functions)):
            pass  # what a caller raised comes out here


def _ask(function: Callable[[Any], Any], arguments: Iterator[Any], waits: list[float], stop: float) -> None:
    clock = time.perf_counter
    now = clock()
    while not waits or now < stop:
        before = now
        function(next(arguments))
        now = clock()
        waits.append(now - before)
