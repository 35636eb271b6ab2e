"""Callers, and the time that a single call takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stretto.cli.race.load import callers, keys
from stretto.cli.race.meter import latencies

__all__ = ["callers", "keys", "latencies", "timed", "timed_async"]


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
