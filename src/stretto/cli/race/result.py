"""What a race has given so far, as it goes into JSON: who took part, how each stands, and the connections over time."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from stretto.cli.race import machine
from stretto.cli.race.workloads import Entry, Sizes, Workload

State = Literal["waiting", "starting", "running", "done", "failed", "missing"]
ENDED = ("done", "failed", "missing")


@dataclass
class Standing:
    """How one stands. Times are in seconds since the race began; `part` is from 0 to 1; `connections` the most seen.

    `so_far`: p99 and CPU as they were told last, while it ran; `figures` has those of the whole.
    """

    workload: str
    library: str
    place: str
    way: str
    ours: bool
    version: str | None
    state: State = "waiting"
    part: float = 0.0
    rate: float = 0.0
    reason: str = ""
    figures: dict[str, float] | None = None
    begun: float | None = None
    ended: float | None = None
    connections: int = 0
    so_far: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, workload: str, entry: Entry) -> Standing:
        version = machine.library_version(entry.library)
        return cls(workload, entry.library, entry.place, entry.way, entry.is_ours, version)

    @property
    def title(self) -> str:
        return ", ".join(filter(None, [self.library, self.place, self.way]))


@dataclass
class Heat:
    """One workload of a race: what is done, and by whom."""

    name: str
    title: str
    about: str
    unit: str
    limit: str
    waiting: str
    standings: list[Standing]

    @classmethod
    def of(cls, workload: Workload, sizes: Sizes, entries: list[Entry]) -> Heat:
        standings = [Standing.of(workload.name, entry) for entry in entries]
        words = (workload.name, workload.title, workload.about(sizes), workload.unit, workload.limit, workload.waiting)
        return cls(*words, standings)

    def ranked(self) -> list[Standing]:
        """Those that have figures, the quickest first."""
        done = [each for each in self.standings if each.figures is not None]
        return sorted(done, key=lambda each: -(each.figures or {})["rate"])


@dataclass
class Result:
    """A race. `connections` are the steps of a curve: from that second on, so many were open."""

    server: dict[str, str]
    sizes: Sizes
    heats: list[Heat]
    machine: dict[str, str] = field(default_factory=machine.describe)
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    seconds: float = 0.0
    looks: int = 0
    connections: list[tuple[float, int]] = field(default_factory=list)

    @property
    def standings(self) -> list[Standing]:
        return [each for heat in self.heats for each in heat.standings]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def conditions(self) -> str:
        """What every figure has to say: server, settings, machine."""
        shown = ("fsync", "synchronous_commit", "shared_buffers")
        settings = ", ".join(f"{name}={self.server[name]}" for name in shown)
        system = self.machine["system"]
        return f"PostgreSQL {self.server['version']}, {settings}; {self.machine['processor']}; {system}"
