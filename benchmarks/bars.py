"""The bars: what must hold among the contenders of one table, and whether it did in this run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

Rounds = list[dict[str, float]]
Results = Mapping[str, Rounds]


def rates(rounds: Rounds) -> list[float]:
    return [figures["rate"] for figures in rounds]


def factor(own: Rounds, other: Rounds) -> float:
    """How many times as fast: the median of the ratios within each round."""
    return median(a / b for a, b in zip(rates(own), rates(other), strict=True))


@dataclass(frozen=True)
class AtLeast:
    """A contender's rate is at least so many times that of the fastest of some peers."""

    contender: str
    times: float
    peers: tuple[str, ...]

    def line(self, results: Results) -> str:
        """The bar, and what was measured."""
        present = [name for name in self.peers if name in results]
        if self.contender not in results or not present:
            return f"{self.contender} >= {self.times:.3g} x {' | '.join(self.peers)}: not measured"
        fastest = max(present, key=lambda name: median(rates(results[name])))
        found = factor(results[self.contender], results[fastest])
        return f"{self.contender} >= {self.times:.3g} x {fastest}: {found:.2f}, {_verdict(found >= self.times)}"


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


Bar = AtLeast | AtMost


def _verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"
