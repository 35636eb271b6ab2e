"""The workloads: each module makes its data, has a contender do the work, and names who takes part.

A new one is a module with a `WORKLOAD` and its name in `NAMES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from stretto.cli.race.contenders import Contender
from stretto.cli.race.meter import Meter

NAMES = ("select", "mixed", "graph", "census")
Place = Literal["blocking", "threads", "gevent", "asyncio", "uvloop"]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is run, the same for all.

    Attributes:
        callers: of `select`, and workers of `census`, at a time.
        connections: that a pool may have.
        seconds: that a contender runs, where the workload goes by time.
        operations: that it does, where the workload goes by number.
        points: rows to select from.
        parents: of the graph.
        places: of the census.
    """

    callers: int = 40
    connections: int = 10
    seconds: float = 2.0
    operations: int = 3_500
    points: int = 10_000
    parents: int = 200
    places: int = 2_000


@dataclass(frozen=True)
class Entry:
    """One that takes part: a library in a place, by a contender of one of the modules.

    Attributes:
        library: its name, as a reader knows it.
        place: what its callers are.
        module: of `contenders`, by its short name.
        contender: its name there.
        way: how, where there are several ways.
        case: under which the contender is registered, where that is not the workload.
        callers: where it has another number of them than the others.
    """

    library: str
    place: Place
    module: str
    contender: str
    way: str = ""
    case: str | None = None
    callers: int | None = None

    @property
    def title(self) -> str:
        return ", ".join(filter(None, [self.library, self.place, self.way]))

    @property
    def is_ours(self) -> bool:
        return self.library.startswith("stretto")


@dataclass(frozen=True)
class Workload:
    """A workload.

    Attributes:
        name: by which it is chosen.
        title: above its figures.
        about: what is done, in a sentence.
        unit: what is counted.
        limit: whether all run equally long, or do equally much.
        waiting: what a wait is of.
        entries: who takes part.
        setup: makes the data, by a stretto Database.
        run: has a contender do it, on a URL.
    """

    name: str
    title: str
    about: Callable[[Sizes], str]
    unit: str
    limit: Literal["seconds", "operations"]
    waiting: str
    entries: tuple[Entry, ...]
    setup: Callable[[Any, Sizes], None]
    run: Callable[[Contender, str, Sizes, Meter], Coroutine[Any, Any, None]]


def load(name: str) -> Workload:
    """The workload of that name."""
    workload: Workload = importlib.import_module(f"{__name__}.{name}").WORKLOAD
    return workload
