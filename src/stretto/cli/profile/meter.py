"""The clocks: wall, the thread's CPU, and what the kernel tells of this thread and of the server's process."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from pathlib import Path

from stretto.cli.profile.parts import Slice

_OWN = Path("/proc/thread-self/schedstat")


class Meter:
    """Measures from when it is made until `read`. ``pid``: of the server's process, where it runs on this machine."""

    __slots__ = ("_cpu", "_own", "_server", "_server_file", "_usage", "_wall")

    def __init__(self, pid: int | None = None) -> None:
        self._server_file = _file(pid)
        self._server = _schedule(self._server_file)
        self._own = _schedule(_OWN)
        self._usage = resource.getrusage(resource.RUSAGE_THREAD)
        self._cpu = time.thread_time()
        self._wall = time.perf_counter()

    def read(self, calls: int) -> Slice:
        """What has passed, for that many calls."""
        wall, cpu = time.perf_counter() - self._wall, time.thread_time() - self._cpu
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        own, server = _passed(self._own, _schedule(_OWN)), _passed(self._server, _schedule(self._server_file))
        return Slice(
            calls,
            wall,
            cpu,
            user=usage.ru_utime - self._usage.ru_utime,
            system=usage.ru_stime - self._usage.ru_stime,
            delayed=own[1] if own else 0.0,
            backend=server[0] if server else None,
            held_up=server[1] if server else 0.0,
        )


def server_process(pid: int) -> int | None:
    """The process, if it is a PostgreSQL on this machine whose CPU time can be read."""
    with suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres" and _schedule(_file(pid)):
            return pid
    return None


_Schedule = tuple[float, float] | None  # seconds on a core, and without one; None: the kernel does not tell


def _file(pid: int | None) -> Path | None:
    return None if pid is None else Path(f"/proc/{pid}/schedstat")


def _schedule(file: Path | None) -> _Schedule:
    if file is not None:
        with suppress(OSError, ValueError):
            on, without, _ = map(int, file.read_text().split())
            return on / 1e9, without / 1e9
    return None


def _passed(before: _Schedule, after: _Schedule) -> _Schedule:
    return None if before is None or after is None else (after[0] - before[0], after[1] - before[1])
