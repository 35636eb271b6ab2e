"""Runs a race: each contender in a fresh process, one after the other, while somebody looks on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.util import find_spec
from typing import IO, Any

from stretto import Database
from stretto.cli import urls
from stretto.cli.race import contenders, workloads
from stretto.cli.race.ground import Ground, Lookout, check
from stretto.cli.race.result import ENDED, Heat, Result, Standing
from stretto.cli.race.worker import PATCHED, PROGRAM
from stretto.cli.race.workloads import Entry, Sizes, Workload
from stretto.errors import ConfigError, printable

_PATIENCE = 60.0  # seconds for a process beyond what it measures
_SLOWEST = 0.05  # seconds that an operation may take on average
_NEEDED_BY = {"gevent": "gevent", "uvloop": "uvloop"}


def chosen(names: Sequence[str], only: str | None) -> list[tuple[Workload, list[Entry]]]:
    """The workloads of those names (all, where there are none), each with those who have a part of `only` in the name.

    Raises:
        ConfigError: there is no such workload, or nobody is left.
    """
    if unknown := [name for name in names if name not in workloads.NAMES]:
        raise ConfigError(f"there is no workload {unknown[0]!r}: there are {', '.join(workloads.NAMES)}")
    parts = [part.strip().lower() for part in (only or "").split("|")]
    found = []
    for name in dict.fromkeys(names or workloads.NAMES):
        workload = workloads.load(name)
        entries = [entry for entry in workload.entries if any(part in entry.title.lower() for part in parts)]
        if entries:
            found.append((workload, entries))
    if not found:
        raise ConfigError(f"nobody has {only!r} in the name, which is as 'stretto, asyncio, pipelining off'")
    return found


class Course:
    """One race. `result` can be read by another thread while `run` is under way, and by the caller after it."""

    def __init__(self, ground: Ground, races: Iterable[tuple[Workload, list[Entry]]], sizes: Sizes) -> None:
        self._ground = ground
        self._races = list(races)
        self._sizes = sizes
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._starting = threading.Lock()  # held where a process becomes known, and where it is told to stop
        self._begun = 0.0
        heats = [Heat.of(workload, sizes, entries) for workload, entries in self._races]
        self.result = Result(ground.settings, sizes, heats)

    def run(self, hear: Callable[[Heat], None] = lambda _: None) -> Result:
        """Let all run, and return what they did; `hear` gets each heat that is over.

        Whatever ends it, no process of it is left.
        """
        self._begun = time.monotonic()
        with Lookout(self._ground, self._seen):
            try:
                for (workload, entries), heat in zip(self._races, self.result.heats, strict=True):
                    self._heat(workload, entries, heat)
                    hear(heat)
            finally:
                self._kill()
        self.result.seconds = self._now()
        return self.result

    def state(self) -> dict[str, Any]:
        """The result so far, for JSON; its seconds are those until now. `conditions`: what its figures were made on."""
        seconds = self.result.seconds or (self._now() if self._begun else 0.0)
        return {**self.result.as_dict(), "seconds": seconds, "conditions": self.result.conditions()}

    def stop(self) -> None:
        """End it, from another thread: who has not run yet does not, and `run` returns."""
        with self._starting:
            self._stopped.set()
            self._kill()

    def _heat(self, workload: Workload, entries: Sequence[Entry], heat: Heat) -> None:
        with Database(self._ground.url) as db:
            check(db, self._ground)
            workload.setup(db, self._sizes)
        for entry, standing in zip(entries, heat.standings, strict=True):
            if self._stopped.is_set():
                return
            if missing := _missing(entry):
                standing.state, standing.reason = "missing", missing
            else:
                self._let_run(workload, entry, standing)

    def _let_run(self, workload: Workload, entry: Entry, standing: Standing) -> None:
        standing.state, standing.begun = "starting", self._now()
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            status = self._follow(self._job(workload, entry), entry, standing, errors)
            standing.ended = self._now()
            if standing.state not in ENDED:
                errors.seek(0)
                said = errors.read().strip().splitlines() or [f"exit status {status}"]
                standing.state = "failed"
                standing.reason = standing.reason or self._without_password(printable(said[-1]))

    def _job(self, workload: Workload, entry: Entry) -> dict[str, Any]:
        sizes = replace(self._sizes, callers=entry.callers or self._sizes.callers)
        return {
            "workload": workload.name,
            "case": entry.case or workload.name,
            "module": entry.module,
            "contender": entry.contender,
            "url": self._ground.url,
            "sizes": asdict(sizes),
        }

    def _follow(self, job: dict[str, Any], entry: Entry, standing: Standing, errors: IO[str]) -> int:
        """Run the process to its end, and let its standing say how far it is."""
        # A session of its own: Ctrl-C is ours to answer, and what it starts is ended with it.
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-P", "-c", PATCHED if entry.place == "gevent" else PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        with self._starting:
            self._process = process
            if self._stopped.is_set():  # while it was being started
                self._kill()
        impatient = threading.Timer(self._patience(), self._out_of_time, [standing])
        impatient.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError), process.stdin:  # it ended at once, and says why
                json.dump(job, process.stdin)
            with process.stdout:
                for line in process.stdout:
                    self._heard(json.loads(line), standing)
            return process.wait()
        finally:
            impatient.cancel()
            self._kill()

    def _patience(self) -> float:
        return _PATIENCE + 10 * self._sizes.seconds + _SLOWEST * self._sizes.operations

    def _out_of_time(self, standing: Standing) -> None:
        standing.reason = f"it did not end in {self._patience():.0f} seconds"
        self._kill()

    def _heard(self, message: dict[str, Any], standing: Standing) -> None:
        match message:
            case {"state": "running", "done": done, "seconds": seconds, "so_far": so_far}:
                of_time = workloads.load(standing.workload).limit == "seconds"
                part = seconds / self._sizes.seconds if of_time else done / self._sizes.operations
                standing.part, standing.rate, standing.so_far = min(part, 1.0), done / seconds, so_far
            case {"state": "done", "figures": figures}:
                standing.part, standing.rate, standing.figures = 1.0, figures["rate"], figures
            case {"state": "missing", "reason": reason}:
                standing.reason = reason
        standing.state = message["state"]

    def _seen(self, now: float, number: int) -> None:
        """A look at the connections: kept where it is another number than before."""
        result, since = self.result, now - self._begun
        result.looks += 1
        if not result.connections or result.connections[-1][1] != number:
            result.connections.append((round(since, 3), number))
        for standing in result.standings:
            if standing.begun is not None and standing.ended is None:
                standing.connections = max(standing.connections, number)

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _now(self) -> float:
        return round(time.monotonic() - self._begun, 3)

    def _without_password(self, text: str) -> str:
        return urls.without_password(text, self._ground.url)


def _missing(entry: Entry) -> str | None:
    """What it needs and is not installed; what its library needs, its own process says."""
    library = contenders.LIBRARIES[f"{contenders.__name__}.{entry.module}"]
    needed = [library, _NEEDED_BY.get(entry.place, "sys")]
    return next((name for name in needed if find_spec(name) is None), None)
