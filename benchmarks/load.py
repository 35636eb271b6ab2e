"""Callers, and the time that a single call takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stretto.cli.race.load import callers, keys
from stretto.cli.race.meter import latencies

__all__ = ["callers", "keys", "latencies", "stall", "timed", "timed_async"]


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


def stall(seconds: float) -> float:
    """The longest time, in seconds, for which this process stood still while it only read the clock.

    What a wait has of that is the machine's: another process, an interrupt, a host that gave the core to somebody else.
    """
    clock = time.perf_counter
    longest, before = 0.0, clock()
    end = before + seconds
    while before < end:
        now = clock()
        if now - before > longest:
            longest = now - before
        before = now
    return longest
