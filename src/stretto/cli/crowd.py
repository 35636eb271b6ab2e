"""The demo's second part: the same lookups by 1, 10 and 100 callers at a time, in each runtime and by each driver.

Each driver has a process of its own for each runtime (`lookups`), since gevent has to be the first in its process.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec

from stretto.cli.lookups import Figures, Job

ALL = (1, 10, 100)
_PATIENCE = 60.0  # seconds for a process beyond what it measures

# Blocking code has one caller, and threads are for several.
_ENTRIES = {
    "blocking": ((1,), ("stretto", "psycopg", "psycopg2")),
    "threads": (ALL[1:], ("stretto", "psycopg", "psycopg2")),
    "gevent": (ALL, ("stretto", "psycopg2")),
    "asyncio": (ALL, ("stretto", "asyncpg", "psycopg")),
}
_MODULES = {"psycopg": ("psycopg", "psycopg_pool")}
_DISTRIBUTIONS = {"psycopg2": ("psycopg2-binary", "psycopg2")}
_PROGRAM = "from stretto.cli.lookups import main; main()"
_PATCHED = f"from gevent import monkey; monkey.patch_all(); {_PROGRAM}"


@dataclass(frozen=True)
class Contender:
    """A driver in a runtime; `name` is the driver's with its version."""

    runtime: str
    driver: str
    callers: tuple[int, ...]
    name: str

    def missing(self) -> list[str]:
        """The modules that it needs and that are not installed."""
        needed = _MODULES.get(self.driver, (self.driver,)) + (("gevent",) if self.runtime == "gevent" else ())
        return [name for name in needed if find_spec(name) is None]


@dataclass(frozen=True)
class Crowd:
    """What all did: the figures of each contender, and why others have none."""

    scores: dict[Contender, list[Figures]]
    missing: list[str]
    failed: dict[Contender, str]


class _NoFiguresError(Exception):
    """A contender's process gave no figures; the message is the last line that it wrote."""


def contenders() -> Iterator[Contender]:
    """All of them, also those that are not installed."""
    for runtime, (callers, drivers) in _ENTRIES.items():
        for driver in drivers:
            yield Contender(runtime, driver, callers, _named(driver))


def run(url: str, flights: int, seconds: float, progress: Callable[[float], None]) -> Crowd:
    """Measure all that are installed, one after the other, ``seconds`` for each number of callers.

    ``flights``: how many there are to look up; ``progress`` hears the part that is done.
    """
    crowd, missing = Crowd({}, [], {}), set()
    entered = []
    for contender in contenders():
        lacking = contender.missing()
        missing.update(lacking)
        if not lacking:
            entered.append(contender)
    for contender in entered:
        job = Job(contender.runtime, contender.driver, url, contender.callers, seconds, flights)
        try:
            crowd.scores[contender] = _process(job)
        except _NoFiguresError as failure:
            crowd.failed[contender] = str(failure)
        progress(len(contender.callers) / sum(len(each.callers) for each in entered))
    crowd.missing.extend(sorted(missing))
    return crowd


def _process(job: Job) -> list[Figures]:
    program = _PATCHED if job.runtime == "gevent" else _PROGRAM
    try:
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-c", program],
            input=json.dumps(asdict(job)),
            capture_output=True,
            text=True,
            timeout=_PATIENCE + 2 * job.seconds * len(job.callers),
        )
    except subprocess.TimeoutExpired:
        raise _NoFiguresError("it did not end in time") from None
    if done.returncode:
        raise _NoFiguresError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return [Figures(**json.loads(line)) for line in done.stdout.splitlines()]


def _named(driver: str) -> str:
    if driver == "stretto":
        return driver
    for distribution in _DISTRIBUTIONS.get(driver, (driver,)):
        try:
            return f"{driver} {importlib.metadata.version(distribution)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return driver
