"""What is read while a contender runs: wall time, CPU of the client and of the server, memory."""

from __future__ import annotations

import contextlib
import resource
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from stretto.cli.race.meter import client_seconds, peak_memory, status
from stretto.cli.race.subject import WrongAnswer, call, drive, expect, opened

__all__ = [
    "Window",
    "WrongAnswer",
    "call",
    "drive",
    "expect",
    "forget_peak",
    "memory",
    "opened",
    "peak_memory",
]


class Window:
    """Measures a `with` block, or several one after the other: they add up. `who` are the clients, as getrusage's."""

    def __init__(self, server_pid: int | None, who: int = resource.RUSAGE_SELF) -> None:
        self.wall = self.client = self.server = 0.0
        self._server_pid = server_pid
        self._who = who

    def __enter__(self) -> Self:
        self._server_before = _server_times(self._server_pid)
        self._client_before = client_seconds(self._who)
        self._before = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.wall += time.perf_counter() - self._before
        self.client += client_seconds(self._who) - self._client_before
        after = _server_times(self._server_pid)
        self.server += sum(used - self._server_before.get(pid, 0) for pid, used in after.items()) / 1e9

    def result(self, operations: float, **more: float) -> dict[str, float]:
        """The figures of `operations` in this window, with what the case adds."""
        figures = {"rate": operations / self.wall, "client_us": self.client / operations * 1e6}
        if self._server_pid is not None:
            figures["server_us"] = self.server / operations * 1e6
        return {**figures, "rss_mb": peak_memory(), **more}


def _server_times(postmaster: int | None) -> dict[str, int]:
    """Nanoseconds of CPU that each living process of the server has used."""
    times: dict[str, int] = {}
    if postmaster is not None:
        for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            with contextlib.suppress(OSError):  # it ended meanwhile
                times[child] = int(Path(f"/proc/{child}/schedstat").read_text().split()[0])
    return times


def memory() -> float:
    """Resident memory now, in MB."""
    return status("VmRSS:")


def forget_peak() -> None:
    """Let the peak start anew from here."""
    Path("/proc/self/clear_refs").write_text("5")
