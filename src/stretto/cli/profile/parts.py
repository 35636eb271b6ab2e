"""The parts of a call's time, and how they are told from what was measured: plain arithmetic, no clock.

Two clocks are read around many calls of one kind: the wall's and that of the thread's CPU. What they do not have in
common is waiting. The rest comes from differences between kinds of calls, and each is said in `HOW`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PARTS = ("queued", "encode", "wire", "server", "decode", "rest", "no_cpu")

HOW = {
    "whole": "the wall's clock around many calls, divided by their number; the mean of the middle half of the rounds",
    "queued": "stretto's own stamps (stretto.slow) of calls picked out evenly: from the call until it was placed on a "
    "connection, and until the replies before it had ended. A DB-API module's held connection has no queue",
    "encode": "the thread's CPU time for the call, less that of the same call with constants in its SQL instead of "
    "parameters; the median of the rounds' differences",
    "wire": "the kernel's share of the client's CPU time (getrusage), and what an empty round trip waits: one in which "
    "the server has nothing to execute",
    "server": "the time in which the client waited (wall less CPU), less what an empty round trip waits, and less "
    "`no cpu`",
    "decode": "the thread's CPU time for the call, less that of the same statement when no row is found (what reading "
    "the rows off the socket costs is in it); the median of the differences",
    "rest": "the client's CPU time that is left: the driver's and the loop's Python, making the statement ready and "
    "giving back the result",
    "no_cpu": "the client's thread, or the server's process on the same machine, could have run and had no core to run "
    "on, as the kernel counts it (schedstat), but no more than what the client waited beyond the CPU time of that "
    "process: the machine is busy with something else",
}
CROWD_HOW = (
    "With many callers whole is what a caller waits (the mean; of the rounds the median). Queued, wire and server are "
    "their shares in stretto's stamps of the watched calls, an empty round trip's wait counted as wire and not as "
    "server; encode and decode are those of one caller; what is left is the rest of Python: a caller's own, and that "
    "of the others in the same loop, whose turn came first. Time without a core is not told apart"
)


@dataclass(frozen=True, slots=True)
class Slice:
    """What was measured around some calls of one kind, in seconds. ``user`` and ``system``: the thread's CPU time.

    ``cpu`` is the exact sum of the two, which the kernel counts by ticks. ``delayed``: the thread could have run, and
    had no core. ``backend``: CPU time of the server's process, and ``held_up`` its time without a core, where it can be
    seen.
    """

    calls: int
    wall: float
    cpu: float
    user: float = 0.0
    system: float = 0.0
    delayed: float = 0.0
    backend: float | None = None
    held_up: float = 0.0

    @property
    def busy(self) -> float:
        """The CPU time; its clock may be a little ahead of the wall's."""
        return min(self.cpu, self.wall)

    @property
    def coreless(self) -> float:
        """The time that either end could have run and did not. While the server's process ran, it is no such time."""
        return min(self.delayed + self.held_up, max(self.wall - self.busy - (self.backend or 0.0), 0.0))

    @property
    def waiting(self) -> float:
        """The time that the client waited for the other end."""
        return self.wall - self.busy - self.coreless


