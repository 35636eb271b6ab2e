"""The bars: what must hold among the contenders of one table, and whether it did in this run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

Rounds = list[dict[str, float]]
Results = Mapping[str, Rounds]


def rates(rounds: Rounds, key: str = "rate") -> list[float]:
    return [figures[key] for figures in rounds]


def factor(own: Rounds, other: Rounds, key: str = "rate") -> float:
    """How many times as fast: the median of the ratios within each round."""
    return median(a / b for a, b in zip(rates(own, key), rates(other, key), strict=True))


def overlap(own: Rounds, other: Rounds, key: str = "rate") -> bool:
    """Whether the two ranges of rates have something in common: then a difference may be chance."""
    return min(rates(own, key)) <= max(rates(other, key)) and min(rates(other, key)) <= max(rates(own, key))


def fastest(results: Results, peers: tuple[str, ...], key: str = "rate") -> str | None:
    """The one of these peers with the best median, of those that were measured."""
    present = [name for name in peers if name in results]
    return max(present, key=lambda name: median(rates(results[name], key)), default=None)


@dataclass(frozen=True)
class AtLeast:
    """A contender's rate (`key`, and `unit` as a name) is at least so many times that of the fastest of some peers."""

    contender: str
    times: float
    peers: tuple[str, ...]
    key: str = "rate"
    unit: str = ""

    def line(self, results: Results) -> str:
        """The bar, and what was measured."""
        what = f", {self.unit}" if self.unit else ""
        peer = fastest(results, self.peers, self.key)
        if self.contender not in results or peer is None:
            return f"{self.contender} >= {self.times:.3g} x {' | '.join(self.peers)}{what}: not measured"
        found = factor(results[self.contender], results[peer], self.key)
        return f"{self.contender} >= {self.times:.3g} x {peer}{what}: {found:.2f}, {_verdict(found >= self.times)}"


@dataclass(frozen=True)
class NotSlower:
    """A contender is as fast as the fastest of some peers. Slower with ranges that overlap, nothing is decided."""

    contender: str
    peers: tuple[str, ...]

    def line(self, results: Results) -> str:
        """The bar, and what was measured; ~ says that the ranges overlap: the difference may be chance."""
        peer = fastest(results, self.peers)
        if self.contender not in results or peer is None:
            return f"{self.contender} not slower than {' | '.join(self.peers)}: not measured"
        own, other = results[self.contender], results[peer]
        found, chance = factor(own, other), overlap(own, other)
        verdict = "not decided" if chance and found < 1 else _verdict(found >= 1)
        return f"{self.contender} not slower than {peer}: {'~' if chance else ''}{found:.2f}, {verdict}"


@dataclass(frozen=True)
class AtMost:
    """A figure of a contender is at most so much; `unit` is what the report writes behind it."""

    contender: str
    key: str
    limit: float
    unit: str

    def line(self, results: Results) -> str:
        """The bar, and the largest figure of all rounds."""
        if self.contender not in results:
            return f"{self.contender} <= {self.limit:g} {self.unit}: not measured"
        found = max(figures[self.key] for figures in results[self.contender])
        return f"{self.contender} <= {self.limit:g} {self.unit}: {found:.3g}, {_verdict(found <= self.limit)}"


Bar = AtLeast | AtMost | NotSlower


def _verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"
