"""The demo's race: the contenders in turn, round after round, and the medians. The benchmark is another one."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from stretto import Database
from stretto.cli.contenders import (
    COPY_COLUMNS,
    DROP_COPY_TABLE,
    EMPTY_COPY_TABLE,
    MAKE_COPY_TABLE,
    Contender,
    contenders,
)
from stretto.cli.flights import TABLES, chunks


@dataclass(frozen=True)
class Sizes:
    """How many rows or statements a round has."""

    many: int
    one_by_one: int
    copied: int


FULL = Sizes(many=20_000, one_by_one=400, copied=8_000)
QUICK = Sizes(many=5_000, one_by_one=100, copied=3_000)

# Where the number of rounds is left to us: at most so many, and no new one after so long.
_ROUNDS = 9
_SECONDS = 10.0


@dataclass(frozen=True)
class Event:
    """One thing that all do; ``unit`` is what is counted, ``run`` does ``count`` of it."""

    title: str
    unit: str
    count: int
    run: Callable[[Contender], object]


@dataclass(frozen=True)
class Score:
    """A contender's medians in an event: units a second, and the client's CPU time for one, in microseconds."""

    name: str
    style: str
    rate: float
    cpu: float


@dataclass(frozen=True)
class Result:
    """An event and its scores, the quickest first."""

    event: Event
    scores: list[Score]


@dataclass(frozen=True)
class Race:
    """The whole race: the rounds that counted, the results, and the drivers that were not there."""

    rounds: int
    results: list[Result]
    missing: list[str]


def race(db: Database, url: str, rounds: int | None, sizes: Sizes, progress: Callable[[float], None]) -> Race:
    """Run all events in each round, and all contenders in each event; ``progress`` hears the part that is done.

    Each contender's first go is not counted. The order of the contenders turns from round to round. ``rounds``: None
    for as many as there is time for, nine at most.
    """
    db.execute(MAKE_COPY_TABLE)
    try:
        with contenders(url) as (entered, missing):
            events = _events(db, sizes)
            times = _run(db, entered, events, rounds, progress)
            results = [_result(event, entered, times) for event in events]
            counted = len(times[events[0].title, 0])
    finally:
        db.execute(DROP_COPY_TABLE)
    return Race(counted, results, missing)


def _events(db: Database, sizes: Sizes) -> list[Event]:
    ids = random.Random(2013).sample(range(1, sizes.many + 1), sizes.one_by_one)  # noqa: S311  # not a secret
    rows = db.fetch(f"select {', '.join(COPY_COLUMNS)} from flight limit $1", sizes.copied, into=tuple)  # noqa: S608  # our own names
    csv = _lines(sizes.copied)
    return [
        Event("Rows into dataclass objects", "rows", sizes.many, lambda each: each.many(sizes.many)),
        Event("Point selects, one at a time", "selects", len(ids), lambda each: each.one_by_one(ids)),
        Event("COPY in, from Python's tuples", "rows", len(rows), lambda each: each.copy_rows(rows)),
        Event("COPY in, from CSV", "rows", sizes.copied, lambda each: each.copy_csv(csv)),
    ]


def _lines(count: int) -> bytes:
    table = next(table for table in TABLES if table.name == "flight")
    lines = (line for piece in chunks(table) for line in piece.splitlines(keepends=True))
    return b"".join(islice(lines, count))


_Times = dict[tuple[str, int], list[tuple[float, float]]]


def _run(
    db: Database,
    entered: Sequence[Contender],
    events: Sequence[Event],
    rounds: int | None,
    progress: Callable[[float], None],
) -> _Times:
    times: _Times = {(event.title, place): [] for event in events for place in range(len(entered))}
    most = rounds or _ROUNDS
    begun = time.monotonic()
    for number in range(most + 1):
        for event in events:
            for place in _turned(len(entered), number):
                db.execute(EMPTY_COPY_TABLE)
                seconds = _time(event, entered[place])
                if number > 0:
                    times[event.title, place].append(seconds)
                progress(1 / (len(events) * len(entered) * (most + 1)))
        if rounds is None and number > 0 and time.monotonic() - begun > _SECONDS:
            break
    return times


def _turned(count: int, by: int) -> Iterator[int]:
    return ((place + by) % count for place in range(count))


def _time(event: Event, contender: Contender) -> tuple[float, float]:
    """Seconds by the clock and of this process's CPU, the server's not among them."""
    gc.collect()
    cpu, clock = time.process_time(), time.perf_counter()
    kept = event.run(contender)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    del kept
    return clock, cpu


def _result(event: Event, entered: Sequence[Contender], times: _Times) -> Result:
    scores = []
    for place, contender in enumerate(entered):
        clocks, cpus = zip(*times[event.title, place], strict=True)
        rate = event.count / statistics.median(clocks)
        scores.append(Score(contender.name, contender.style, rate, 1e6 * statistics.median(cpus) / event.count))
    return Result(event, sorted(scores, key=lambda score: -score.rate))
