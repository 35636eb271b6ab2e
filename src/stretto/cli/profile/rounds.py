"""The rounds: all drivers and kinds of calls in turn, in small slices, so that what else the machine does hits all."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stretto.cli.profile.drivers import CONSTANT, ROWLESS, WHOLE, Blocking, Driver, OnLoop
from stretto.cli.profile.parts import Kinds, Profile, Slice, crowd, split
from stretto.cli.profile.watch import Watch
from stretto.cli.profile.work import Work

SLICE = 0.02  # seconds that a slice is meant to take
_TRIAL = 20  # calls by which it is found how many that are, after as many that don't count
_FEWEST = 5

Trip = Callable[[int], Slice]


@dataclass(frozen=True, slots=True)
class Line:
    """What a line of the report is of: a driver, and how many call at a time."""

    name: str
    style: str
    callers: int
    work: Work


@dataclass(slots=True)
class _Entry:
    driver: Driver
    trip: Trip
    work: Work
    calls: Mapping[str, int]
    slices: dict[str, list[Slice]] = field(default_factory=lambda: {WHOLE: [], CONSTANT: [], ROWLESS: [], "trip": []})
    crowds: list[tuple[Slice, float]] = field(default_factory=list)
    watches: tuple[Watch, Watch] = field(default_factory=lambda: (Watch(), Watch()))


def measure(
    drivers: Sequence[tuple[Driver, Trip]],
    works: Sequence[Work],
    *,
    callers: int,
    rounds: int,
    progress: Callable[[float], None],
) -> dict[Line, Profile]:
    """Measure all drivers with all kinds of work. ``progress`` hears the part that is done."""
    entries = [_entered(driver, trip, work) for work in works for driver, trip in drivers]
    for _ in range(rounds):
        for entry in random.sample(entries, len(entries)):
            _round(entry, callers)
            progress(1 / (rounds * len(entries)))
    return dict(line for entry in entries for line in _lines(entry, callers))


def _entered(driver: Driver, trip: Trip, work: Work) -> _Entry:
    kinds = (WHOLE, CONSTANT, ROWLESS) if work.missing else (WHOLE, CONSTANT)
    return _Entry(driver, trip, work, {kind: _calls(driver, work, kind) for kind in kinds} | {"trip": _trips(trip)})


def _calls(driver: Driver, work: Work, kind: str) -> int:
    driver.run(work, kind, _TRIAL)
    return _fitting(driver.run(work, kind, _TRIAL))


def _trips(trip: Trip) -> int:
    trip(_TRIAL)
    return _fitting(trip(_TRIAL))


def _fitting(trial: Slice) -> int:
    return max(round(SLICE * trial.calls / trial.wall), _FEWEST)


def _round(entry: _Entry, callers: int) -> None:
    gc.collect()
    for kind, calls in random.sample(sorted(entry.calls.items()), len(entry.calls)):
        taken = entry.trip(calls) if kind == "trip" else entry.driver.run(entry.work, kind, calls)
        entry.slices[kind].append(taken)
    if isinstance(entry.driver, (Blocking, OnLoop)):
        with entry.watches[0] as watch:
            entry.driver.stamp(entry.work, max(entry.calls[WHOLE], 2 * watch.EACH), watch)
    if isinstance(entry.driver, OnLoop) and callers > 1:
        with entry.watches[1] as watch:
            each = max(2 * entry.calls[WHOLE], 2 * watch.EACH) // callers + 1
            entry.crowds.append(entry.driver.crowd(entry.work, callers, each, watch))


def _lines(entry: _Entry, callers: int) -> Iterator[tuple[Line, Profile]]:
    driver, slices = entry.driver, entry.slices
    stamps = entry.watches[0].means() if isinstance(driver, (Blocking, OnLoop)) else {}
    kinds = Kinds(slices[WHOLE], slices[CONSTANT], slices[ROWLESS], slices["trip"], stamps)
    alone = split(kinds)
    yield Line(driver.name, driver.style, 1, entry.work), alone
    if entry.crowds:
        taken, waits = zip(*entry.crowds, strict=True)
        line = Line(driver.name, driver.style, callers, entry.work)
        yield line, crowd(taken, waits, entry.watches[1].means(), alone)
