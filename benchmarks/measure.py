"""What is read while a contender runs: wall time, CPU of the client and of the server, memory."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import resource
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from benchmarks.contenders import Contender

T = TypeVar("T")


class WrongAnswer(Exception):
    """A contender did not return what the case asks for; its speed is of no interest."""


def expect(found: object, expected: object, what: str) -> None:
    """Raise WrongAnswer unless a contender's result is the right one."""
    if found != expected:
        raise WrongAnswer(f"{what}: {str(found)[:200]} instead of {str(expected)[:200]}")


class Window:
    """Measures a `with` block, or several one after the other: they add up. `who` are the clients, as getrusage's."""

    def __init__(self, server_pid: int | None, who: int = resource.RUSAGE_SELF) -> None:
        self.wall = self.client = self.server = 0.0
        self._server_pid = server_pid
        self._who = who

    def __enter__(self) -> Self:
        self._server_before = _server_times(self._server_pid)
        self._client_before = _client_seconds(self._who)
        self._before = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.wall += time.perf_counter() - self._before
        self.client += _client_seconds(self._who) - self._client_before
        after = _server_times(self._server_pid)
        self.server += sum(used - self._server_before.get(pid, 0) for pid, used in after.items()) / 1e9

    def result(self, operations: float, **more: float) -> dict[str, float]:
        """The figures of `operations` in this window, with what the case adds."""
        figures = {"rate": operations / self.wall, "client_us": self.client / operations * 1e6}
        if self._server_pid is not None:
            figures["server_us"] = self.server / operations * 1e6
        return {**figures, "rss_mb": peak_memory(), **more}


def _client_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _server_times(postmaster: int | None) -> dict[str, int]:
    """Nanoseconds of CPU that each living process of the server has used."""
    times: dict[str, int] = {}
    if postmaster is not None:
        for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            with contextlib.suppress(OSError):  # it ended meanwhile
                times[child] = int(Path(f"/proc/{child}/schedstat").read_text().split()[0])
    return times


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise LookupError(key)


def memory() -> float:
    """Resident memory now, in MB."""
    return _status("VmRSS:")


def peak_memory() -> float:
    """The most resident memory so far, in MB. (ru_maxrss is of no use: it survives exec, so it may be the parent's.)"""
    return _status("VmHWM:")


def forget_peak() -> None:
    """Let the peak start anew from here."""
    Path("/proc/self/clear_refs").write_text("5")


async def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a contender's function, be it blocking or not."""
    result = function(*args)
    return await result if inspect.isawaitable(result) else result


@contextlib.asynccontextmanager
async def opened(contender: Contender, *args: Any) -> AsyncIterator[Any]:
    """What the contender yields, be it blocking or not."""
    if contender.asynchronous:
        async with contender.open(*args) as subject:
            yield subject
    else:
        with contender.open(*args) as subject:
            yield subject


def drive(contender: Contender, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a case's coroutine: on the contender's event loop, or for a blocking one without any (it never waits)."""
    if contender.asynchronous:
        with asyncio.Runner(loop_factory=_loop_factory(contender.loop)) as runner:
            return runner.run(coroutine)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise RuntimeError(f"{contender.name} is blocking, but it waited")


def _loop_factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if loop == "uvloop":
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
        return factory
    return asyncio.new_event_loop