@dataclass(frozen=True, slots=True)
class Kinds:
    """The slices of one driver's call, round by round: as it is, without parameters, without rows (where it has any).

    ``empty``: of an empty round trip. ``stamps``: means of stretto's own, where the driver has them.
    """

    whole: Sequence[Slice]
    constant: Sequence[Slice]
    rowless: Sequence[Slice]
    empty: Sequence[Slice]
    stamps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a call's time goes, in seconds: ``parts`` add up to ``whole``; half of the rounds are within ``spread``.

    ``raw`` has the differences as they were measured: one below zero is noise and counts as nothing. ``waited``: the
    share of the time in which the client had no core to run on. ``stamps``: means of stretto's own.
    """

    whole: float
    parts: Mapping[str, float]
    spread: float
    cpu: float
    rate: float
    calls: int
    raw: Mapping[str, float] = field(default_factory=dict)
    backend: float | None = None
    waited: float = 0.0
    stamps: Mapping[str, float] = field(default_factory=dict)


def split(kinds: Kinds) -> Profile:
    """The parts of a call by one caller at a time."""
    middle = _middle_half(kinds.whole)
    wall, cpu, waiting = _mean(middle, "wall"), _mean(middle, "busy"), _mean(middle, "waiting")
    system = cpu * _system_share(kinds.whole)
    raw = {
        "encode": _difference(kinds.whole, kinds.constant),
        "decode": _difference(kinds.whole, kinds.rowless),
        "empty": statistics.median(each.waiting / each.calls for each in kinds.empty),
    }
    left = cpu - system
    parts = dict.fromkeys(PARTS, 0.0)
    for name, seconds in (("queued", kinds.stamps.get("queued", 0.0)), *raw.items()):
        if name != "empty":
            parts[name] = min(max(seconds, 0.0), left)
            left -= parts[name]
    trip = min(raw["empty"], waiting)
    parts |= {"wire": system + trip, "server": waiting - trip, "rest": left, "no_cpu": _mean(middle, "coreless")}
    waits = [each.wall / each.calls for each in kinds.whole]
    backend, waited = _seen(kinds.whole)
    return Profile(
        wall, parts, _half_range(waits), cpu, 1 / wall, _calls(kinds.whole), raw, backend, waited, kinds.stamps
    )


def crowd(slices: Sequence[Slice], waits: Sequence[float], stamps: Mapping[str, float], alone: Profile) -> Profile:
    """The parts of a call among many callers. ``waits``: a call's mean, round by round; ``alone``: by one caller."""
    whole = statistics.median(waits)
    share = {name: whole * seconds / stamps["total"] for name, seconds in stamps.items()}
    trip = min(alone.raw["empty"], share["server"])
    left = share["decode"]
    parts = dict.fromkeys(PARTS, 0.0)
    for name in ("decode", "encode"):
        parts[name] = min(alone.parts[name], left)
        left -= parts[name]
    parts |= {
        "queued": share["queued"] + share["behind"],
        "wire": share["wire"] + trip,
        "server": share["server"] - trip,
        "rest": left,
    }
    wall = statistics.median(each.wall / each.calls for each in slices)
    cpu = statistics.median(each.cpu / each.calls for each in slices)
    backend, waited = _seen(slices)
    raw = {"empty": alone.raw["empty"]}
    return Profile(whole, parts, _half_range(waits), cpu, 1 / wall, _calls(slices), raw, backend, waited, stamps)


def _middle_half(slices: Sequence[Slice]) -> Sequence[Slice]:
    """The slices without the quickest and the slowest quarter."""
    quarter = len(slices) // 4
    return sorted(slices, key=lambda each: each.wall / each.calls)[quarter : len(slices) - quarter]


def _mean(slices: Sequence[Slice], what: str) -> float:
    """For one call; the same slices give means that add up as the slices do."""
    return statistics.fmean(getattr(each, what) / each.calls for each in slices)


def _difference(whole: Sequence[Slice], without: Sequence[Slice]) -> float:
    """What more CPU time a call takes than one without something; zero where there is nothing to leave out."""
    pairs = zip(whole, without, strict=False)
    differences = [each.cpu / each.calls - other.cpu / other.calls for each, other in pairs]
    return statistics.median(differences) if differences else 0.0


def _calls(slices: Sequence[Slice]) -> int:
    return sum(each.calls for each in slices)


def _system_share(slices: Sequence[Slice]) -> float:
    system, ticks = sum(each.system for each in slices), sum(each.system + each.user for each in slices)
    return system / ticks if ticks else 0.0


def _seen(slices: Sequence[Slice]) -> tuple[float | None, float]:
    """The server's CPU time for a call, and the share of the time that either had no core."""
    backends = [each.backend / each.calls for each in slices if each.backend is not None]
    waited = sum(each.coreless for each in slices) / sum(each.wall for each in slices)
    return statistics.median(backends) if backends else None, waited


def _half_range(values: Sequence[float]) -> float:
    """Half of the way from the lower to the upper quartile."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2
