"""What is read while a contender runs: how far it is, how long its callers waited, CPU of its process, memory."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FOR_P99 = 100  # waits
_RECENT = 1000  # waits that a p99 on the way is of: to sort them takes a tenth of a millisecond
_EVERY = 0.1  # seconds between two words of how far it is


def client_seconds(who: int = resource.RUSAGE_SELF) -> float:
    """CPU seconds of a process, user and system, all its threads."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def status(key: str) -> float:
    """A size of /proc/self/status, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise LookupError(key)


def peak_memory() -> float:
    """The most resident memory so far, in MB. (ru_maxrss is of no use: it survives exec, so it may be the parent's.)"""
    return status("VmHWM:")


def latencies(waits: list[float]) -> dict[str, float]:
    """Median, 99th percentile, longest and mean of the waits, in milliseconds.

    A percentile is the least wait that so many of 100 were no longer than. Of fewer than 100 waits there is no p99: it
    would be the longest.
    """
    ordered = sorted(waits)
    share = {"p50_ms": 50, "p99_ms": 99, "max_ms": 100}
    if len(ordered) < _FOR_P99:
        del share["p99_ms"]
    found = {name: ordered[max(-(-len(ordered) * part // 100) - 1, 0)] * 1e3 for name, part in share.items()}
    return {**found, "mean_ms": sum(ordered) / len(ordered) * 1e3}


class Meter:
    """Tells how far a contender is, ten times a second, by a thread (under gevent: a greenlet) that does little.

    Args:
        say: takes what is told: ``{"state": "starting"}``, then ``{"state": "running", "done": 512, "seconds": 0.3,
            "so_far": {"client_us": 21.5, "p99_ms": 1.2}}``.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        self._say = say
        self._waits: list[list[float]] = []
        self._each = 1
        self._begun: float | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._tell, daemon=True).start()

    def waits(self) -> list[float]:
        """A new list, to which a caller appends how long each of its calls took."""
        self._waits.append([])
        return self._waits[-1]

    @contextmanager
    def counting(self, each: int = 1) -> Iterator[None]:
        """Measure the block, in which each wait stands for `each` operations."""
        self._each = each
        self._cpu_before, self._begun = client_seconds(), time.perf_counter()
        yield
        self._wall, self._cpu = time.perf_counter() - self._begun, client_seconds() - self._cpu_before
        self._ended.set()

    def figures(self) -> dict[str, float]:
        """What was measured."""
        done = self._done()
        return {
            "operations": done,
            "seconds": self._wall,
            "rate": done / self._wall,
            "client_us": self._cpu / done * 1e6,
            "client_share": self._cpu / self._wall,
            "rss_mb": peak_memory(),
            **latencies([wait for waits in self._waits for wait in waits]),
        }

    def _done(self) -> int:
        return sum(map(len, self._waits)) * self._each

    def _so_far(self, done: int) -> dict[str, float]:
        """CPU for an operation, and p99 of the last waits, where there are some."""
        if not done:
            return {}
        each = max(1, _RECENT // len(self._waits))
        recent = [wait for waits in self._waits[:_RECENT] for wait in waits[-each:]]
        cpu = {"client_us": (client_seconds() - self._cpu_before) / done * 1e6}
        return cpu | {name: wait for name, wait in latencies(recent).items() if name == "p99_ms"}

    def _tell(self) -> None:
        try:
            while not self._ended.wait(_EVERY):
                if self._begun is None:
                    self._say({"state": "starting"})
                else:
                    done, seconds = self._done(), time.perf_counter() - self._begun
                    self._say({"state": "running", "done": done, "seconds": seconds, "so_far": self._so_far(done)})
        except BrokenPipeError:  # nobody listens any more
            os._exit(1)
